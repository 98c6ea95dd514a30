"""Tight loops, slowed: a client that is answered at once for the same position again and again does not sleep, and
would take all it can get. It gets its answers, one a second.

What is meant are clients with a mistake: one that sends back a time it has cut off, one that does not stop at the end
of an order, one that takes a refusal for an answer. `timeout=0` asks for the answer now and is never slowed.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Hashable

from ordertrack.core.feed import FeedKey
from ordertrack.core.poll import PollRequest
from ordertrack.ports.clock import Clock

WINDOW_S = 1.0
FREE = 2
"""Answers in a window that are not slowed: a client may well ask once more."""
PAUSE_S = 1.0
MAX_PACES = 10_000


def asked(feed: FeedKey, request: PollRequest) -> Hashable:
    """What the same question is; None for one that is never slowed."""
    if request.timeout_s == 0 or not request.has_position:
        return None
    return feed, request.cursor, request.etag, request.last_update_ms


class Pace:
    """Of one connection."""

    __slots__ = ("_asked", "_at_s", "_times")

    def __init__(self) -> None:
        self._asked: Hashable = None
        self._at_s = 0.0
        self._times = 0

    def pause_s(self, asked: Hashable, now_s: float) -> float:
        """How long to wait with an answer that could be given now."""
        again = asked == self._asked and now_s - self._at_s < WINDOW_S
        self._times = self._times + 1 if again else 1
        pause_s = PAUSE_S if self._times > FREE else 0.0
        self._asked, self._at_s = asked, now_s + pause_s
        return pause_s


class Paces:
    """Of many connections, the latest MAX_PACES."""

    def __init__(self) -> None:
        self._paces: OrderedDict[Hashable, Pace] = OrderedDict()

    def of(self, connection: Hashable) -> Pace:
        pace = self._paces.get(connection)
        if pace is None:
            pace = self._paces[connection] = Pace()
            if len(self._paces) > MAX_PACES:
                self._paces.popitem(last=False)
        self._paces.move_to_end(connection)
        return pace

    async def pause(self, connection: Hashable, asked: Hashable, clock: Clock) -> None:
        """Wait before an answer that could be given now, if it is one of a tight loop."""
        if asked is not None and connection is not None:
            pause_s = self.of(connection).pause_s(asked, clock.monotonic_s())
            if pause_s:
                await asyncio.sleep(pause_s)
