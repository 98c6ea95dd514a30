"""The client for asyncio."""

from __future__ import annotations

import asyncio
import functools
import random as system_random
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Iterable, Mapping
from contextlib import suppress
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

import httpx

from ordertrack.client import calls, shared, tracking
from ordertrack.client.backoff import Random
from ordertrack.client.calls import Call
from ordertrack.client.errors import ClientClosed, OrdertrackClientError, ServerUnreachable
from ordertrack.client.hold import LearnedHold
from ordertrack.client.link_url import check_server
from ordertrack.client.tracker import U
from ordertrack.client.tracking import Tracking
from ordertrack.client.values import Order

P = ParamSpec("P")
T = TypeVar("T")


def _method(make: Callable[P, Call[T]]) -> Callable[Concatenate[AsyncOrdertrackClient, P], Coroutine[Any, Any, T]]:
    """Return the method that sends the call of `make`."""

    @functools.wraps(make)
    async def method(self: AsyncOrdertrackClient, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._call(make(*args, **kwargs))

    shared.sign_as_method(method, make, shared.returned_by(make))
    return method


def _tracking(
    make: Callable[P, Tracking[U]],
) -> Callable[Concatenate[AsyncOrdertrackClient, P], AsyncGenerator[U, None]]:
    """Return the method that follows the tracking of `make`."""

    @functools.wraps(make)
    def method(self: AsyncOrdertrackClient, /, *args: P.args, **kwargs: P.kwargs) -> AsyncGenerator[U, None]:
        return self._follow(make(*args, **kwargs))

    shared.sign_as_method(method, make, f"AsyncGenerator[{shared.returned_by(make)}, None]")
    return method


class AsyncOrdertrackClient:
    """A client of the ordertrack server at `base_url`; use it in an `async with` block, or `aclose` it.

        async with AsyncOrdertrackClient("http://127.0.0.1:5001") as client:
            async for update in client.track(101):
                print(update.order.status)

    Options, methods and errors are those of `OrdertrackClient`; every method is a coroutine, the `track` methods and
    `all_orders` are asynchronous iterators. One client can track any number of orders at once, each in its own task;
    cancel the task to stop early.
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
        transport: httpx.AsyncBaseTransport | None = None,
        random: Random = system_random.random,
        sleep: Callable[[float], Awaitable[None]] | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._http = httpx.AsyncClient(**shared.http_options(base_url, token, headers), transport=transport)
        self._retries = retries
        self._on_answer = on_answer or shared.ignore_answer
        self.learned_hold = learned_hold
        self._random = random
        self._closed = asyncio.Event()
        self._sleep = sleep or self._sleep_until_closed
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

    async def all_orders(
        self,
        *,
        customer_id: str | int | None = None,
        restaurant_id: str | int | None = None,
        courier_id: str | int | None = None,
        status: str | Iterable[str] = (),
    ) -> AsyncGenerator[Order, None]:
        """Yield all orders that match the filters, newest first, in pages of 100."""
        statuses = [status] if isinstance(status, str) else list(status)
        cursor: str | None = None
        while True:
            page = await self.orders(
                customer_id=customer_id,
                restaurant_id=restaurant_id,
                courier_id=courier_id,
                status=statuses,
                limit=100,
                cursor=cursor,
            )
            for order in page.orders:
                yield order
            cursor = page.next_cursor
            if cursor is None:
                return

    async def aclose(self) -> None:
        """Close all connections. A running call or `track` in another task raises ClientClosed."""
        self._closed.set()
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def _follow(self, tracked: Tracking[U]) -> AsyncGenerator[U, None]:
        tracker = tracked.tracker(self._random, self.learned_hold)
        report = shared.Reporter(tracked.subject, tracked.on_connection)
        while not tracker.ended:
            request = tracker.next_request(self._monotonic())
            try:
                answer = await self._request(shared.poll_arguments(tracked.path, request))
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
                await self._sleep(step.wait_s)

    async def _call(self, call: Call[T]) -> T:
        tried = 0
        while True:
            tried += 1
            try:
                return await self._send(call)
            except OrdertrackClientError as error:
                wait_s = shared.retry_wait_s(call, error, tried, self._retries, self._random)
                if wait_s is None:
                    raise
            await self._sleep(wait_s)

    async def _send(self, call: Call[T]) -> T:
        answer = await self._request(shared.call_arguments(call))
        result = call.result(answer.status_code, answer.headers, answer.content)
        self._on_answer(answer.content)
        return result

    async def _request(self, arguments: shared.RequestArguments) -> httpx.Response:
        """Raises: ServerUnreachable, ClientClosed; ValueError, for a link of another server."""
        check_server(self._http.base_url, arguments["url"])
        if self._closed.is_set():
            raise ClientClosed
        try:
            return await self._http.request(**arguments)
        except (httpx.RequestError, RuntimeError) as error:
            if self._closed.is_set():
                raise ClientClosed from error
            if isinstance(error, httpx.RequestError):
                raise shared.connection_error(error, self._http.base_url) from error
            raise

    async def _sleep_until_closed(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._closed.wait(), seconds)
