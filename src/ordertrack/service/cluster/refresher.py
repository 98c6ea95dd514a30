"""Read feeds again, in batches: those that a signal named, those of partitions that lost messages, those of polls at
their deadline. What is newer than the polls of a feed know is announced to them."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Sequence
from itertools import islice

import structlog

from ordertrack.core.errors import OrdertrackError
from ordertrack.core.feed import FeedChanges, FeedKey, FeedKind, FeedState
from ordertrack.core.hub import Hub
from ordertrack.core.order import Order
from ordertrack.ports.clock import Clock
from ordertrack.ports.shared_store import SharedStore
from ordertrack.service.cluster.partitions import Partitions
from ordertrack.service.monitoring.statistics import Statistics
from ordertrack.service.tracking.waiter import Waiter

BATCH = 1_000
RETRY_S = 0.5
CONFIRM_LIMIT_S = 0.75
LATE_MS = 2_000
"""News found at a deadline that is older than this was lost: no signal is so slow. By the clocks of two nodes."""

log = structlog.get_logger("ordertrack.cluster")


class Refresher:
    def __init__(
        self,
        store: SharedStore,
        hub: Hub[Waiter],
        partitions: Partitions,
        clock: Clock,
        statistics: Statistics,
    ) -> None:
        self._store = store
        self._hub = hub
        self._partitions = partitions
        self._clock = clock
        self._statistics = statistics
        self._named: dict[FeedKey, int] = {}
        self._reading: dict[FeedKey, int] = {}
        """Named feeds that are being read."""
        self._lost: set[int] = set()
        self._woken = asyncio.Event()

    def name(self, feed: FeedKey, version: int) -> None:
        """A signal named this watched feed: read it soon."""
        self._named[feed] = max(version, self._named.get(feed, 0))
        self._woken.set()

    def lose(self, numbers: Iterable[int]) -> None:
        """Messages of these partitions were lost: compare their watched feeds with the store."""
        for number in numbers:
            self._lost.add(number)
            self._partitions.forget(number)
        self._woken.set()

    async def run(self) -> None:
        while True:
            await self._woken.wait()
            self._woken.clear()
            lost, self._lost = self._lost, set()
            named = self._reading = dict(islice(self._named.items(), BATCH))
            for feed in named:
                del self._named[feed]
            try:
                await self._read(named)
                named = self._reading = {}
                await self._compare(self._partitions.watched(lost) if lost else ())
            except Exception as error:  # of a fault too: what was taken must not be forgotten
                log.warning(
                    "feeds could not be read, trying again",
                    error=repr(error),
                    exc_info=not isinstance(error, OrdertrackError),
                )
                self._reading = {}
                self._lost |= lost
                for feed, version in named.items():
                    self._named[feed] = max(version, self._named.get(feed, 0))
                await asyncio.sleep(RETRY_S)
            if self._named or self._lost:
                self._woken.set()

    async def confirm(self, feeds: Collection[FeedKey]) -> None:
        """Compare feeds of polls at their deadline with the store. A store that fails changes nothing.

        Takes at most CONFIRM_LIMIT_S seconds.
        """
        try:
            async with asyncio.timeout(CONFIRM_LIMIT_S):
                await self._compare(list(feeds), are_due=True)
        except Exception as error:  # of a fault too: the polls have to be answered
            log.warning(
                "polls end without a look at the store",
                polls=len(feeds),
                error=repr(error),
                exc_info=not isinstance(error, OrdertrackError | TimeoutError),
            )

    async def _compare(self, feeds: Sequence[FeedKey], *, are_due: bool = False) -> None:
        for first in range(0, len(feeds), BATCH):
            versions = await self._store.versions(feeds[first : first + BATCH])
            behind = {
                feed: version
                for feed, version in versions.items()
                if self._hub.is_behind(feed, version) or (are_due and not self._partitions.is_known(feed, version))
            }
            await self._read(behind, are_due=are_due)

    async def _read(self, feeds: dict[FeedKey, int], *, are_due: bool = False) -> None:
        """Read feeds that are at these versions, at least, and announce them; forget those without polls."""
        orders = {}
        for feed in feeds:
            if not self._hub.is_watched(feed):
                self._partitions.forget_feed(feed)
            elif feed.kind is FeedKind.ORDER:
                orders[int(feed.id)] = feed
        partitions = {feed: self._partitions.find(feed) for feed in feeds}
        if orders:
            for order_id, order in (await self._store.orders_by_id(list(orders))).items():
                feed = orders[order_id]
                if are_due and self._hub.is_behind(feed, order.version):
                    self._count_if_lost(feed, order)
                self._partitions.keep(partitions[feed], feed, order)
        for feed, version in feeds.items():
            if feed.kind is not FeedKind.ORDER:
                self._partitions.keep(partitions[feed], feed, FeedState(feed, FeedChanges(version)))

    def _count_if_lost(self, feed: FeedKey, order: Order) -> None:
        is_expected = feed in self._named or feed in self._reading or self._partitions.find(feed) is None
        if not is_expected and self._clock.now_ms() - order.updated_at_ms > LATE_MS:
            self._statistics.lost_wakeups += 1
            log.error("lost wake-up", feed=feed, version=order.version)
