"""Parser of HTTP/1.1 responses: status, head, body. It accepts only responses with Content-Length."""

from __future__ import annotations

from typing import NamedTuple

_BLANK = b"\r\n\r\n"
_WITHOUT_BODY = (204, 304)


class MalformedResponse(ValueError):
    """Bytes that are not an HTTP/1.1 response with Content-Length."""


class HttpResponse(NamedTuple):
    """`head` is without the blank line; `rest` is what follows the response, without a request for it."""

    status: int
    head: bytes
    body: bytes
    rest: bytes

    def header(self, name: bytes) -> bytes:
        """Return the value, empty when the header is missing. `name` is in lower case."""
        return _header(self.head, name) or b""

    @property
    def closing(self) -> bool:
        return self.header(b"connection").lower() == b"close"


def parse_response(data: bytes) -> HttpResponse | None:
    """Return the first response in `data`, or None while it is incomplete.

    Raises: MalformedResponse.
    """
    head_end = data.find(_BLANK)
    if head_end < 0:
        return None
    if not data.startswith(b"HTTP/1.") or not data[9:12].isdigit():
        raise MalformedResponse(f"not an HTTP response: {data[:40]!r}")
    status = int(data[9:12])
    end = head_end + len(_BLANK)
    if status not in _WITHOUT_BODY:
        end += _length(data[:head_end])
    if len(data) < end:
        return None
    return HttpResponse(status, data[:head_end], data[head_end + len(_BLANK) : end], data[end:])


def _length(head: bytes) -> int:
    text = _header(head, b"content-length")
    if text is None:
        raise MalformedResponse("a response without Content-Length")
    if not text.isdigit():
        raise MalformedResponse(f"a response with Content-Length {text!r}")
    return int(text)


def _header(head: bytes, name: bytes) -> bytes | None:
    at = head.lower().find(b"\r\n" + name + b":")
    if at < 0:
        return None
    end = head.find(b"\r\n", at + 2)
    return head[at + len(name) + 3 : end if end >= 0 else None].strip()
