"""ASGI without a framework: for what is asked for most, the long poll and the change of a status."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

import structlog

from ordertrack.http import names
from ordertrack.http.dates import http_date
from ordertrack.http.errors import BodyTooLarge, InvalidJson
from ordertrack.http.responses import Response, headers_of

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Message], Awaitable[None]]

log = structlog.get_logger("ordertrack.http")


def which_methods(methods: tuple[str, ...]) -> Response:
    """The answer to OPTIONS."""
    return Response(204, ((names.ALLOW.encode(), ", ".join(methods).encode()),), b"")


async def send_response(send: Send, response: Response, now_ms: int) -> bool:
    """False when the client had gone."""
    try:
        await send(
            {
                "type": "http.response.start",
                "status": response.status,
                "headers": headers_of(response, http_date(now_ms)),
            }
        )
        await send({"type": "http.response.body", "body": response.body})
    except OSError as error:
        log.debug("client gone while it was answered", error=str(error))
        return False
    return True


async def receive_body(receive: Receive, declared_length: str | None, limit_bytes: int) -> bytes:
    """The body. Raises BodyTooLarge as soon as it is known to be, InvalidJson when the client goes away within it."""
    if declared_length is not None and declared_length.isdigit() and int(declared_length) > limit_bytes:
        raise BodyTooLarge(limit_bytes)
    body = bytearray()
    more = True
    while more:
        message: Mapping[str, Any] = await receive()
        if message["type"] == "http.disconnect":
            raise InvalidJson("the connection ended before it did")
        body += message.get("body", b"")
        if len(body) > limit_bytes:
            raise BodyTooLarge(limit_bytes)
        more = message.get("more_body", False)
    return bytes(body)
