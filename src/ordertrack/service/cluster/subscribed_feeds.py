"""Feeds as polls of a cluster node read them.

    poll ──► join the hub ──► be subscribed to the feed's partition ──► read the store ──► park

Invariant: the store is read after the subscription is confirmed. A change before that is in what is read; a change
after it is received as a signal, and the poll has joined the hub before, so it is told.
"""

from __future__ import annotations

from ordertrack.core.feed import PAGE_ENTRIES, FeedChanges, FeedKey, FeedState, order_feed
from ordertrack.core.order import Order
from ordertrack.ports.shared_store import SharedStore
from ordertrack.service.cluster.partitions import Partitions


class SubscribedFeeds:
    """A FeedStore. What it remembers is used only while the partition is subscribed."""

    def __init__(self, store: SharedStore, partitions: Partitions) -> None:
        self._store = store
        self._partitions = partitions

    @property
    def epoch(self) -> str:
        return self._store.epoch

    def peek(self, order_id: int) -> Order | None:
        feed = order_feed(order_id)
        partition = self._partitions.find(feed)
        state = None if partition is None else partition.states.get(feed)
        return state if isinstance(state, Order) else None

    def peek_feed_version(self, feed: FeedKey) -> int | None:
        partition = self._partitions.find(feed)
        state = None if partition is None else partition.states.get(feed)
        return None if state is None else state.version

    async def order(self, order_id: int) -> Order:
        feed = order_feed(order_id)
        partition = await self._partitions.join(feed)
        order = await self._store.order(order_id)
        self._partitions.keep(partition, feed, order)
        return order

    async def feed_version(self, feed: FeedKey) -> int:
        partition = await self._partitions.join(feed)
        version = await self._store.feed_version(feed)
        self._partitions.keep(partition, feed, FeedState(feed, FeedChanges(version)))
        return version

    async def feed_changes(
        self, feed: FeedKey, after: int | None, *, limit: int = PAGE_ENTRIES, after_id: int = 0
    ) -> FeedChanges:
        return await self._store.feed_changes(feed, after, limit=limit, after_id=after_id)
