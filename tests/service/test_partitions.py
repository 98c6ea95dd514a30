"""A cluster node remembers no state that is older than the news it was told."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest

from ordertrack.adapters.memory.signal import Bus, MemorySignal
from ordertrack.adapters.system.clock import SystemClock
from ordertrack.core.feed import FeedChanges, FeedKey, FeedKind, FeedState, order_feed
from ordertrack.core.hub import Caps, Hub, Poll
from ordertrack.core.order import NewOrder, Order, create
from ordertrack.core.partition import partition_of
from ordertrack.core.poll import State
from ordertrack.ports.shared_store import SharedStore
from ordertrack.service.cluster.partitions import Partition, Partitions
from ordertrack.service.cluster.refresher import Refresher
from ordertrack.service.cluster.subscribed_feeds import SubscribedFeeds
from ordertrack.service.monitoring.statistics import Statistics
from ordertrack.service.tracking.waiter import Waiter, WaitingPoll

pytestmark = pytest.mark.anyio
TURNS = 10
"""Turns of the event loop in which the refresher does what it can do without reading."""
ORDER = order_feed(7)
PARTY = FeedKey(FeedKind.CUSTOMER, "c1")


class Node:
    """The parts of a node that remember, with a signal that is up."""

    def __init__(self) -> None:
        self.hub: Hub[Waiter] = Hub(Caps(10, 100, 100, 0), full_retry_after_s=lambda: 1)
        self.announced: list[tuple[FeedKey, State]] = []
        self.partitions = Partitions(
            self.hub, SystemClock(), lambda feed, state: self.announced.append((feed, state))
        )  # fmt: skip
        self.signal = MemorySignal(Bus())
        self.partitions.signal = self.signal

    async def open(self) -> Node:
        await self.signal.open(lambda channel, text: None, lambda: None, lambda: None)
        return self

    def join(self, feed: FeedKey) -> WaitingPoll:
        poll: WaitingPoll = Poll(feed, cast(Waiter, None), ends_at_s=30.0)
        self.hub.join(poll)
        return poll

    def remembered(self, feed: FeedKey) -> State | None:
        partition = self.partitions.find(feed)
        assert partition is not None
        return partition.states.get(feed)


def state_at(feed: FeedKey, version: int) -> State:
    """Return a state with this version; an order has version 1."""
    return an_order() if feed == ORDER else FeedState(feed, FeedChanges(version))


def an_order() -> Order:
    return create(7, NewOrder("c1", "r1"), 1_000)


async def test_state_read_after_its_polls_left_replaces_the_old_one() -> None:
    node = await Node().open()
    poll = node.join(PARTY)
    partition = await node.partitions.join(PARTY)
    node.partitions.keep(partition, PARTY, state_at(PARTY, 1))
    node.hub.leave(poll)
    node.partitions.keep(partition, PARTY, state_at(PARTY, 2))
    assert node.remembered(PARTY) is None


@pytest.mark.parametrize("feed", [ORDER, PARTY])
async def test_news_named_before_its_polls_left_is_not_forgotten(feed: FeedKey) -> None:
    node = await Node().open()
    poll = node.join(feed)
    node.partitions.keep(await node.partitions.join(feed), feed, state_at(feed, 1))
    refresher = Refresher(cast(SharedStore, None), node.hub, node.partitions, SystemClock(), Statistics())
    refresher.name(feed, 2)
    node.hub.leave(poll)
    run = asyncio.create_task(refresher.run())
    for _ in range(TURNS):
        await asyncio.sleep(0)
    run.cancel()
    assert node.remembered(feed) is None


async def test_read_from_before_an_own_commit_is_not_remembered() -> None:
    node = await Node().open()
    node.join(PARTY)
    partition = await node.partitions.join(PARTY)
    node.partitions.committed(partition_of(PARTY), PARTY, 2)
    node.partitions.keep(partition, PARTY, state_at(PARTY, 1))
    remembered = node.remembered(PARTY)
    assert remembered is not None
    assert remembered.version == 2


async def test_read_from_before_a_loss_is_not_remembered() -> None:
    node = await Node().open()
    node.join(PARTY)
    partition = await node.partitions.join(PARTY)
    node.partitions.forget(partition_of(PARTY))
    node.partitions.keep(partition, PARTY, state_at(PARTY, 1))
    assert node.remembered(PARTY) is None
    assert node.announced == [(PARTY, state_at(PARTY, 1))]


class ReadingStore:
    """A store that looks at the partition of what is read, at the moment of the read."""

    def __init__(self, partitions: Partitions) -> None:
        self._partitions = partitions
        self.found: Partition | None = None

    async def order(self, order_id: int) -> Order:
        self.found = self._partitions.find(order_feed(order_id))
        return an_order()

    async def feed_version(self, feed: FeedKey) -> int:
        self.found = self._partitions.find(feed)
        return 1


@pytest.mark.parametrize("feed", [ORDER, PARTY])
async def test_a_feed_is_read_after_it_is_subscribed(feed: FeedKey) -> None:
    node = await Node().open()
    node.join(feed)
    store = ReadingStore(node.partitions)
    feeds = SubscribedFeeds(cast(SharedStore, store), node.partitions)
    await (feeds.order(7) if feed == ORDER else feeds.feed_version(feed))
    assert store.found is not None
    assert store.found is node.partitions.find(feed)
