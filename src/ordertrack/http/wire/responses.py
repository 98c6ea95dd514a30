"""Responses as values, which every transport can write."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus

import msgspec
from msgspec.structs import replace

from ordertrack.core.errors import OrdertrackError
from ordertrack.http.wire import errors, names
from ordertrack.http.wire.problems import refusal

HeaderPairs = tuple[tuple[bytes, bytes], ...]

CLOSE = (names.CONNECTION.encode(), b"close")
JSON = (names.CONTENT_TYPE.encode(), names.JSON.encode())
NO_STORE = (names.CACHE_CONTROL.encode(), names.NO_STORE.encode())
_DATE, _CONTENT_LENGTH = names.DATE.encode(), names.CONTENT_LENGTH.encode()
_STATUS_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus}
_WITHOUT_LENGTH = frozenset((204, 304))
_ENDS_CONNECTION = (
    errors.MalformedRequest, errors.HeadTooLarge, errors.UnsupportedTransferCoding, errors.UnsupportedVersion,
)  # fmt: skip
"""After these errors the start of the next request is not certain (RFC 9112, 2.2 and 6.1)."""


class Response(msgspec.Struct, frozen=True, gc=False):
    """A response, without the `date` and `content-length` that writing adds. Header names are in lower case."""

    status: int
    headers: HeaderPairs
    body: bytes


def encoded(headers: Mapping[str, str]) -> HeaderPairs:
    return tuple((name.encode(), value.encode("latin-1")) for name, value in headers.items())


def refused(error: OrdertrackError, counts: Counter[str]) -> Response:
    """Return the error as a response, and count it by its code."""
    status, headers, body = refusal(error, counts)
    pairs = encoded(headers)
    return Response(status, (*pairs, CLOSE) if isinstance(error, _ENDS_CONNECTION) else pairs, body)


def with_headers(response: Response, added: HeaderPairs) -> Response:
    return replace(response, headers=(*response.headers, *added)) if added else response


def which_methods(methods: tuple[str, ...]) -> Response:
    """Return the answer to OPTIONS."""
    return Response(204, ((names.ALLOW.encode(), ", ".join(methods).encode()),), b"")


def headers_of(response: Response, date: bytes) -> list[tuple[bytes, bytes]]:
    """Return all headers but those about the connection."""
    headers = [*response.headers, (_DATE, date)]
    if response.status not in _WITHOUT_LENGTH:
        headers.append((_CONTENT_LENGTH, b"%d" % len(response.body)))
    return headers


def bytes_of(response: Response, date: bytes, *, keep_alive: bool, head_only: bool = False) -> bytes:
    """Return the whole response as bytes of HTTP/1.1; for HEAD without its body."""
    parts = [_STATUS_LINES[response.status]]
    for name, value in response.headers:
        parts += (name, b": ", value, b"\r\n")
    parts += (b"date: ", date, b"\r\n")
    if response.status not in _WITHOUT_LENGTH:
        parts.append(b"content-length: %d\r\n" % len(response.body))
    if not keep_alive and CLOSE not in response.headers:
        parts.append(b"connection: close\r\n")
    parts.append(b"\r\n")
    if not head_only:
        parts.append(response.body)
    return b"".join(parts)


@lru_cache(maxsize=1)
def http_date(second: int) -> bytes:
    """Return the `date` of a response (RFC 9110, 6.6.1). `second` counts from 1970."""
    return formatdate(second, usegmt=True).encode()
