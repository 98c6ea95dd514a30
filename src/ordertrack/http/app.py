"""The ASGI application: polls and changes of status in front, Litestar for everything else.

It can run under any ASGI server: given a lifespan it opens and closes the service by itself.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from litestar import Litestar
from litestar.types import ControllerRouterHandler

from ordertrack.http import names
from ordertrack.http.asgi import Message, Receive, Scope, Send
from ordertrack.http.dates import http_date
from ordertrack.http.failures import WHICH_METHODS, Failures
from ordertrack.http.openapi.document import openapi_router
from ordertrack.http.parameters import is_poll_path
from ordertrack.http.poll_route import PollRoute
from ordertrack.http.routes.changes import changes_router
from ordertrack.http.routes.orders import orders_router
from ordertrack.http.routes.simulations import simulations_router
from ordertrack.http.routes.system import system_router
from ordertrack.http.status_updates import StatusRoute, StatusUpdates, status_path
from ordertrack.ports.clock import Clock
from ordertrack.service.monitoring import Monitor
from ordertrack.service.orders import Orders
from ordertrack.service.simulation import Simulator
from ordertrack.service.tracking import Tracking


class HttpApp:
    """`on_startup` and `on_shutdown` are called for servers that speak the ASGI lifespan protocol."""

    def __init__(
        self,
        *,
        orders: Orders,
        tracking: Tracking,
        simulator: Simulator,
        monitor: Monitor,
        clock: Clock,
        undo_window_ms: int,
        version: str,
        on_startup: Callable[[], Awaitable[None]],
        on_shutdown: Callable[[], Awaitable[None]],
        pages: Sequence[ControllerRouterHandler] = (),
    ) -> None:
        self.status_updates = StatusUpdates(orders, undo_window_ms, tracking.statistics.refused)
        self._poll = PollRoute(tracking, clock)
        self._status = StatusRoute(self.status_updates, clock)
        self._clock = clock
        self._on_startup, self._on_shutdown = on_startup, on_shutdown
        self._rest = Litestar(
            route_handlers=[
                orders_router(orders),
                changes_router(orders, undo_window_ms),
                simulations_router(simulator),
                system_router(monitor, simulator),
                openapi_router(version),
                *pages,
            ],
            exception_handlers=Failures(tracking.statistics.refused).handlers(),
            openapi_config=None,
            logging_config=None,
            request_max_body_size=None,  # each route has its own limit: http/requests.py
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
            return
        if is_poll_path(scope["path"]):
            await self._poll(scope, receive, send)
            return
        if status_path(scope["path"]) is not None:
            await self._status(scope, receive, send)
            return
        head = scope["method"] == "HEAD"
        if head:
            scope = {**scope, "method": "GET"}
        elif scope["method"] == "OPTIONS":
            scope = {**scope, "method": WHICH_METHODS}
        await self._rest(scope, receive, _finished(send, self._clock, head=head))  # type: ignore[arg-type]

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        await self._on_startup()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self._on_shutdown()
        await send({"type": "lifespan.shutdown.complete"})


def _finished(send: Send, clock: Clock, *, head: bool) -> Send:
    """Adds what every answer has: the date, and no body for HEAD."""

    async def finish(message: Message) -> None:
        if message["type"] == "http.response.start":
            date = (names.DATE.encode(), http_date(clock.now_ms()))
            message = {**message, "headers": [*message.get("headers", ()), date]}
        elif head:
            message = {**message, "body": b""}
        await send(message)

    return finish
