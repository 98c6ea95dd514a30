"""The ASGI application: polls and changes of status in front, Litestar for everything else.

It can run under any ASGI server: given a lifespan it opens and closes the service by itself.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence

from litestar import Litestar
from litestar.types import ControllerRouterHandler

from ordertrack.core.errors import InvalidInput, OrdertrackError
from ordertrack.core.principal import Principal, Role
from ordertrack.http import names
from ordertrack.http.admission import Admission, Budget
from ordertrack.http.asgi import Message, Receive, Scope, Send, send_response
from ordertrack.http.cors import Cors, Headers
from ordertrack.http.dates import http_date
from ordertrack.http.failures import WHICH_METHODS, Failures
from ordertrack.http.openapi.document import openapi_router
from ordertrack.http.pace import Paces
from ordertrack.http.parameters import is_poll_path, link_path, link_track_token, shown_to_holder
from ordertrack.http.poll_route import PollRoute
from ordertrack.http.requests import CALLER
from ordertrack.http.responses import refused
from ordertrack.http.routes.changes import changes_router
from ordertrack.http.routes.links import links_router
from ordertrack.http.routes.orders import orders_router
from ordertrack.http.routes.simulations import simulations_router
from ordertrack.http.routes.system import system_router
from ordertrack.http.secure import SECURE, SECURE_PAGE
from ordertrack.http.status_updates import StatusRoute, StatusUpdates, status_path
from ordertrack.ports.clock import Clock
from ordertrack.service.links import Links
from ordertrack.service.monitoring import Monitor
from ordertrack.service.orders import Orders
from ordertrack.service.simulation import Simulator
from ordertrack.service.tracking import Tracking

_PUBLIC = re.compile(r"/|/healthz|/readyz|/openapi\.json|/apidocs(/.*)?", re.DOTALL)
"""What tells nothing of any order: nobody is asked who they are."""


ANY_LINK = Principal(Role.LINK, "any", order_id=1)
"""Every link's path takes the same methods."""
_HOST = names.HOST.encode()
_PAGE = re.compile(r"/|/apidocs(/.*)?", re.DOTALL)


class HttpApp:
    """`on_startup` and `on_shutdown` are called for servers that speak the ASGI lifespan protocol."""

    def __init__(
        self,
        *,
        orders: Orders,
        tracking: Tracking,
        admission: Admission,
        cors: Cors,
        links: Links,
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
        self._admission = admission
        self.cors = cors
        self._refused = tracking.statistics.refused
        self._paces = Paces()
        self._poll = PollRoute(tracking, clock, self._paces)
        self._status = StatusRoute(self.status_updates, clock)
        self._clock = clock
        self._on_startup, self._on_shutdown = on_startup, on_shutdown
        self._rest = Litestar(
            route_handlers=[
                orders_router(orders),
                changes_router(orders, admission, undo_window_ms),
                simulations_router(simulator),
                links_router(links),
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
        if self.cors.on:
            send = _with_headers(send, self.cors.headers(scope["headers"], preflight=scope["method"] == "OPTIONS"))
        try:
            scope = await self._admitted(scope)
        except OrdertrackError as error:
            if _budget(scope) is Budget.POLLS:
                await self._paces.pause(scope["client"], scope["path"], self._clock)
            await send_response(send, refused(error, self._refused), self._clock.now_ms())
            return
        if is_poll_path(scope["path"]):
            await self._poll(scope, receive, send)
            return
        if status_path(scope["path"]) is not None:
            await self._status(scope, receive, send)
            return
        head, page = scope["method"] == "HEAD", _PAGE.fullmatch(scope["path"]) is not None
        if head:
            scope = {**scope, "method": "GET"}
        elif scope["method"] == "OPTIONS":
            scope = {**scope, "method": WHICH_METHODS}
        await self._rest(scope, receive, _finished(send, self._clock, head=head, page=page))  # type: ignore[arg-type]

    async def _admitted(self, scope: Scope) -> Scope:
        """The scope with its Caller; a link's path becomes that of its order. Raises as `Admission.later` does,
        InvalidInput for a request without one Host, which proxies may have read in two ways (RFC 9112, 3.2), and
        CrossSite."""
        if _PUBLIC.fullmatch(scope["path"]):
            return scope
        if scope["method"] == "OPTIONS":
            return {**scope, "path": shown_to_holder(scope["path"], ANY_LINK)}
        hosts = sum(name == _HOST for name, _ in scope["headers"])
        if hosts != 1 and not (hosts == 0 and scope["http_version"] == "1.0"):
            raise InvalidInput("Host", "given once, as a header")
        if scope["method"] not in ("GET", "HEAD"):
            self.cors.check_change(scope["headers"])
        client, link = scope["client"], link_path(scope["path"])
        token = link[0] if link else None
        caller = await self._admission.later(_budget(scope), scope["headers"], client[0] if client else None, token)
        if link is None:
            return {**scope, CALLER: caller}
        path = shown_to_holder(scope["path"], caller.principal)
        return {**scope, CALLER: caller, "path": path, "raw_path": path.encode()}

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        await self._on_startup()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self._on_shutdown()
        await send({"type": "lifespan.shutdown.complete"})


def _budget(scope: Scope) -> Budget:
    if scope["method"] not in ("GET", "HEAD"):
        return Budget.WRITES
    path = scope["path"]
    return Budget.POLLS if is_poll_path(path) or link_track_token(path) else Budget.READS


def _with_headers(send: Send, added: Headers) -> Send:
    async def send_more(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", ()), *added]}
        await send(message)

    return send_more


def _finished(send: Send, clock: Clock, *, head: bool, page: bool) -> Send:
    """Adds what every answer has: the date, what a browser may do with it, and no body for HEAD."""
    headers = SECURE_PAGE if page else SECURE

    async def finish(message: Message) -> None:
        if message["type"] == "http.response.start":
            date = (names.DATE.encode(), http_date(clock.now_ms()))
            message = {**message, "headers": [*message.get("headers", ()), date, *headers]}
        elif head:
            message = {**message, "body": b""}
        await send(message)

    return finish
