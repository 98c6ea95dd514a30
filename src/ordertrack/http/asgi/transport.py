"""The application as an ASGI application.

The task of a held poll waits in `receive()`, which ASGI servers end when the client disconnects *and* when the response
is complete. So one wait serves both: another task sends the answer, and this one returns.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from ordertrack.core.errors import OrdertrackError
from ordertrack.core.poll import Answer
from ordertrack.http.app import Admitted, HttpApp
from ordertrack.http.asgi.types import Receive, Scope, Send
from ordertrack.http.endpoints.outcome import OUTCOMES
from ordertrack.http.endpoints.poll_responses import PollAnswers
from ordertrack.http.policy.loop_throttle import PollThrottle, ThrottleTable
from ordertrack.http.wire.errors import BodyTooLarge, HeadTooLarge, InvalidJson
from ordertrack.http.wire.message import MAX_HEAD_BYTES, Headers, Request, body_length, parse_target, percent_encode
from ordertrack.http.wire.responses import CLOSE, HeaderPairs, Response, headers_of, http_date, with_headers

log = structlog.get_logger("ordertrack.http")


class AsgiApp:
    """`on_startup` and `on_shutdown` are called by servers that use the ASGI lifespan protocol."""

    def __init__(
        self,
        app: HttpApp,
        *,
        on_startup: Callable[[], Awaitable[None]],
        on_shutdown: Callable[[], Awaitable[None]],
    ) -> None:
        self._app = app
        self._tracking = app.tracking
        self.clock = app.clock
        self.refusals = app.refusals
        self._answers = PollAnswers(app.clock, app.tracking.max_timeout_s)
        self.throttles = ThrottleTable()
        self._on_startup, self._on_shutdown = on_startup, on_shutdown
        self._sending: set[asyncio.Task[None]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
            return
        channel = _AsgiChannel(self, scope["client"], send, head_only=scope["method"] == "HEAD")
        try:
            request = _request(scope)
        except OrdertrackError as error:
            await self._send(channel, self._app.refuse(error))
            return
        begun = self._app.begin(request, channel)
        if not isinstance(begun, Admitted | Response):
            begun = await begun
        if not isinstance(begun, Admitted):
            await self._send(channel, begun)
            return
        try:
            has_body = request.method not in ("GET", "HEAD")
            body = await receive_body(receive, begun.target.max_body_bytes) if has_body else b""
        except OrdertrackError as error:
            await self._send(channel, self._app.refuse(error))
            return
        outcome = self._app.respond(begun, body, channel)
        if not isinstance(outcome, OUTCOMES):
            try:
                outcome = await outcome
            except Exception as error:  # noqa: BLE001 - `problem` logs it
                outcome = self._app.problem(request, error)
        if isinstance(outcome, Response | Answer):
            await self._send(channel, outcome)
            return
        try:
            while (await receive())["type"] != "http.disconnect":
                pass
        finally:
            self._tracking.leave(outcome)

    # Answers

    def start_sending(self, channel: _AsgiChannel, outcome: Response | Answer, requested_at_s: float | None) -> None:
        """Send in a task, so that a client that does not read does not delay others."""
        task = asyncio.get_running_loop().create_task(self._send(channel, outcome, requested_at_s))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    def refuse(self, error: OrdertrackError) -> Response:
        return self._app.refuse(error)

    async def _send(
        self, channel: _AsgiChannel, outcome: Response | Answer, requested_at_s: float | None = None
    ) -> None:
        closing = self._tracking.hub.draining
        if isinstance(outcome, Answer):
            outcome = self._answers.response(outcome, self._tracking.epoch, closing=closing)
        response = with_headers(outcome, channel.headers)
        headers = headers_of(response, http_date(self.clock.now_ms() // 1000))
        if closing and CLOSE not in headers:
            headers.append(CLOSE)
        try:
            await channel.send({"type": "http.response.start", "status": response.status, "headers": headers})
            body = b"" if channel.head_only else response.body
            await channel.send({"type": "http.response.body", "body": body})
        except OSError as error:
            log.debug("client gone while it was answered", error=str(error))
            return
        if requested_at_s is not None:
            self._tracking.statistics.record_wake_latency(self.clock.monotonic_s() - requested_at_s)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        await self._on_startup()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self._on_shutdown()
        await send({"type": "lifespan.shutdown.complete"})


class _AsgiChannel:
    """The channel of one request."""

    __slots__ = ("_app", "_client", "head_only", "headers", "send")

    def __init__(self, app: AsgiApp, client: object, send: Send, *, head_only: bool) -> None:
        self._app = app
        self._client = tuple(client) if isinstance(client, list | tuple) else None
        self.send = send
        self.head_only = head_only
        self.headers: HeaderPairs = ()

    @property
    def throttle(self) -> PollThrottle | None:
        return self._app.throttles.get(self._client)

    @throttle.setter
    def throttle(self, throttle: PollThrottle | None) -> None:
        if self._client is not None:
            self._app.throttles.put(self._client, throttle)

    def answer(self, answer: Answer, requested_at_s: float | None) -> None:
        self._app.start_sending(self, answer, requested_at_s)

    def refuse(self, error: OrdertrackError) -> None:
        self._app.start_sending(self, self._app.refuse(error), None)


async def receive_body(receive: Receive, limit_bytes: int) -> bytes:
    """Read the body of a request.

    Raises: BodyTooLarge, InvalidJson when the client disconnects before its end.
    """
    body = bytearray()
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise InvalidJson("the connection ended before it did")
        body += message.get("body", b"")
        if len(body) > limit_bytes:
            raise BodyTooLarge(limit_bytes)
        more = message.get("more_body", False)
    return bytes(body)


def _request(scope: Scope) -> Request:
    """Make the request of a scope, and refuse what the gate's framing refuses, as far as a scope shows it.

    Raises: MalformedRequest, HeadTooLarge, UnsupportedTransferCoding.
    """
    raw_path: bytes = scope.get("raw_path") or percent_encode(scope["path"]).encode()
    query: bytes = scope["query_string"]
    target = raw_path + b"?" + query if query else raw_path
    line = len(scope["method"]) + len(target) + len(b"  HTTP/1.1\r\n\r\n")
    if line + sum(len(name) + len(value) + len(b": \r\n") for name, value in scope["headers"]) > MAX_HEAD_BYTES:
        raise HeadTooLarge(MAX_HEAD_BYTES)
    authority, path, query = parse_target(target)
    headers, version = Headers.from_pairs(scope["headers"]), scope["http_version"]
    body_length(headers, version)
    client = scope["client"]
    return Request(scope["method"], path, query, headers, version, client[0] if client else None, authority)
