"""The ASGI application: the poll route in front, Litestar for everything else.

It can run under any ASGI server: given a lifespan it opens and closes the service by itself.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import structlog
from litestar import Litestar, Request, Response
from litestar.exceptions import HTTPException, MethodNotAllowedException, NotFoundException
from litestar.types import ControllerRouterHandler

from ordertrack.core.errors import OrdertrackError
from ordertrack.http import names
from ordertrack.http.dates import http_date
from ordertrack.http.errors import InternalError, InvalidJson, MethodNotAllowed, NoSuchPage
from ordertrack.http.openapi.document import openapi_router
from ordertrack.http.poll_route import Message, PollRoute, Receive, Scope, Send
from ordertrack.http.problems import problem
from ordertrack.http.routes.changes import changes_router
from ordertrack.http.routes.orders import orders_router
from ordertrack.http.routes.simulations import simulations_router
from ordertrack.http.routes.system import system_router
from ordertrack.ports.clock import Clock
from ordertrack.service.monitoring import Monitor
from ordertrack.service.orders import Orders
from ordertrack.service.simulation import Simulator
from ordertrack.service.tracking import Tracking

_WHICH_METHODS = "WHICH"
"""Stands for OPTIONS within the application: no route has it, so the router itself says which methods a path has.
(Litestar's own answer to OPTIONS names only the first of two handlers of a path.)"""

log = structlog.get_logger("ordertrack.http")


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
        self._poll = PollRoute(tracking, clock)
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
            exception_handlers={OrdertrackError: _known, HTTPException: _framework, Exception: _bug},
            openapi_config=None,
            logging_config=None,
            request_max_body_size=None,  # each route has its own limit: http/requests.py
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
            return
        order_id = self._poll.order_id(scope["path"])
        if order_id is not None:
            await self._poll(order_id, scope, receive, send)
            return
        head = scope["method"] == "HEAD"
        if head:
            scope = {**scope, "method": "GET"}
        elif scope["method"] == "OPTIONS":
            scope = {**scope, "method": _WHICH_METHODS}
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


def _known(_: Request[Any, Any, Any], error: OrdertrackError) -> Response[bytes]:
    status, headers, body = problem(error)
    return Response(body, status_code=status, headers=headers, media_type=headers[names.CONTENT_TYPE])


def _framework(request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    """What the framework refused before a handler of ours saw it."""
    if isinstance(error, NotFoundException):
        return _known(request, NoSuchPage(request.url.path))
    if isinstance(error, MethodNotAllowedException):
        allowed = _allowed(error)
        if request.method == _WHICH_METHODS:
            return Response(b"", status_code=204, headers={names.ALLOW: ", ".join(allowed)})
        return _known(request, MethodNotAllowed(request.method, allowed))
    if error.status_code < 500:
        return _known(request, InvalidJson(detail=str(error.detail)))
    return _bug(request, error)


def _allowed(error: MethodNotAllowedException) -> tuple[str, ...]:
    """HEAD is wherever GET is: this application answers it, not the router."""
    methods = set(filter(None, (error.headers or {}).get(names.ALLOW, "").split(", ")))
    return tuple(sorted(methods | {"HEAD"} if "GET" in methods else methods))


def _bug(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    incident = secrets.token_hex(6)
    log.error("internal error", incident=incident, method=request.method, path=request.url.path, exc_info=error)
    return _known(request, InternalError(incident))
