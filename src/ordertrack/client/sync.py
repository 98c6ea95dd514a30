"""The blocking client: for scripts, terminals and threads."""

from __future__ import annotations

import functools
import random as system_random
import time
from collections.abc import Callable, Generator, Iterable, Mapping
from types import TracebackType
from typing import Concatenate, ParamSpec, Self, TypeVar

import httpx

from ordertrack.client import calls, shared, tracking
from ordertrack.client.backoff import Random
from ordertrack.client.calls import Call
from ordertrack.client.connections import Connections
from ordertrack.client.errors import ClientClosed, OrdertrackClientError, ServerUnreachable
from ordertrack.client.hold import LearnedHold
from ordertrack.client.link_url import check_server
from ordertrack.client.tracker import U
from ordertrack.client.tracking import Tracking
from ordertrack.client.values import Order

P = ParamSpec("P")
T = TypeVar("T")


def _method(make: Callable[P, Call[T]]) -> Callable[Concatenate[OrdertrackClient, P], T]:
    """Return the method that sends the call of `make`."""

    @functools.wraps(make)
    def method(self: OrdertrackClient, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self._call(make(*args, **kwargs))

    shared.sign_as_method(method, make, shared.returned_by(make))
    return method


def _tracking(make: Callable[P, Tracking[U]]) -> Callable[Concatenate[OrdertrackClient, P], Generator[U, None, None]]:
    """Return the method that follows the tracking of `make`."""

    @functools.wraps(make)
    def method(self: OrdertrackClient, /, *args: P.args, **kwargs: P.kwargs) -> Generator[U, None, None]:
        return self._follow(make(*args, **kwargs))

    shared.sign_as_method(method, make, f"Generator[{shared.returned_by(make)}, None, None]")
    return method


class OrdertrackClient:
    """A client of the ordertrack server at `base_url`; use it in a `with` block, or `close` it.

        with OrdertrackClient("http://127.0.0.1:5001") as client:
            for update in client.track(101):
                print(update.order.status)

    * `token` is sent as a bearer token, `headers` with every request.
    * `retries`: maximum number of retries of a call, when a retry is safe (tracking retries without limit).
    * `on_answer` is called with the body of every successful answer, as the server sent it.
    * `learned_hold`: the longest hold that the network survives, which `track` learns. The attribute of this name has
      the newest value: pass it to a later client on the same network.
    * `transport`, `random`, `sleep` and `monotonic` can be replaced in tests.

    Every method can raise ServerUnreachable, UnexpectedAnswer (`base_url` is not an ordertrack server), AccessDenied,
    ServerBusy and ClientClosed, besides the errors it names. Threads may share a client: after `close`, calls that wait
    in other threads raise ClientClosed.

    Raises: ValueError, for an invalid `base_url`.
    """

    def __init__(
        self,
        base_url: str,
        *,
        token: str | None = None,
        headers: Mapping[str, str] | None = None,
        retries: int = 2,
        on_answer: shared.OnAnswer | None = None,
        learned_hold: LearnedHold | None = None,
        transport: httpx.BaseTransport | None = None,
        random: Random = system_random.random,
        sleep: Callable[[float], object] | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._http = httpx.Client(**shared.http_options(base_url, token, headers), transport=transport)
        self._retries = retries
        self._on_answer = on_answer or shared.ignore_answer
        self.learned_hold = learned_hold
        self._random = random
        self._connections = Connections()
        self._sleep = sleep or self._connections.closed.wait
        self._monotonic = monotonic

    order = _method(calls.order)
    orders = _method(calls.orders)
    create = _method(calls.create)
    set_status = _method(calls.set_status)
    set_statuses = _method(calls.set_statuses)
    assign_courier = _method(calls.assign_courier)
    events = _method(calls.events)
    audit = _method(calls.audit)
    create_link = _method(calls.create_link)
    links = _method(calls.links)
    revoke_link = _method(calls.revoke_link)
    order_by_link = _method(calls.order_by_link)
    simulate = _method(calls.simulate)
    stop_simulation = _method(calls.stop_simulation)
    stats = _method(calls.stats)
    poll = _method(calls.poll)

    track = _tracking(tracking.track)
    track_link = _tracking(tracking.track_link)
    track_customer = _tracking(tracking.track_customer)
    track_restaurant = _tracking(tracking.track_restaurant)
    track_courier = _tracking(tracking.track_courier)

    def all_orders(
        self,
        *,
        customer_id: str | int | None = None,
        restaurant_id: str | int | None = None,
        courier_id: str | int | None = None,
        status: str | Iterable[str] = (),
    ) -> Generator[Order, None, None]:
        """Yield all orders that match the filters, newest first, in pages of 100."""
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
        """Close all connections. A running call or `track` in another thread raises ClientClosed."""
        self._connections.close()
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _follow(self, tracked: Tracking[U]) -> Generator[U, None, None]:
        tracker = tracked.tracker(self._random, self.learned_hold)
        report = shared.Reporter(tracked.subject, tracked.on_connection)
        while not tracker.ended:
            request = tracker.next_request(self._monotonic())
            try:
                answer = self._request(shared.poll_arguments(tracked.path, request))
            except ServerUnreachable as error:
                step = tracker.failed(error, self._monotonic())
            else:
                step = tracker.received(answer.status_code, answer.headers, answer.content, self._monotonic())
            self.learned_hold = tracker.learned_hold
            report(step)
            if step.update is not None:
                self._on_answer(answer.content)
                yield step.update
            if step.wait_s > 0:
                self._sleep(step.wait_s)

    def _call(self, call: Call[T]) -> T:
        tried = 0
        while True:
            tried += 1
            try:
                return self._send(call)
            except OrdertrackClientError as error:
                wait_s = shared.retry_wait_s(call, error, tried, self._retries, self._random)
                if wait_s is None:
                    raise
            self._sleep(wait_s)

    def _send(self, call: Call[T]) -> T:
        answer = self._request(shared.call_arguments(call))
        result = call.result(answer.status_code, answer.headers, answer.content)
        self._on_answer(answer.content)
        return result

    def _request(self, arguments: shared.RequestArguments) -> httpx.Response:
        """Raises: ServerUnreachable, ClientClosed; ValueError, for a link of another server."""
        check_server(self._http.base_url, arguments["url"])
        if self._connections.closed.is_set():
            raise ClientClosed
        try:
            return self._http.request(**arguments, extensions={"trace": self._connections.trace})
        except (httpx.RequestError, RuntimeError) as error:
            if self._connections.closed.is_set():
                raise ClientClosed from error
            if isinstance(error, httpx.RequestError):
                raise shared.connection_error(error, self._http.base_url) from error
            raise
