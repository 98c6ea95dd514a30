"""The changes of one commit, grouped by the party feeds that polls wait for."""

from __future__ import annotations

import math
from operator import itemgetter

from ordertrack.core.feed import PAGE_ENTRIES, FeedKey, FeedState, build_page, party_feeds
from ordertrack.core.order import Order


class FeedBatch:
    """The changes of one commit in one party's feed: orders that changed or left, each with its version of the feed."""

    def __init__(self, feed: FeedKey) -> None:
        self.feed = feed
        self._entries: list[tuple[int, Order | int]] = []
        self._states: dict[int, FeedState] = {}
        self.requested_at_s = math.inf
        """The monotonic time at which the first of the changes was requested, in seconds."""

    def add(self, version: int, order: Order, requested_at_s: float) -> None:
        self.requested_at_s = min(self.requested_at_s, requested_at_s)
        self._entries.append((version, order if self.feed in party_feeds(order) else order.id))

    @property
    def version(self) -> int:
        return max(version for version, _ in self._entries)

    def after(self, position: int) -> FeedState | None:
        """Return the changes after `position`; None when other commits may have made changes before the first entry.

        From the first entry on, all versions are of this commit. There may be gaps: an order has only its last change.
        """
        if position + 1 < min(version for version, _ in self._entries):
            return None
        if position not in self._states:
            missed = sorted((entry for entry in self._entries if entry[0] > position), key=itemgetter(0))
            self._states[position] = FeedState(self.feed, build_page(self.version, missed, limit=PAGE_ENTRIES))
        return self._states[position]
