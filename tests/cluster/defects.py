"""Defects that the checker has to find. Each function patches the product in the process of a node."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from ordertrack.core.feed import FeedChanges, FeedKey, FeedState, order_feed
from ordertrack.core.order import Order
from ordertrack.ports.commits import Committed
from ordertrack.service.cluster import cluster, partitions
from ordertrack.service.cluster.subscribed_feeds import SubscribedFeeds

DROPPED_SHARE = 0.3


def read_before_subscribing() -> None:
    """Break "join, be subscribed, read, park": a change between the read and the subscription is not noticed.

    Subscriptions end at once, so that most polls need a new one.
    """

    async def order(self: SubscribedFeeds, order_id: int) -> Order:
        read = await self._store.order(order_id)
        self._partitions.keep(await self._partitions.join(order_feed(order_id)), order_feed(order_id), read)
        return read

    async def feed_version(self: SubscribedFeeds, feed: FeedKey) -> int:
        version = await self._store.feed_version(feed)
        self._partitions.keep(await self._partitions.join(feed), feed, FeedState(feed, FeedChanges(version)))
        return version

    SubscribedFeeds.order = order  # type: ignore[method-assign]
    SubscribedFeeds.feed_version = feed_version  # type: ignore[method-assign]
    partitions.LINGER_S = 0.0
    cluster.RELEASE_EVERY_S = 0.0


def drop_hints() -> None:
    """Keep a part of the own commits from the other nodes. They notice it by the numbers, and later than is allowed."""
    committed = cluster.Cluster.committed

    def committed_at_times(self: cluster.Cluster, commits: Sequence[Committed]) -> None:
        if random.random() < DROPPED_SHARE:
            self._numbers.update(range(cluster.PARTITIONS))  # as if they had been sent
        else:
            committed(self, commits)

    cluster.Cluster.committed = committed_at_times  # type: ignore[method-assign]


DEFECTS: dict[str, Callable[[], None]] = {
    "read-before-subscribing": read_before_subscribing,
    "drop-hints": drop_hints,
}
