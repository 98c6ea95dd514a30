"""Every endpoint that Litestar routes, called in this process: a request in, a whole response out.

All of these answers are bounded, so none is streamed: a transport has one way of writing, and no answer is half sent.
"""

from __future__ import annotations

import asyncio
from typing import Any

from litestar import Litestar

from ordertrack.http.policy.admission import CALLER, Caller
from ordertrack.http.policy.security_headers import SECURE_BY_CONTENT
from ordertrack.http.wire.errors import NoSuchPage
from ordertrack.http.wire.message import CONTENT_LENGTH, WHICH_METHODS, Request, percent_decode
from ordertrack.http.wire.paths import Content
from ordertrack.http.wire.responses import Response


class FrameworkEndpoint:
    def __init__(self, app: Litestar) -> None:
        self.app = app

    async def respond(
        self, request: Request, path: str, caller: Caller | None, body: bytes, content: Content = Content.DATA
    ) -> Response:
        """Answer the request as if it were for this normalized path.

        Raises: NoSuchPage for a path with doubled slashes or one at its end. The framework would serve it as another
        path, which a rule of a proxy may keep from clients.
        """
        if "//" in path or (path.endswith("/") and content is not Content.APIDOCS):
            raise NoSuchPage(path)
        method = {"HEAD": "GET", "OPTIONS": WHICH_METHODS}.get(request.method, request.method)
        scope: dict[str, Any] = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": request.version,
            "server": None,
            "client": None,
            "scheme": "http",
            "method": method,
            "root_path": "",
            "path": percent_decode(path),
            "raw_path": path.encode(),
            "query_string": request.query_string,
            "headers": list(request.headers.items()),
            "state": {},
            CALLER: caller,
        }
        exchange = _Exchange(body)
        await self.app(scope, exchange.receive, exchange.send)  # type: ignore[arg-type]
        headers = tuple(pair for pair in exchange.headers if pair[0] != CONTENT_LENGTH)  # the transport counts
        return Response(exchange.status, (*headers, *SECURE_BY_CONTENT[content]), bytes(exchange.body))


class _Exchange:
    """Both ends of an ASGI call. `receive` reports http.disconnect after a complete response, as any server does."""

    def __init__(self, received: bytes) -> None:
        self._received: bytes | None = received
        self._complete = asyncio.Event()
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self.body = bytearray()

    async def receive(self) -> dict[str, Any]:
        if self._received is None:
            await self._complete.wait()
            return {"type": "http.disconnect"}
        body, self._received = self._received, None
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.status, self.headers = message["status"], list(message.get("headers", ()))
            return
        self.body += message.get("body", b"")
        if not message.get("more_body", False):
            self._complete.set()
