"""Answers of polls, ready to be written: status, headers and body, whoever holds the connection."""

from __future__ import annotations

from typing import NamedTuple

from ordertrack.core.errors import OrdertrackError
from ordertrack.core.poll import Answer, PollRequest
from ordertrack.http import names
from ordertrack.http.problems import problem
from ordertrack.http.wire.answers import cursor_of, encode, poll_answer
from ordertrack.ports.clock import Clock

SHARED_FOR_MS = 100
"""Polls woken together share one body, and with it its `server_time`."""


class Response(NamedTuple):
    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


class PollAnswers:
    """Makes responses. A change wakes many polls at the same position, and their body is made once."""

    def __init__(self, clock: Clock, max_timeout_s: float) -> None:
        self._clock = clock
        self._max_timeout_s = max_timeout_s
        self._shared: tuple[object, ...] = ()
        self._shared_body = b""
        self._shared_at_ms = 0

    def response(self, answer: Answer, epoch: str, request: PollRequest, *, closing: bool) -> Response:
        """`closing`: this server is going away, and the client shall not come back on this connection."""
        headers = [(names.ETAG, f'W/"{cursor_of(epoch, answer.order)}"'), (names.CACHE_CONTROL, names.NO_STORE)]
        if request.wait_s is not None:
            headers.append((names.PREFERENCE_APPLIED, f"wait={request.wait_s:.0f}"))
        if closing:
            headers.append((names.CONNECTION, "close"))
        if answer.not_modified:
            return Response(304, tuple(headers), b"")
        return Response(200, ((names.CONTENT_TYPE, names.JSON), *headers), self._body(answer, epoch))

    def refusal(self, error: OrdertrackError) -> Response:
        status, headers, body = problem(error)
        return Response(status, tuple(headers.items()), body)

    def _body(self, answer: Answer, epoch: str) -> bytes:
        now_ms = self._clock.now_ms()
        key = (answer.order.id, answer.order.version, answer.position, answer.reason)
        if key != self._shared or not 0 <= now_ms - self._shared_at_ms < SHARED_FOR_MS:
            self._shared_body = encode(poll_answer(answer, epoch, self._max_timeout_s, now_ms))
            self._shared, self._shared_at_ms = key, now_ms
        return self._shared_body
