"""A node of a cluster: messages it does not know, tasks that fail, signals that break."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from typing import cast

import pytest

from ordertrack.adapters.memory.signal import Bus, MemorySignal
from ordertrack.core.feed import FeedKey, FeedKind
from ordertrack.core.hub import Caps, Hub, Poll
from ordertrack.core.partition import PARTITIONS, feed_name, partition_of
from ordertrack.ports.clock import Clock
from ordertrack.ports.shared_store import SharedStore
from ordertrack.ports.signal import CONTROL, SignalUnavailable
from ordertrack.service.cluster.cluster import GONE_AFTER_S, Cluster
from ordertrack.service.cluster.messages import Beat, Bye, Message, News, decode_message, encode_message
from ordertrack.service.cluster.partitions import Partitions
from ordertrack.service.cluster.refresher import Refresher
from ordertrack.service.monitoring.monitor import NodeStats
from ordertrack.service.monitoring.statistics import Statistics
from ordertrack.service.tracking.waiter import Waiter

pytestmark = pytest.mark.anyio
LIMIT_S = 60.0


class FeedVersions:
    """A store of party feeds. `failures` are raised by the next reads."""

    def __init__(self) -> None:
        self.of: dict[FeedKey, int] = {}
        self.reads = 0
        self.failures: list[Exception] = []

    async def versions(self, feeds: Collection[FeedKey]) -> dict[FeedKey, int]:
        self.reads += 1
        if self.failures:
            raise self.failures.pop()
        return {feed: self.of.get(feed, 0) for feed in feeds}


class SlowSignal(MemorySignal):
    """Subscriptions to the channels in `held` wait until the bus stops."""

    def __init__(self, bus: Bus) -> None:
        super().__init__(bus)
        self.held: set[int] = set()
        self.asked: dict[int, int] = {}
        self.holding = asyncio.Event()
        self.broken = asyncio.Event()

    async def subscribe(self, channel: int) -> None:
        self.asked[channel] = self.asked.get(channel, 0) + 1
        if channel in self.held:
            self.holding.set()
            await self.broken.wait()
            raise SignalUnavailable
        await super().subscribe(channel)

    def interrupt(self) -> None:
        super().interrupt()
        self.broken.set()


class Node:
    def __init__(self, clock: Clock) -> None:
        self.bus = Bus()
        self.signal = SlowSignal(self.bus)
        self.store = FeedVersions()
        self.hub: Hub[Waiter] = Hub(Caps(10, 100, 100, 0), full_retry_after_s=lambda: 1)
        self.announced: asyncio.Queue[tuple[FeedKey, int]] = asyncio.Queue()
        store = cast(SharedStore, self.store)
        self.partitions = Partitions(
            self.hub, clock, lambda feed, state: self.announced.put_nowait((feed, state.version))
        )
        self.refresher = Refresher(store, self.hub, self.partitions, clock, Statistics())
        self.cluster = Cluster(
            "aaaa",
            lambda epoch: self.signal,
            self.hub,
            self.partitions,
            self.refresher,
            clock,
            stats=lambda: NodeStats("a"),
            forget_links=lambda order_id: None,
            revoked=lambda link: None,
        )

    async def __aenter__(self) -> Node:
        await self.cluster.open("e")
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.cluster.close(1.0)

    def join(self, feed: FeedKey) -> None:
        self.hub.join(Poll(feed, cast(Waiter, None), ends_at_s=30.0))

    def receive(self, channel: int, message: Message) -> None:
        self.bus.deliver([(channel, encode_message(message))])

    async def next_announced(self) -> tuple[FeedKey, int]:
        async with asyncio.timeout(LIMIT_S):
            return await self.announced.get()


def customer(number: int) -> FeedKey:
    return FeedKey(FeedKind.CUSTOMER, f"c{number}")


def elsewhere(feed: FeedKey) -> FeedKey:
    """Return a feed of another partition."""
    return next(each for each in map(customer, range(PARTITIONS)) if partition_of(each) != partition_of(feed))


FIRST = customer(0)
SECOND = elsewhere(FIRST)
CHANNEL = partition_of(FIRST)
BEAT = Beat("bbbb", 1, {}, 0, NodeStats("b"))


async def eventually(is_true: Callable[[], object]) -> None:
    async with asyncio.timeout(LIMIT_S):
        while not is_true():  # noqa: ASYNC110 - a state of the node, which has no event
            await asyncio.sleep(0.01)


async def test_news_of_an_unknown_kind_of_feed_is_ignored(clock: Clock) -> None:
    async with Node(clock) as node:
        node.join(FIRST)
        await node.partitions.subscribe(CHANNEL)
        node.receive(CHANNEL, News("bbbb", 1, [("zz7", 2), (feed_name(FIRST), 2)]))
        assert await node.next_announced() == (FIRST, 2)


@pytest.mark.parametrize("text", ["", "{", '["held","bbbb",1,[["zz7",1,true]]]', '["next","bbbb",1]', "[" * 5_000])
async def test_a_message_that_means_nothing_is_ignored(clock: Clock, text: str) -> None:
    async with Node(clock) as node:
        await eventually(lambda: CONTROL in node.signal.asked)
        node.bus.deliver([(CONTROL, text)])
        node.receive(CONTROL, BEAT)
        assert [peer.node for peer in node.cluster.peers()] == ["b"]


async def test_a_fault_while_feeds_are_read_loses_none(clock: Clock) -> None:
    async with Node(clock) as node:
        node.join(FIRST)
        node.store.of[FIRST] = 3
        node.store.failures.append(KeyError("a fault"))
        node.refresher.lose([CHANNEL])
        assert await node.next_announced() == (FIRST, 3)


async def test_a_fault_at_a_deadline_is_not_raised(clock: Clock) -> None:
    node = Node(clock)
    node.store.failures.append(KeyError("a fault"))
    await node.refresher.confirm([FIRST])


async def test_interrupted_while_others_subscribe_stays_uncovered(clock: Clock) -> None:
    """The first subscription is confirmed, and the connection breaks before the second one is."""
    async with Node(clock) as node:
        node.join(FIRST)
        node.join(SECOND)
        node.signal.held.add(partition_of(SECOND))
        node.partitions.uncovered.update((CHANNEL, partition_of(SECOND)))
        await node.signal.holding.wait()
        await eventually(lambda: node.partitions.find(FIRST))
        node.bus.stop()
        node.store.of[SECOND] = 1
        assert await node.next_announced() == (SECOND, 1)
        node.store.of[FIRST] = 1
        async with asyncio.timeout(LIMIT_S):
            while await node.announced.get() != (FIRST, 1):
                pass


async def test_a_poll_of_an_uncovered_partition_does_not_wait(clock: Clock) -> None:
    async with Node(clock) as node:
        node.join(FIRST)
        number = partition_of(FIRST)
        node.signal.held.add(number)
        node.partitions.uncovered.add(number)
        await node.signal.holding.wait()
        async with asyncio.timeout(LIMIT_S):
            assert await node.partitions.join(FIRST) is None


@pytest.mark.parametrize(
    "messages",
    [
        pytest.param([(CONTROL, Bye("bbbb", 2))], id="a node ends"),
        pytest.param([], id="a node is silent"),
        pytest.param([(CONTROL, BEAT), (CONTROL, Beat("bbbb", 2, {}, 1, BEAT.stats))], id="it dropped a message"),
        pytest.param([(CONTROL, BEAT), (CHANNEL, News("bbbb", 2, []))], id="a number is left out"),
        pytest.param([(CONTROL, Beat("bbbb", n, {CHANNEL: 1}, 0, BEAT.stats)) for n in (2, 3)], id="it counts more"),
    ],
)
async def test_feeds_are_compared_after_a_loss(clock: Clock, messages: list[tuple[int, Message]]) -> None:
    async with Node(clock) as node:
        node.join(FIRST)
        await node.partitions.subscribe(CHANNEL)
        await eventually(lambda: CONTROL in node.signal.asked)
        node.receive(CONTROL, BEAT)
        await eventually(lambda: node.store.reads)  # a node that joins is a reason as well
        node.store.of[FIRST] = 1
        began_s = clock.monotonic_s()
        for channel, message in messages:
            node.receive(channel, message)
        assert await node.next_announced() == (FIRST, 1)
        assert not messages or clock.monotonic_s() < began_s + GONE_AFTER_S


async def test_windows_wait_for_nodes_that_cannot_read_them(clock: Clock) -> None:
    """A node of an earlier version sends a beat without the field."""
    node = Node(clock)
    assert not node.cluster.may_move_windows()
    async with node:
        await eventually(lambda: CONTROL in node.signal.asked)
        node.receive(CONTROL, BEAT)
        node.receive(CONTROL, Beat("cccc", 1, {}, 0, NodeStats("c"), True))
        await eventually(lambda: node.cluster.nodes() == 3)
        assert not node.cluster.may_move_windows()
        node.receive(CONTROL, Bye("bbbb", 2))
        await eventually(node.cluster.may_move_windows)


@pytest.mark.parametrize("drop", [lambda cluster: cluster.committed([]), Cluster.doubtful], ids=["alone", "in doubt"])
async def test_what_was_not_told_is_counted_in_the_beat(clock: Clock, drop: Callable[[Cluster], None]) -> None:
    """A node without other nodes tells of no commit: one may just be joining."""
    async with Node(clock) as node:
        texts: list[str] = []
        listener = MemorySignal(node.bus)
        await listener.open(lambda channel, text: texts.append(text), lambda: None, lambda: None)
        await listener.subscribe(CONTROL)
        drop(node.cluster)
        await eventually(lambda: texts)
        beat = decode_message(texts[0])
        assert isinstance(beat, Beat)
        assert beat.dropped == 1
