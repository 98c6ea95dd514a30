"""Answers of polls, ready to be written: status, headers and body, whoever holds the connection."""

from __future__ import annotations

from collections import Counter
from http import HTTPStatus
from typing import NamedTuple

from ordertrack.core.errors import OrdertrackError
from ordertrack.core.poll import Answer, PollRequest
from ordertrack.http import names
from ordertrack.http.problems import refusal
from ordertrack.http.wire.answers import encode, poll_answer, position_of
from ordertrack.ports.clock import Clock

SHARED_FOR_MS = 100
"""Polls woken together share one response, and with it its `server_time`."""

Headers = tuple[tuple[bytes, bytes], ...]

_DATE, _CONTENT_LENGTH, _CONNECTION = names.DATE.encode(), names.CONTENT_LENGTH.encode(), names.CONNECTION.encode()
_CLOSE = (_CONNECTION, b"close")
_JSON = (names.CONTENT_TYPE.encode(), names.JSON.encode())
_NO_STORE = (names.CACHE_CONTROL.encode(), names.NO_STORE.encode())
_STATUS_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus}
_WITHOUT_LENGTH = frozenset((204, 304))


class Response(NamedTuple):
    """Header names are in lower case. Date and length are added when it is written."""

    status: int
    headers: Headers
    body: bytes


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
    if not keep_alive and _CLOSE not in response.headers:
        parts.append(b"connection: close\r\n")
    parts += (b"\r\n", response.body)
    return b"".join(parts)


class PollAnswers:
    """Makes responses. A change wakes many polls at the same position, and their response is made once."""

    def __init__(self, clock: Clock, max_timeout_s: float, refused: Counter[str]) -> None:
        self._clock = clock
        self._max_timeout_s = max_timeout_s
        self._refused = refused
        self._shared: Answer | None = None
        self._shared_closing = False
        self._shared_at_ms = 0
        self._shared_response = Response(0, (), b"")

    def response(self, answer: Answer, epoch: str, request: PollRequest, *, closing: bool) -> Response:
        """`closing`: this server is going away, and the client shall not come back on this connection."""
        now_ms = self._clock.now_ms()
        if not self._is_shared(answer, closing, now_ms):
            self._shared_response = self._made(answer, epoch, closing, now_ms)
            self._shared, self._shared_closing, self._shared_at_ms = answer, closing, now_ms
        if request.wait_s is None:
            return self._shared_response
        applied = (names.PREFERENCE_APPLIED.encode(), b"wait=%d" % request.wait_s)
        return self._shared_response._replace(headers=(*self._shared_response.headers, applied))

    def refusal(self, error: OrdertrackError) -> Response:
        status, named, body = refusal(error, self._refused)
        headers = tuple((name.encode(), value.encode("latin-1")) for name, value in named.items())
        return Response(status, headers, body)

    def _is_shared(self, answer: Answer, closing: bool, now_ms: int) -> bool:
        """Whether the latest response does: made just now, of the very same state."""
        shared = self._shared
        return (
            shared is not None
            and shared.state is answer.state
            and shared.position == answer.position
            and shared.reason is answer.reason
            and shared.not_modified is answer.not_modified
            and self._shared_closing is closing
            and 0 <= now_ms - self._shared_at_ms < SHARED_FOR_MS
        )

    def _made(self, answer: Answer, epoch: str, closing: bool, now_ms: int) -> Response:
        headers: Headers = ((names.ETAG.encode(), f'W/"{position_of(answer, epoch)}"'.encode()), _NO_STORE)
        if closing:
            headers = (*headers, _CLOSE)
        if answer.not_modified:
            return Response(304, headers, b"")
        return Response(200, (_JSON, *headers), encode(poll_answer(answer, epoch, self._max_timeout_s, now_ms)))
