"""What is known of a feed: at hand, read from the store, or told by a commit.

A use case that has to know something is written as steps: a generator that yields what it wants to know, is sent it,
and returns its result. So it is written once, whether all is at hand (`now`: no task, no waiting) or the store has to
be read (`later`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from typing import NamedTuple, TypeVar, assert_never

from ordertrack.core.errors import StoreUnavailable
from ordertrack.core.feed import PAGE_ENTRIES, FeedChanges, FeedKey, FeedKind, FeedState
from ordertrack.core.poll import State
from ordertrack.ports.clock import Clock
from ordertrack.ports.feed_store import FeedStore

SOON_S = 0.75
MAX_READS_SOON = 100
"""At once."""
SLOW_RETRY_AFTER_S = 5

T = TypeVar("T")


class Changes(NamedTuple):
    """A page of a party's feed, as `Store.feed_changes` has it."""

    feed: FeedKey
    after: int | None
    snapshot: int


Wanted = FeedKey | Changes
"""A feed's key alone stands for how the feed stands: the order, or the version of a party's feed."""
Steps = Generator[Wanted, State, T]


class NotAtHand(Exception):
    """The store has to be read for what is `wanted`."""

    def __init__(self, wanted: Wanted) -> None:
        self.wanted = wanted


class Feeds:
    def __init__(self, store: FeedStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._turns = asyncio.Semaphore(MAX_READS_SOON)
        self._no_reads_until_s = 0.0

    def now(self, steps: Steps[T]) -> T:
        """Take the steps with what is at hand.

        Raises NotAtHand; then `later` goes on with the same steps, or the caller closes them.
        """
        asked: Wanted | None = None
        try:
            wanted = next(steps)
            while True:
                # Whoever wants the same again has been sent something too old. Without this, waiting for something
                # newer here would keep the event loop from ever hearing of it.
                state = self.at_hand(wanted) if wanted != asked else None
                if state is None:
                    raise NotAtHand(wanted)
                asked, wanted = wanted, steps.send(state)
        except StopIteration as end:
            result: T = end.value
            return result

    async def later(self, steps: Steps[T], wanted: Wanted) -> T:
        """Go on with steps that wait for what is `wanted`. They are closed whatever comes of it.

        Raises OrderNotFound, StoreUnavailable.
        """
        state = None
        try:
            while True:
                asked, wanted = wanted, steps.send(await self._read(wanted) if state is None else state)
                state = self.at_hand(wanted) if wanted != asked else None
        except StopIteration as end:
            result: T = end.value
            return result
        finally:
            steps.close()

    async def soon(self, steps: Steps[T], wanted: Wanted) -> T:
        """As `later`, for polls whose time has come: however many there are, each is read for in its turn.

        When a read takes more than SOON_S seconds, it and all others are refused for as long, and so come in time to
        what else can be done. Raises: OrderNotFound, InternalError, StoreBusy, StoreUnavailable.
        """
        try:
            async with self._turns:
                if self._clock.monotonic_s() < self._no_reads_until_s:
                    raise StoreUnavailable(retry_after_s=SLOW_RETRY_AFTER_S)
                async with asyncio.timeout(SOON_S):
                    return await self.later(steps, wanted)
        except TimeoutError:
            self._no_reads_until_s = self._clock.monotonic_s() + SOON_S
            raise StoreUnavailable(retry_after_s=SLOW_RETRY_AFTER_S) from None
        finally:
            steps.close()

    def at_hand(self, wanted: Wanted) -> State | None:
        """As it was last announced; None when the store has to be read."""
        if isinstance(wanted, Changes):
            return None
        if wanted.kind is FeedKind.ORDER:
            return self._store.peek(int(wanted.id))
        version = self._store.peek_feed_version(wanted)
        return None if version is None else FeedState(wanted, FeedChanges(version))

    def unread(self, feed: FeedKey, version: int) -> State | None:
        """How a feed stands that is at least at `version`, as far as that is known without the store."""
        state = self.at_hand(feed)
        if feed.kind is FeedKind.ORDER or (state is not None and state.version >= version):
            return state
        return FeedState(feed, FeedChanges(version))

    async def _read(self, wanted: Wanted) -> State:
        match wanted:
            case FeedKey(FeedKind.ORDER, order_id):
                return await self._store.order(int(order_id))
            case FeedKey():
                return FeedState(wanted, FeedChanges(await self._store.feed_version(wanted)))
            case Changes(feed, after, snapshot):
                return FeedState(
                    feed, await self._store.feed_changes(feed, after, limit=PAGE_ENTRIES, snapshot=snapshot)
                )
            case _:
                assert_never(wanted)
