"""Tracking with a store in the test's hand, and clients that remember what they were told."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from ordertrack.adapters.memory.store import MemoryStore
from ordertrack.core.cursor import Cursor
from ordertrack.core.errors import OrdertrackError
from ordertrack.core.event import Status
from ordertrack.core.feed import FeedChanges, FeedKey, order_feed
from ordertrack.core.hub import Caps, Hub, Poll
from ordertrack.core.order import NewOrder, Order
from ordertrack.core.order_rules import Change, ChangeStatus
from ordertrack.core.poll import Answer, PollRequest
from ordertrack.core.principal import ANYONE, Principal
from ordertrack.ports.clock import Clock
from ordertrack.ports.commits import Applied, CommitListener, Committed
from ordertrack.service.monitoring.statistics import Statistics
from ordertrack.service.pending import Pending
from ordertrack.service.tracking.tracking import PollOutcome, Tracking
from ordertrack.service.tracking.waiter import WaitingPoll

EPOCH = "a1b2"
BOUND_S = 1_000
"""Seconds of virtual time: longer than any hold."""
T = TypeVar("T")
Feed = int | FeedKey


def is_further(cursor: Cursor, before: Cursor) -> bool:
    """True when `cursor` is behind `before` in a feed. The pages of a snapshot come before the changes after it."""
    return cursor.version > before.version or (cursor.after_id or math.inf) > (before.after_id or math.inf)


def as_feed(feed: Feed) -> FeedKey:
    """An order's id stands for its feed."""
    return order_feed(feed) if isinstance(feed, int) else feed


class Client:
    """A waiter that remembers what it was told, and when."""

    def __init__(self) -> None:
        self.told: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self.told_at_s = 0.0
        self.requested_at_s: float | None = None

    def answer(self, answer: Answer, requested_at_s: float | None) -> None:
        self.told.set_result(answer)  # a second call would raise
        self.told_at_s = asyncio.get_running_loop().time()
        self.requested_at_s = requested_at_s

    def refuse(self, error: OrdertrackError) -> None:
        self.told.set_exception(error)
        self.told_at_s = asyncio.get_running_loop().time()


class StoreInHand:
    """A memory store whose reads can be held up or fail, and whose commits can be hidden from the listener.

    `at_hand`: nothing has to be read as long as reads are neither held up nor fail. A held-up read returns what was
    true when it began, or, if `reads_afresh`, when it ends: a real store may do either.
    """

    def __init__(self, clock: Clock, *, at_hand: bool) -> None:
        self.inner = MemoryStore(EPOCH, clock)
        self.reading = asyncio.Event()
        self.gate = asyncio.Event()
        self.gate.set()
        self.reads_afresh = False
        self.reads = 0
        self.failure: OrdertrackError | None = None
        self.hides_commits = False
        self.at_hand = at_hand

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def hold_reads(self) -> None:
        self.gate.clear()
        self.reading.clear()

    async def open(self, listener: CommitListener) -> None:
        def unless_hidden(commits: Sequence[Committed]) -> None:
            if not self.hides_commits:
                listener(commits)

        await self.inner.open(unless_hidden)

    @property
    def _has_to_be_read(self) -> bool:
        return not self.at_hand or self.failure is not None or not self.gate.is_set()

    def peek(self, order_id: int) -> Order | None:
        return None if self._has_to_be_read else self.inner.peek(order_id)

    def peek_feed_version(self, feed: FeedKey) -> int | None:
        return None if self._has_to_be_read else self.inner.peek_feed_version(feed)

    async def order(self, order_id: int) -> Order:
        return await self._read(lambda: self.inner.order(order_id))

    async def feed_version(self, feed: FeedKey) -> int:
        return await self._read(lambda: self.inner.feed_version(feed))

    async def feed_changes(self, feed: FeedKey, after: int | None, **page: int) -> FeedChanges:
        return await self._read(lambda: self.inner.feed_changes(feed, after, **page))

    async def _read(self, read: Callable[[], Awaitable[T]]) -> T:
        self.reads += 1
        found = await read()
        self.reading.set()
        await self.gate.wait()
        if self.failure is not None:
            raise self.failure
        return await read() if self.reads_afresh else found


class Node:
    """A store, a hub and tracking, wired as the application does it, and an order to ask about."""

    def __init__(
        self, clock: Clock, *, at_hand: bool = True, max_polls_per_feed: int = 10, max_polls: int = 1_000
    ) -> None:
        self.clock = clock
        self.store = StoreInHand(clock, at_hand=at_hand)
        self.hub: Hub[Any] = Hub(Caps(max_polls_per_feed, 1_000, max_polls), full_retry_after_s=lambda: 7)
        self.statistics = Statistics()
        self.drawn = 0.0
        """The next random number from 0 to 1."""
        self.tracking = Tracking(
            self.store, self.hub, clock, self.statistics, max_timeout_s=120.0, draw=lambda: self.drawn
        )

    async def place(self, courier_id: str | None = None) -> int:
        return (await self.store.create(NewOrder("c1", "r1", courier_id), self.clock.now_ms())).order.id

    async def change(self, change: Change) -> Order:
        (result,) = await self.store.apply([change], self.clock.now_ms())
        assert isinstance(result, Applied), result
        return result.order

    async def become(self, order_id: int, status: str) -> Order:
        return await self.change(ChangeStatus(order_id, Status(status), "cook"))

    async def poll(self, feed: Feed, by: Principal = ANYONE, **fields: Any) -> Answer:
        """A poll that is answered at once."""
        outcome = await finished(self.tracking.poll(as_feed(feed), PollRequest(**fields), Client(), by))
        assert isinstance(outcome, Answer), "held"
        return outcome

    async def held(self, feed: Feed, by: Principal = ANYONE, **fields: Any) -> tuple[Client, WaitingPoll]:
        """A poll that is held."""
        client = Client()
        outcome = await finished(self.tracking.poll(as_feed(feed), PollRequest(**fields), client, by))
        assert isinstance(outcome, Poll), outcome.reason
        assert not client.told.done()
        return client, outcome

    def begin(
        self, feed: Feed, by: Principal = ANYONE, **fields: Any
    ) -> tuple[Client, asyncio.Task[Answer | WaitingPoll]]:
        """A poll whose read may be held up."""
        client, request = Client(), PollRequest(**fields)
        polling = self.tracking.poll(as_feed(feed), request, client, by)
        return client, asyncio.create_task(finished(polling))

    def assert_hub_is_empty(self) -> None:
        assert (self.hub.joined, self.hub.held, self.hub.feeds_watched) == (0, 0, 0)
        assert (self.hub._by_client, self.hub._held_by_client, self.hub.next_deadline_s()) == ({}, {}, None)


async def finished(outcome: PollOutcome | Pending[PollOutcome]) -> PollOutcome:
    return await outcome if isinstance(outcome, Pending) else outcome


async def bounded(told: Awaitable[Any]) -> Any:
    async with asyncio.timeout(BOUND_S):
        return await told


def at(version: int) -> Cursor:
    return Cursor(EPOCH, version)
