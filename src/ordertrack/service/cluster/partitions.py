"""The partitions that this node is subscribed to, with the states of feeds that it remembers.

A state is used only while its partition is subscribed: then the node is told of every change. It belongs to the
partition and is forgotten with it.

A partition without a subscription, because the signal is interrupted, is *uncovered*: its watched feeds have to be
compared with the store until it is subscribed, and once after that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from ordertrack.core.feed import FeedChanges, FeedKey, FeedState
from ordertrack.core.hub import Hub
from ordertrack.core.order import Order
from ordertrack.core.partition import PARTITIONS, partition_of
from ordertrack.core.poll import State
from ordertrack.ports.clock import Clock
from ordertrack.ports.signal import Signal, SignalUnavailable
from ordertrack.service.tracking.waiter import Waiter

LINGER_S = 30.0
"""A partition stays subscribed for this long after the last poll, since clients poll again."""
JOIN_LIMIT_S = 0.25
"""A poll that waits longer for its subscription is held without: a poll without a position waits for changes that come
after it was sent, so the order must be read soon."""
REMEMBERED = 40_000 // PARTITIONS
"""States of a partition; those of watched feeds beyond that."""


class Partition:
    """A subscribed partition. `states` begins with the one used least recently."""

    __slots__ = ("number", "states", "used_s")

    def __init__(self, number: int, now_s: float) -> None:
        self.number = number
        self.used_s = now_s
        self.states: dict[FeedKey, State] = {}

    def put(self, feed: FeedKey, state: State, is_watched: Callable[[FeedKey], bool]) -> None:
        self.states.pop(feed, None)
        self.states[feed] = state
        if len(self.states) > REMEMBERED:
            for _ in range(2):  # so that it shrinks again when fewer feeds are watched
                oldest = next(iter(self.states))
                kept = self.states.pop(oldest)
                if is_watched(oldest):
                    self.states[oldest] = kept


class Partitions:
    """`announced` is called with the state of a watched feed when it is newer than
    the one that was remembered."""

    def __init__(
        self,
        hub: Hub[Waiter],
        clock: Clock,
        announced: Callable[[FeedKey, State], None],
    ) -> None:
        self.uncovered: set[int] = set()
        self.signal: Signal | None = None
        """None until the cluster is open: then no partition can be subscribed."""
        self._hub = hub
        self._clock = clock
        self._announced = announced
        self._subscribed: dict[int, Partition] = {}
        self._subscribing: dict[int, asyncio.Task[Partition | None]] = {}
        self._interruptions = 0

    @property
    def subscribed(self) -> int:
        """Number of subscribed partitions."""
        return len(self._subscribed)

    def find(self, feed: FeedKey) -> Partition | None:
        """Return the feed's partition if it is subscribed."""
        return self._subscribed.get(partition_of(feed))

    def states(self, number: int) -> dict[FeedKey, State]:
        """Return the states that are remembered of a partition, to look at and to remove from."""
        partition = self._subscribed.get(number)
        return {} if partition is None else partition.states

    async def join(self, feed: FeedKey) -> Partition | None:
        """Return the feed's partition, subscribed from now on; None, and it is uncovered, when the signal cannot.

        What is read after this call and what is received from now on leave no gap.
        """
        number = partition_of(feed)
        partition = self._subscribed.get(number)
        if partition is None and number not in self.uncovered:  # its subscription is under way: do not wait for it
            partition = await self.subscribe(number)
        if partition is not None:
            partition.used_s = self._clock.monotonic_s()
        return partition

    async def subscribe(self, number: int) -> Partition | None:
        """Return the partition, subscribed; None, and it is uncovered, when the signal cannot."""
        partition = self._subscribed.get(number)
        if partition is not None:
            return partition
        if self.signal is None or self.signal.trouble is not None:
            self.uncovered.add(number)
            return None
        subscribing = self._subscribing.get(number)
        if subscribing is None:
            subscribing = self._subscribing[number] = asyncio.create_task(self._subscribe(self.signal, number))
            subscribing.add_done_callback(lambda _: self._subscribing.pop(number, None))
        done, _ = await asyncio.wait((subscribing,), timeout=JOIN_LIMIT_S)
        if not done:
            self.uncovered.add(number)
            return None
        return subscribing.result()

    async def _subscribe(self, signal: Signal, number: int) -> Partition | None:
        interruptions = self._interruptions
        try:
            await signal.subscribe(number)
        except SignalUnavailable:
            self.uncovered.add(number)
            return None
        if interruptions != self._interruptions:
            self.uncovered.add(number)
            return None
        partition = self._subscribed[number] = Partition(number, self._clock.monotonic_s())
        return partition

    def keep(self, partition: Partition | None, feed: FeedKey, state: State) -> None:
        """Remember a state that was read or committed, and announce it to the polls of the feed.

        `partition` was subscribed before the read began. A state is not remembered for a feed without polls: a signal
        that came meanwhile was not recorded for it. An older one is forgotten then, since the signal that caused the
        read does not come again.
        """
        if not self._hub.is_watched(feed):
            self.forget_feed(feed)
            return
        if partition is not None and self._subscribed.get(partition.number) is partition:
            known = partition.states.get(feed)
            if known is not None and known.version >= state.version:
                return
            partition.put(feed, state, self._hub.is_watched)
        self._announced(feed, state)

    def committed(self, number: int, feed: FeedKey, version: int, order: Order | None = None) -> None:
        """Remember what this node committed, for feeds of a partition that are remembered or watched.

        A read of a watched feed may be under way: its result must not be remembered after this one. `order` is None for
        a party's feed.
        """
        partition = self._subscribed.get(number)
        if partition is None:
            return
        known = partition.states.get(feed)
        if known.version < version if known is not None else self._hub.is_watched(feed):
            partition.put(feed, order or FeedState(feed, FeedChanges(version)), self._hub.is_watched)

    def forget(self, number: int) -> None:
        """Forget the states of a partition, which may be out of date after lost messages.

        It is replaced, so that what a read under way returns is not remembered either.
        """
        partition = self._subscribed.get(number)
        if partition is not None:
            self._subscribed[number] = Partition(number, partition.used_s)

    def forget_feed(self, feed: FeedKey) -> None:
        partition = self.find(feed)
        if partition is not None:
            partition.states.pop(feed, None)

    def is_known(self, feed: FeedKey, version: int) -> bool:
        """Return True when the feed is remembered at this version or a later one."""
        partition = self.find(feed)
        state = None if partition is None else partition.states.get(feed)
        return state is not None and state.version >= version

    def interrupt(self) -> None:
        """All subscriptions have ended."""
        self._interruptions += 1
        self._subscribed.clear()
        self.uncovered.update(map(partition_of, self._hub.feeds()))

    def end_cover(self, numbers: Iterable[int]) -> None:
        """Those of these partitions that are subscribed are no longer uncovered. A subscription that was confirmed may
        have been interrupted since."""
        self.uncovered.difference_update(number for number in numbers if number in self._subscribed)

    def release_unused(self) -> None:
        """End the subscriptions that no poll has needed for LINGER_S."""
        now_s = self._clock.monotonic_s()
        unused = {number for number, each in self._subscribed.items() if now_s - each.used_s > LINGER_S}
        for feed in self._hub.feeds():
            if not unused:
                break
            number = partition_of(feed)
            if number in unused:
                unused.discard(number)
                self._subscribed[number].used_s = now_s
        for number in unused:
            del self._subscribed[number]
            if self.signal is not None:
                self.signal.unsubscribe(number)

    def watched(self, numbers: Iterable[int]) -> list[FeedKey]:
        """Return the feeds of these partitions that have polls."""
        wanted = frozenset(numbers)
        return [feed for feed in self._hub.feeds() if partition_of(feed) in wanted]
