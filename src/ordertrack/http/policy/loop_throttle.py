"""Slow down clients that poll in a tight loop: answered at once for the same position again and again.

Such a client has a bug: it truncates the time it sends back, does not stop at the end of an order, or ignores errors.
It gets one answer a second. The pause comes before the request is decided, so the answer is current when it is sent.
`timeout=0` asks for an immediate answer and is never slowed.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable

from ordertrack.core.errors import OrdertrackError
from ordertrack.core.poll import PollRequest
from ordertrack.http.wire.message import Request
from ordertrack.http.wire.parameters import parse_poll

WINDOW_S = 1.0
FREE_ANSWERS = 2
"""Answers for the same key within a window that are not slowed: a client may repeat a poll once."""
PAUSE_S = 1.0
MAX_THROTTLES = 10_000


def path_key(path: str) -> int:
    """Return the key of requests for a path. A hash, since a path may have the token of a link."""
    return hash(path)


def position_key(path: str, poll: PollRequest) -> int | None:
    """Return the key of polls of a path with the same position; None for a poll that is never slowed."""
    if poll.timeout_s == 0 or not poll.has_position:
        return None
    return hash((path, poll.cursor, poll.etag, poll.last_update_ms))


class PollThrottle:
    """Count the latest answers that one connection got at once."""

    __slots__ = ("_answered_at_s", "_count", "_key", "_slowed")

    def __init__(self) -> None:
        self._key: int | None = None
        self._answered_at_s = 0.0
        self._count = 0
        self._slowed = False

    def pause_s(self, key: int, now_s: float) -> float:
        """Return how long to wait before the request with this key is decided, in seconds."""
        again = key == self._key and now_s - self._answered_at_s < WINDOW_S
        self._slowed = again and self._count >= FREE_ANSWERS
        return PAUSE_S if self._slowed else 0.0

    def record(self, key: int, now_s: float) -> None:
        """Count an answer that was given at once."""
        again = key == self._key and (self._slowed or now_s - self._answered_at_s < WINDOW_S)
        self._count = self._count + 1 if again else 1
        self._key, self._answered_at_s = key, now_s


def pause_s(throttle: PollThrottle | None, request: Request, now_s: float) -> float:
    """Return how long to wait before a poll is decided, in seconds."""
    if throttle is None:
        return 0.0
    if pause := throttle.pause_s(path_key(request.path), now_s):
        return pause
    try:
        key = position_key(request.path, parse_poll(request.query_string, request.headers))
    except OrdertrackError:
        return 0.0  # the refusal is recorded under the path
    return 0.0 if key is None else throttle.pause_s(key, now_s)


class ThrottleTable:
    """The throttles of the latest MAX_THROTTLES connections, for transports that have no object per connection."""

    def __init__(self) -> None:
        self._throttles: OrderedDict[Hashable, PollThrottle] = OrderedDict()

    def get(self, connection: Hashable) -> PollThrottle | None:
        return self._throttles.get(connection)

    def put(self, connection: Hashable, throttle: PollThrottle | None) -> None:
        """Keep a connection's throttle; None forgets it."""
        if throttle is None:
            self._throttles.pop(connection, None)
            return
        self._throttles[connection] = throttle
        self._throttles.move_to_end(connection)
        if len(self._throttles) > MAX_THROTTLES:
            self._throttles.popitem(last=False)
