"""An HTTP/1.1 client that shows the bytes on the wire and can send invalid requests."""

from __future__ import annotations

import contextlib
import json
import select
import socket
import struct
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

BOUND_S = 25.0
"""No wait for an answer is longer than this. Most holds here are of 30 s: an answer within it came before their end."""


class Answer(NamedTuple):
    """`headers` have lower-case names; a repeated one has its values joined by a comma."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class Connection:
    """One connection. `request` only writes; answers are taken with `answer`, in the order of the requests."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        assert parts.hostname is not None
        self._host = f"{parts.hostname}:{parts.port or 80}"
        self._socket = socket.create_connection((parts.hostname, parts.port or 80), timeout=BOUND_S)
        self._received = b""
        self._methods: list[str] = []

    def fileno(self) -> int:
        return self._socket.fileno()

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._socket.close()

    def reset(self) -> None:
        """Reset the connection: the peer gets an RST."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._socket.close()

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def send_some(self, data: bytes) -> int:
        """Return how much of it was sent: what there is room for now."""
        return self._socket.send(data, socket.MSG_DONTWAIT)

    def set_no_delay(self) -> None:
        """Send each piece at once, however small (TCP_NODELAY)."""
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def end_of_sending(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)

    def written(
        self, method: str, target: str, headers: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> bytes:
        """Return a request as bytes, to be sent by the caller, and expect its answer."""
        self._methods.append(method)
        fields = {"Host": self._host, **(headers or {})}
        if body is not None:
            fields.setdefault("Content-Length", str(len(body)))
        lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        return f"{method} {target} HTTP/1.1\r\n{lines}\r\n".encode() + (body or b"")

    def request(
        self, method: str, target: str, headers: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> None:
        self.send(self.written(method, target, headers, body))

    def ask(
        self, method: str, target: str, headers: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> Answer:
        self.request(method, target, headers, body)
        return self.answer()

    def silent(self) -> bool:
        """True when there is no unread data."""
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        return not self._received and not poll.poll(0)

    def closed_by_peer(self) -> bool:
        """Wait for the end of the connection. Return False when data comes first."""
        return not self._received and self._more() == b""

    def ends_without_reset(self) -> bool:
        """Read to the end of the connection. Return False for an RST."""
        try:
            while self._socket.recv(65_536):
                pass
        except ConnectionResetError:
            return False
        return True

    def take(self, count: int) -> bytes:
        """Return the next bytes as they came. Raises: EOFError, TimeoutError."""
        return self._exactly(count)

    def provoked_by(self, data: bytes, silence_s: float) -> bytes:
        """Send these bytes and return the response, up to the end of the connection or a silence; then close."""
        with contextlib.suppress(OSError):  # the peer may refuse before it has read all
            self._socket.sendall(data)
        while select.select([self._socket], [], [], silence_s)[0]:
            if not self._more():
                return self._received
        self.end_of_sending()
        return self.rest()

    def provoked_by_byte(self, byte: int, silence_s: float) -> bytes | None:
        """Return the data that came within that time; None when the connection has ended."""
        try:
            self._socket.sendall(bytes((byte,)))
        except OSError:
            return None
        if not select.select([self._socket], [], [], silence_s)[0]:
            return b""
        return self._more() or None

    def take_some(self) -> bytes:
        """Return the available data, waiting for some; empty at the end. Raises: TimeoutError."""
        self._more()
        taken, self._received = self._received, b""
        return taken

    def rest(self) -> bytes:
        """Return all data up to the end of the connection."""
        while self._more():
            pass
        return self._received

    def answer(self, method: str | None = None) -> Answer:
        """Return the next answer when it is complete. `method` is that of a request which was sent as bytes.

        Raises: EOFError when the connection ends before or within it, TimeoutError.
        """
        method = method or (self._methods.pop(0) if self._methods else "GET")
        head = self._until(b"\r\n\r\n")
        while head.startswith(b"HTTP/1.1 1"):
            head = self._until(b"\r\n\r\n")
        status_line, *lines = head.decode("latin-1").split("\r\n")
        headers: dict[str, str] = {}
        for line in filter(None, lines):
            name, _, value = line.partition(":")
            name, value = name.lower(), value.strip()
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
        status = int(status_line.split(" ")[1])
        return Answer(status, headers, self._body(method, status, headers))

    def _body(self, method: str, status: int, headers: Mapping[str, str]) -> bytes:
        if method == "HEAD" or status in (204, 304):
            return b""
        if "content-length" in headers:
            return self._exactly(int(headers["content-length"]))
        if headers.get("transfer-encoding") == "chunked":
            body = b""
            while size := int(self._until(b"\r\n"), 16):
                body += self._exactly(size + 2)[:-2]
            self._until(b"\r\n")
            return body
        body, self._received = self.rest(), b""
        return body

    def _until(self, mark: bytes) -> bytes:
        while mark not in self._received:
            if not self._more():
                raise EOFError(f"the connection ended after {self._received!r}")
        taken, _, self._received = self._received.partition(mark)
        return taken

    def _exactly(self, count: int) -> bytes:
        while len(self._received) < count:
            if not self._more():
                raise EOFError(f"the connection ended {count - len(self._received)} bytes too early")
        taken, self._received = self._received[:count], self._received[count:]
        return taken

    def _more(self) -> bytes:
        """Return the next data; empty at the end. Raises: TimeoutError."""
        try:
            data = self._socket.recv(65_536)
        except ConnectionResetError:
            return b""
        self._received += data
        return data
