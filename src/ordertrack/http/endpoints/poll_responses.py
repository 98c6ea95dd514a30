"""Responses to polls. A change wakes many polls with the same answer, so their response is made once."""

from __future__ import annotations

import msgspec

from ordertrack.core.poll import Answer
from ordertrack.http.wire import names
from ordertrack.http.wire.order_views import encode
from ordertrack.http.wire.poll_view import poll_answer, position_of
from ordertrack.http.wire.responses import (
    CLOSE,
    JSON,
    NO_STORE,
    HeaderPairs,
    Response,
    bytes_of,
    http_date,
    with_headers,
)
from ordertrack.ports.clock import Clock

SHARED_FOR_MS = 100
"""Polls answered within this time share one response, and its `server_time`."""
MAX_SHARED = 128
_ETAG = names.ETAG.encode()

_Key = tuple[int, int | None, str, bool, bool]


class _Shared(msgspec.Struct, eq=False, gc=False):
    """A response and the answer it was made of, which keeps its state alive: the key is the state's identity.

    `written` is the response as bytes, with its `date`.
    """

    answer: Answer
    closing: bool
    made_at_ms: int
    response: Response
    date: bytes = b""
    written: bytes = b""

    def is_fresh(self, now_ms: int) -> bool:
        return 0 <= now_ms - self.made_at_ms < SHARED_FOR_MS


class PollAnswers:
    def __init__(self, clock: Clock, max_timeout_s: float) -> None:
        self._clock = clock
        self._max_timeout_s = max_timeout_s
        self._shared: dict[_Key, _Shared] = {}
        self._latest: _Shared | None = None

    def response(self, answer: Answer, epoch: str, *, closing: bool) -> Response:
        """Return the response. `closing` ends the connection, since the server is stopping."""
        return self._share(answer, epoch, closing, self._clock.now_ms()).response

    def written(self, answer: Answer, epoch: str, added: HeaderPairs, closing: bool, keep_alive: bool) -> bytes:
        """Return the whole response as bytes, with the headers that depend on its request."""
        latest, is_plain = self._latest, keep_alive and not added
        if is_plain and latest is not None and latest.answer is answer and latest.written and latest.closing is closing:
            return latest.written  # to another poll that the same change answers
        now_ms = self._clock.now_ms()
        shared, date = self._share(answer, epoch, closing, now_ms), http_date(now_ms // 1000)
        if not is_plain:
            return bytes_of(with_headers(shared.response, added), date, keep_alive=keep_alive)
        if shared.date is not date:
            shared.date, shared.written = date, bytes_of(shared.response, date, keep_alive=True)
        return shared.written

    def _share(self, answer: Answer, epoch: str, closing: bool, now_ms: int) -> _Shared:
        """Return a recent response of the same state, or a new one."""
        latest = self._latest
        if latest is not None and latest.answer is answer and latest.closing is closing and latest.is_fresh(now_ms):
            return latest
        key = (id(answer.state), answer.position, answer.reason, answer.not_modified, closing)
        shared = self._shared.get(key)
        if shared is None or not shared.is_fresh(now_ms):
            if answer.not_modified:
                status, body, cursor = 304, b"", str(position_of(answer, epoch))
            else:
                view = poll_answer(answer, epoch, self._max_timeout_s, now_ms)
                status, body, cursor = 200, encode(view), view.cursor
            headers: HeaderPairs = ((_ETAG, f'W/"{cursor}"'.encode()), NO_STORE)
            if closing:
                headers = (*headers, CLOSE)
            response = Response(status, headers if answer.not_modified else (JSON, *headers), body)
            shared = _Shared(answer, closing, now_ms, response)
            self._shared.pop(key, None)  # so that what is oldest comes first
            self._shared[key] = shared
            if len(self._shared) > MAX_SHARED:
                del self._shared[next(iter(self._shared))]
        self._latest = shared
        return shared
