"""Defects that the checker has to find. Each function patches the product in the process of a node."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence

from ordertrack.core.feed import FeedChanges, FeedKey, FeedState, order_feed
from ordertrack.core.order import Order
from ordertrack.ports.commits import Committed
from ordertrack.service.cluster import cluster, partitions
from ordertrack.service.cluster.subscribed_feeds import SubscribedFeeds

DROPPED_SHARE = 0.3
GAP_S = 0.1


def end_subscriptions_at_once() -> None:
    """End subscriptions with their last poll, so that most polls need a new one. This is slow, and no defect."""
    partitions.LINGER_S = 0.0
    cluster.RELEASE_EVERY_S = 0.0


def read_before_subscribing() -> None:
    """Break "join, be subscribed, read, park": a change between the read and the subscription is not noticed.

    The time between the two is made longer, so that a short run finds it.
    """

    async def order(self: SubscribedFeeds, order_id: int) -> Order:
        feed, read = order_feed(order_id), await self._store.order(order_id)
        await asyncio.sleep(GAP_S)
        self._partitions.keep(await self._partitions.join(feed), feed, read)
        return read

    async def feed_version(self: SubscribedFeeds, feed: FeedKey) -> int:
        version = await self._store.feed_version(feed)
        await asyncio.sleep(GAP_S)
        self._partitions.keep(await self._partitions.join(feed), feed, FeedState(feed, FeedChanges(version)))
        return version

    SubscribedFeeds.order = order  # type: ignore[method-assign]
    SubscribedFeeds.feed_version = feed_version  # type: ignore[method-assign]
    end_subscriptions_at_once()


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
    "no-linger": end_subscriptions_at_once,
    "read-before-subscribing": read_before_subscribing,
    "drop-hints": drop_hints,
}
