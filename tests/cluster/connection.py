"""A keep-alive connection of a client to a node: one request after another, cheap enough for hundreds of clients."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Mapping

from ordertrack.load import HttpResponse
from ordertrack.load.http_parser import parse_response

CONNECT_S = 3.0
CHUNK_BYTES = 65_536


class Broken(Exception):
    """The connection could not be made, or ended before the answer did."""


class Connection:
    def __init__(self, port: int) -> None:
        self.port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    def close(self) -> None:
        if self._streams is not None:
            with contextlib.suppress(OSError):
                self._streams[1].close()
            self._streams = None

    async def connect(self) -> None:
        """Connect unless connected. Raises: Broken."""
        if self._streams is not None:
            if not self._streams[0].at_eof():
                return
            self.close()
        try:
            async with asyncio.timeout(CONNECT_S):
                self._streams = await asyncio.open_connection("127.0.0.1", self.port)
        except (OSError, TimeoutError) as error:
            raise Broken(f"connect: {error or type(error).__name__}") from None

    async def ask(
        self, method: str, target: str, body: object = None, headers: Mapping[str, str] | None = None, *, limit_s: float
    ) -> HttpResponse:
        """Send a request over the open connection and return the answer. Raises: Broken, TimeoutError."""
        assert self._streams is not None
        reader, writer = self._streams
        try:
            async with asyncio.timeout(limit_s):
                writer.write(_request(method, target, body, headers or {}))
                data = b""
                while (response := parse_response(data)) is None:
                    chunk = await reader.read(CHUNK_BYTES)
                    if not chunk:
                        raise Broken("closed before the answer" if data else "closed without an answer")
                    data += chunk
        except OSError as error:
            self.close()
            if isinstance(error, TimeoutError):
                raise
            raise Broken(str(error)) from None
        except BaseException:
            self.close()
            raise
        if response.closing:
            self.close()
        return response


def _request(method: str, target: str, body: object, headers: Mapping[str, str]) -> bytes:
    lines = [f"{method} {target} HTTP/1.1", "Host: 127.0.0.1", *(f"{name}: {text}" for name, text in headers.items())]
    content = b""
    if body is not None:
        content = json.dumps(body).encode()
        lines += ["Content-Type: application/json", f"Content-Length: {len(content)}"]
    return "\r\n".join((*lines, "", "")).encode() + content
