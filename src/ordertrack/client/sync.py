"""The blocking client: for scripts, terminals and threads."""

from __future__ import annotations

import functools
import random as system_random
import time
from collections.abc import Callable, Generator, Iterable, Mapping
from types import TracebackType
from typing import Concatenate, ParamSpec, Self, TypeVar

import httpx

from ordertrack.client import calls
from ordertrack.client.backoff import Random
from ordertrack.client.calls import Call
from ordertrack.client.connections import Connections
from ordertrack.client.errors import ClientClosed, OrdertrackClientError, ServerUnreachable
from ordertrack.client.hold import Pace
from ordertrack.client.transport import (
    OnAnswer,
    OnConnection,
    Reporter,
    RequestArguments,
    TrackOptions,
    call_arguments,
    http_options,
    ignore_answer,
    no_answer,
    poll_arguments,
    retry_wait_s,
    sign_as_method,
)
from ordertrack.client.values import Mode, Order, Update

P = ParamSpec("P")
T = TypeVar("T")


def _does(make: Callable[P, Call[T]]) -> Callable[Concatenate[OrdertrackClient, P], T]:
    """The method that sends the call which `make` describes."""

    @functools.wraps(make)
    def method(self: OrdertrackClient, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self._do(make(*args, **kwargs))

    sign_as_method(method, make)
    return method


class OrdertrackClient:
    """Talks to the ordertrack server at `base_url`; use it in a `with` block, or `close` it.

        with OrdertrackClient("http://127.0.0.1:5001") as client:
            for update in client.track(101):
                print(update.order.status)

    * `token` is sent as a bearer token, `headers` with every request.
    * `retries`: how often a single call is repeated when that is safe (tracking never gives up).
    * `on_answer` is called with the body of every good answer, as the server sent it, for those who pass it on.
    * `transport`, `random`, `sleep` and `monotonic` are there to be replaced in tests.

    Every method raises ServerUnreachable when no server answers, UnexpectedAnswer when the URL is not an ordertrack
    server's, AccessDenied, ServerBusy and ClientClosed; what else, it says itself. Raises ValueError for a bad
    `base_url`. May be shared by threads: `close` ends what others wait for, with ClientClosed.
    """

    def __init__(
        self,
        base_url: str,
        *,
        token: str | None = None,
        headers: Mapping[str, str] | None = None,
        retries: int = 2,
        on_answer: OnAnswer | None = None,
        transport: httpx.BaseTransport | None = None,
        random: Random = system_random.random,
        sleep: Callable[[float], object] | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._http = httpx.Client(**http_options(base_url, token, headers), transport=transport)
        self._retries = retries
        self._on_answer = on_answer or ignore_answer
        self._random = random
        self._connections = Connections()
        self._sleep = sleep or self._connections.closed.wait
        self._monotonic = monotonic

    order = _does(calls.order)
    orders = _does(calls.orders)
    create = _does(calls.create)
    set_status = _does(calls.set_status)
    set_statuses = _does(calls.set_statuses)
    assign_courier = _does(calls.assign_courier)
    events = _does(calls.events)
    simulate = _does(calls.simulate)
    stop_simulation = _does(calls.stop_simulation)
    stats = _does(calls.stats)
    poll = _does(calls.poll)

    def track(
        self,
        order_id: int,
        *,
        cursor: str | None = None,
        mode: Mode = "live",
        client_id: str | None = None,
        on_connection: OnConnection | None = None,
        pace: Pace | None = None,
        wait_for_server: bool = False,
    ) -> Generator[Update, None, None]:
        """Follow an order: its state at once, then every change when it happens, until the order has ended.

        Once the server has answered, restarts and loss of the network are survived: it tries again for as long as it
        takes and goes on where it was, without a gap. Each retry is logged (`ordertrack.client`, a warning) and told to
        `on_connection`, for a "reconnecting..." on the screen.

        * `cursor`: go on from an earlier update's cursor. The first update comes at once all the same.
        * `mode`: "live" has news within milliseconds; "saver" asks once every 30 to 120 seconds, as the server advises.
        * `client_id`: at most 64 characters; a poll ends an older one with the same id. A random one by default.
        * `pace`: the figures of the waiting, should the defaults not do.
        * `wait_for_server`: also wait for a server that has not answered yet, instead of raising ServerUnreachable.

        Raises ServerUnreachable and UnexpectedAnswer only before the first answer; NotFound, AccessDenied and other
        refusals that no repetition cures; ClientClosed when `close` is called in another thread; and what
        `on_connection` raises.
        """
        tracker = TrackOptions(cursor, mode, client_id, pace, wait_for_server).tracker(self._random)
        report = Reporter(order_id, on_connection)
        while not tracker.ended:
            request = tracker.next_request(self._monotonic())
            try:
                answer = self._request(poll_arguments(order_id, request))
            except ServerUnreachable as error:
                step = tracker.failed(error, self._monotonic())
            else:
                step = tracker.received(answer.status_code, answer.headers, answer.content, self._monotonic())
            report(step)
            if step.update is not None:
                self._on_answer(answer.content)
                yield step.update
            if step.wait_s > 0:
                self._sleep(step.wait_s)

    def all_orders(
        self,
        *,
        customer_id: str | int | None = None,
        restaurant_id: str | int | None = None,
        courier_id: str | int | None = None,
        status: str | Iterable[str] = (),
    ) -> Generator[Order, None, None]:
        """Every order that fits the filters, newest first, a page of 100 at a time."""
        statuses = [status] if isinstance(status, str) else list(status)
        cursor: str | None = None
        while True:
            page = self.orders(
                customer_id=customer_id,
                restaurant_id=restaurant_id,
                courier_id=courier_id,
                status=statuses,
                limit=100,
                cursor=cursor,
            )
            yield from page.orders
            cursor = page.next_cursor
            if cursor is None:
                return

    def close(self) -> None:
        """Close all connections. A call or `track` that is under way in another thread raises ClientClosed."""
        self._connections.close()
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _do(self, call: Call[T]) -> T:
        tried = 0
        while True:
            tried += 1
            try:
                return self._send(call)
            except OrdertrackClientError as error:
                wait_s = retry_wait_s(call, error, tried, self._retries, self._random)
                if wait_s is None:
                    raise
            self._sleep(wait_s)

    def _send(self, call: Call[T]) -> T:
        answer = self._request(call_arguments(call))
        result = call.result(answer.status_code, answer.headers, answer.content)
        self._on_answer(answer.content)
        return result

    def _request(self, arguments: RequestArguments) -> httpx.Response:
        """Raises ServerUnreachable, ClientClosed."""
        if self._connections.closed.is_set():
            raise ClientClosed
        try:
            return self._http.request(**arguments, extensions={"trace": self._connections.trace})
        except (httpx.RequestError, RuntimeError) as error:
            if self._connections.closed.is_set():
                raise ClientClosed from error
            if isinstance(error, httpx.RequestError):
                raise no_answer(error, self._http.base_url) from error
            raise
