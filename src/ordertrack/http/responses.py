"""Responses as values, ready to be written, whoever holds the connection."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from http import HTTPStatus
from typing import NamedTuple

from ordertrack.core.errors import OrdertrackError
from ordertrack.http import names
from ordertrack.http.problems import refusal

Headers = tuple[tuple[bytes, bytes], ...]

CLOSE = (names.CONNECTION.encode(), b"close")
JSON = (names.CONTENT_TYPE.encode(), names.JSON.encode())
NO_STORE = (names.CACHE_CONTROL.encode(), names.NO_STORE.encode())
_DATE, _CONTENT_LENGTH = names.DATE.encode(), names.CONTENT_LENGTH.encode()
_STATUS_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus}
_WITHOUT_LENGTH = frozenset((204, 304))


class Response(NamedTuple):
    """Header names are in lower case. Date and length are added when it is written."""

    status: int
    headers: Headers
    body: bytes


def encoded(headers: Mapping[str, str]) -> Headers:
    return tuple((name.encode(), value.encode("latin-1")) for name, value in headers.items())


def refused(error: OrdertrackError, counts: Counter[str]) -> Response:
    """The error as a response, counted by its code."""
    status, headers, body = refusal(error, counts)
    return Response(status, encoded(headers), body)


def headers_of(response: Response, date: bytes) -> list[tuple[bytes, bytes]]:
    """All headers but those about the connection."""
    headers = [*response.headers, (_DATE, date)]
    if response.status not in _WITHOUT_LENGTH:
        headers.append((_CONTENT_LENGTH, b"%d" % len(response.body)))
    return headers


def bytes_of(response: Response, date: bytes, *, keep_alive: bool) -> bytes:
    """The whole response for the answer to a GET, byte for byte as uvicorn writes it."""
    parts = [_STATUS_LINES[response.status]]
    for name, value in headers_of(response, date):
        parts += (name, b": ", value, b"\r\n")
    if not keep_alive and CLOSE not in response.headers:
        parts.append(b"connection: close\r\n")
    parts += (b"\r\n", response.body)
    return b"".join(parts)
