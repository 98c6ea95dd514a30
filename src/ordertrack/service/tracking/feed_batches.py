"""Group what a commit changed by the feeds that held polls wait for."""

from __future__ import annotations

from operator import itemgetter

from ordertrack.core.feed import PAGE_ENTRIES, FeedKey, FeedState, build_page, party_feeds
from ordertrack.core.order import Order


class FeedBatch:
    """What a commit tells of one party's feed: which orders changed, or left, at which of its versions."""

    def __init__(self, feed: FeedKey) -> None:
        self.feed = feed
        self._entries: list[tuple[int, Order | int]] = []
        self._states: dict[int, FeedState] = {}

    def add(self, version: int, order: Order) -> None:
        self._entries.append((version, order if self.feed in party_feeds(order) else order.id))

    @property
    def version(self) -> int:
        return max(version for version, _ in self._entries)

    def after(self, position: int) -> FeedState | None:
        """What a client that has version `position` is told; None when this commit may not be all it has missed.

        Every version from the oldest of these on is of this commit, so whoever has the one before it misses nothing.
        """
        if position + 1 < min(version for version, _ in self._entries):
            return None
        if position not in self._states:
            missed = sorted((entry for entry in self._entries if entry[0] > position), key=itemgetter(0))
            self._states[position] = FeedState(self.feed, build_page(self.version, missed, limit=PAGE_ENTRIES))
        return self._states[position]
