"""The application: the rules for all requests, and the choice of the endpoint. It is independent of the transport.

The gate calls it with the requests that it reads from connections, `asgi/transport.py` for any ASGI server. Each goes
through `begin`, which needs only the head, and `respond`, which needs the body too:

    begin:   message rules ─► path ─► loop throttle ─► cross-site check ─► admission
    respond: the long poll | the status update | a new order | the page of an order | any other path: the framework
             routes it

Both return their result if nothing has to be waited for, and an awaitable of it otherwise.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any

import msgspec
from litestar import Litestar
from litestar.types import ControllerRouterHandler

from ordertrack.core.errors import OrdertrackError
from ordertrack.core.feed import FeedKey, FeedKind
from ordertrack.core.poll import PollRequest
from ordertrack.http.endpoints import poll, status_update
from ordertrack.http.endpoints.framework import FrameworkEndpoint
from ordertrack.http.endpoints.incidents import incident
from ordertrack.http.endpoints.order_creation import OrderCreationEndpoint
from ordertrack.http.endpoints.order_page import (
    VARY,
    OrderPageEndpoint,
    PageDefaults,
    PageTemplates,
    is_page_request,
)
from ordertrack.http.endpoints.outcome import Channel, Outcomes
from ordertrack.http.endpoints.poll import PollEndpoint
from ordertrack.http.endpoints.status_update import StatusEndpoint
from ordertrack.http.policy.admission import Admission, Budget, Caller
from ordertrack.http.policy.cors import ANY_ORIGIN, SEC_FETCH_SITE, Cors
from ordertrack.http.policy.loop_throttle import PollThrottle, path_key, pause_s
from ordertrack.http.routes.description import openapi_router
from ordertrack.http.routes.error_handlers import Failures
from ordertrack.http.routes.links import links_router
from ordertrack.http.routes.orders import orders_router
from ordertrack.http.routes.simulations import simulations_router
from ordertrack.http.routes.system import system_router
from ordertrack.http.routes.updates import changes_router
from ordertrack.http.wire import names
from ordertrack.http.wire.errors import BodyTooLarge
from ordertrack.http.wire.message import CONTENT_LENGTH, METHODS, Request, check_message
from ordertrack.http.wire.paths import (
    Content,
    LinkTarget,
    OrderPageTarget,
    OrdersTarget,
    OtherTarget,
    PollTarget,
    StatusTarget,
    Target,
    match_path,
)
from ordertrack.http.wire.responses import Response, refused, which_methods
from ordertrack.ports.clock import Clock
from ordertrack.service.links import Links
from ordertrack.service.monitoring.monitor import Monitor
from ordertrack.service.orders import Orders
from ordertrack.service.simulator import Simulator
from ordertrack.service.tracking.tracking import Tracking

_READS = ("GET", "HEAD")
_MAX_DIGITS = 18


class Admitted(msgspec.Struct, frozen=True, gc=False):
    """A request that may be served once its body is read. `caller` is None where no caller has to be known."""

    request: Request
    target: Target
    caller: Caller | None


Begun = Admitted | Response


class HttpApp:
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
        templates: PageTemplates,
        page_defaults: PageDefaults,
        handlers: Sequence[ControllerRouterHandler] = (),
    ) -> None:
        self.tracking = tracking
        self.clock = clock
        self._admission = admission
        self._cors = cors
        self.refusals = tracking.statistics.refused
        self._poll = PollEndpoint(tracking, clock, self.refusals)
        self._status = StatusEndpoint(orders, undo_window_ms)
        self._creation = OrderCreationEndpoint(orders)
        self._page = OrderPageEndpoint(orders, templates, page_defaults, clock, self.refusals)
        self.framework = FrameworkEndpoint(
            Litestar(
                route_handlers=[
                    orders_router(orders),
                    changes_router(orders, admission, undo_window_ms),
                    simulations_router(simulator),
                    links_router(links),
                    system_router(monitor, simulator),
                    openapi_router(version),
                    *handlers,
                ],
                exception_handlers=Failures(self.refusals).handlers(),
                openapi_config=None,
                logging_config=None,
                request_max_body_size=None,  # each route has its own limit: wire/paths.py
            )
        )

    # From the head of a request to an admitted one

    def begin(self, request: Request, channel: Channel) -> Begun | Coroutine[Any, Any, Begun]:
        """Decide by the head whether the request may be served. Neither this nor the awaitable raises."""
        if self._cors.origins:
            channel.headers = self._cors.headers(request.headers, preflight=request.method == "OPTIONS")
        target: Target | None = None
        try:
            check_message(request)
            target = match_path(request.path)
            if target.has_page:
                channel.headers = (*channel.headers, VARY)
            elif isinstance(target, OtherTarget) and target.content is Content.SDK:
                channel.headers = ANY_ORIGIN
            length = request.headers.get(CONTENT_LENGTH)
            if length is not None and (len(length) > _MAX_DIGITS or int(length) > target.max_body_bytes):
                raise BodyTooLarge(target.max_body_bytes)  # before any of it is read
            if channel.throttle is not None and target.polls:
                pause = pause_s(channel.throttle, request, self.clock.monotonic_s())
                if pause:
                    return self._begin_after(pause, request, target, channel)
            return self._admit(request, target) or self._admit_later(request, target, channel)
        except Exception as error:  # noqa: BLE001 - `problem` logs what is not known
            return self._turn_away(request, target, channel, error)

    async def _begin_after(self, pause: float, request: Request, target: Target, channel: Channel) -> Begun:
        """Decide after the pause, so that the answer is up to date."""
        await asyncio.sleep(pause)
        return await self._admit_later(request, target, channel)

    def _admit(self, request: Request, target: Target) -> Begun | None:
        """Return None when admission has to wait for a token or a link. Raises: OrdertrackError."""
        if request.method == "OPTIONS":
            return self._which_methods(request, target)
        if isinstance(target, OtherTarget) and target.is_public:
            return Admitted(request, target, None)
        if request.method in _READS:
            budget = Budget.POLLS if target.polls else Budget.READS
        else:
            budget = Budget.WRITES
            if SEC_FETCH_SITE in request.headers:
                self._cors.check_change(request.headers)
        if isinstance(target, LinkTarget):
            caller = self._admission.now(budget, request.headers, request.peer, target.token)
            return None if caller is None else _admitted_by_link(request, target, caller)
        caller = self._admission.now(budget, request.headers, request.peer)
        return None if caller is None else Admitted(request, target, caller)

    async def _admit_later(self, request: Request, target: Target, channel: Channel) -> Begun:
        try:
            begun = self._admit(request, target)
            if begun is not None:
                return begun
            reads = Budget.POLLS if target.polls else Budget.READS
            budget = reads if request.method in _READS else Budget.WRITES
            if isinstance(target, LinkTarget):
                caller = await self._admission.later(budget, request.headers, request.peer, target.token)
                return _admitted_by_link(request, target, caller)
            return Admitted(request, target, await self._admission.later(budget, request.headers, request.peer))
        except Exception as error:  # noqa: BLE001 - `problem` logs what is not known
            return self._turn_away(request, target, channel, error)

    def _which_methods(self, request: Request, target: Target) -> Begun:
        match target:
            case PollTarget() | LinkTarget(polls=True):
                return which_methods(poll.METHODS)
            case StatusTarget():
                return which_methods(status_update.METHODS)
            case OtherTarget("*"):
                return which_methods(tuple(sorted(METHODS)))
            case _:
                return Admitted(request, target, None)

    # From an admitted request to its answer

    def respond(self, admitted: Admitted, body: bytes, channel: Channel) -> Outcomes:
        """Answer the request, hold its poll, or return what to wait for. Raises nothing; an error of the awaitable
        becomes a response with `problem`."""
        request, target, caller = admitted.request, admitted.target, admitted.caller
        try:
            if isinstance(target, PollTarget):
                assert caller is not None
                return self._poll.respond(request, target, caller.principal, channel)
            if isinstance(target, StatusTarget):
                assert caller is not None
                return self._status.respond(request, target, caller, body)
            if isinstance(target, OrdersTarget) and request.method not in _READS:
                return self._creation.respond(request, caller, body, channel)
        except Exception as error:  # noqa: BLE001 - `problem` logs what is not known
            return self.problem(request, error)
        if isinstance(target, OtherTarget):
            return self.framework.respond(request, request.path, caller, body, target.content)
        path = request.path
        if isinstance(target, LinkTarget | OrderPageTarget):
            if caller is not None and is_page_request(request):
                return self._page.respond(request, target, caller)
            path = f"{names.ORDERS}/{_order_id(target, caller)}"
        return self.framework.respond(request, path, caller, body)

    def poll_order(self, request: Request, feed: FeedKey, poll: PollRequest, channel: Channel) -> Outcomes | None:
        """Do what `begin` and `respond` do, for a valid poll of an order that is parsed already and has no body.

        None, with nothing done, when the connection is throttled or the admission has to wait: then `begin` decides.
        """
        if channel.throttle is not None:
            return None
        if self._cors.origins:
            channel.headers = self._cors.headers(request.headers, preflight=False)
        try:
            caller = self._admission.now(Budget.POLLS, request.headers, request.peer)
            return None if caller is None else self._poll.poll(request, feed, poll, caller.principal, channel)
        except Exception as error:  # noqa: BLE001 - `problem` logs what is not known
            return self._turn_away(request, PollTarget(feed.kind, feed.id), channel, error)

    # Refusals

    def refuse(self, error: OrdertrackError) -> Response:
        """Return an error as a response, and count it."""
        return refused(error, self.refusals)

    def _turn_away(self, request: Request, target: Target | None, channel: Channel, error: Exception) -> Response:
        """Refuse a request that is not admitted. A client that polls again at once is throttled."""
        if target is not None and target.polls:
            throttle = channel.throttle or PollThrottle()
            throttle.record(path_key(request.path), self.clock.monotonic_s())
            channel.throttle = throttle
        try:
            if isinstance(target, LinkTarget | OrderPageTarget) and target.has_page and is_page_request(request):
                return self._page.problem(request, target, error)
        except Exception as fault:  # noqa: BLE001 - of the page; `problem` logs what is not known
            error = fault
        return self.problem(request, error)

    def problem(self, request: Request, error: Exception) -> Response:
        """Return an error as a response. An unknown error is a bug: it is logged under an incident id."""
        known = error if isinstance(error, OrdertrackError) else incident(request.method, request.path, error)
        return self.refuse(known)


def _order_id(target: LinkTarget | OrderPageTarget, caller: Caller | None) -> object:
    """Return the id as in the path of the order's JSON."""
    if isinstance(target, OrderPageTarget):
        return target.id
    return caller.principal.order_id if caller else 1  # OPTIONS has no caller, and all orders have the same methods


def _admitted_by_link(request: Request, target: LinkTarget, caller: Caller) -> Admitted:
    """A poll of a link is a poll of its order."""
    if not target.polls:
        return Admitted(request, target, caller)
    return Admitted(request, PollTarget(FeedKind.ORDER, str(caller.principal.order_id)), caller)
