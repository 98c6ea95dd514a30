"""Feeds of customers, restaurants and couriers in the store. `ports/store.py` has the contract."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Protocol

from ordertrack.core.feed import PAGE_ENTRIES, FeedChanges, FeedKey
from ordertrack.ports.order_store import OrderReader


class FeedStore(OrderReader, Protocol):
    """A `feed` is never an order's: that one is read as the order."""

    @property
    def epoch(self) -> str: ...

    def peek_feed_version(self, feed: FeedKey) -> int | None: ...

    def feed_version(self, feed: FeedKey) -> Awaitable[int]:
        """Return 0 when the feed has no changes yet."""

    async def feed_changes(
        self, feed: FeedKey, after: int | None, *, limit: int = PAGE_ENTRIES, after_id: int = 0
    ) -> FeedChanges:
        """Return a page of the changes after a version.

        `after` None begins a snapshot, the orders that have not ended. `version` and `after_id` of a page of it, as
        `after` and `after_id`, request the next one.
        """
