"""Run what a poll has to read: from the store's cache at once, or from the store in a task.

A poll's decision is written once, as a `ReadPlan`: a generator that yields a `ReadRequest` for each value it needs, is
sent the value, and returns its result.

    plan yields a request ──► cached? ──yes──► the plan goes on with the value ──► ... ──► result
                                 │
                                 no: `run_cached` raises CacheMiss, and `run` goes on with the same plan: it awaits the
                                     store for each request that is not cached

So a poll whose order is cached is answered or held in one call, without a task and without waiting.
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

QUEUED_READ_LIMIT_S = 0.75
MAX_QUEUED_READS = 100
"""Queued plans that read at the same time."""
SLOW_RETRY_AFTER_S = 5

T = TypeVar("T")


class ChangesRequest(NamedTuple):
    """A page of a party's feed: the arguments of `Store.feed_changes`."""

    feed: FeedKey
    after: int | None
    after_id: int


ReadRequest = FeedKey | ChangesRequest
"""A feed's key requests its state: the order, or the version of a party's feed."""
ReadPlan = Generator[ReadRequest, State, T]


class CacheMiss(Exception):
    """`request` needs the store."""

    def __init__(self, request: ReadRequest) -> None:
        self.request = request


class Reads:
    def __init__(self, store: FeedStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._queue = asyncio.Semaphore(MAX_QUEUED_READS)
        self._no_reads_until_s = 0.0

    def run_cached(self, plan: ReadPlan[T]) -> T:
        """Run the plan with cached values.

        Raises: CacheMiss; then the caller passes the same plan to `run`, or closes it.
        """
        last: ReadRequest | None = None
        try:
            request = next(plan)
            while True:
                # A repeated request means that the cached value is too old: looping here would block the event loop.
                state = self.cached(request) if request != last else None
                if state is None:
                    raise CacheMiss(request)
                last, request = request, plan.send(state)
        except StopIteration as end:
            result: T = end.value
            return result

    async def run(self, plan: ReadPlan[T], request: ReadRequest) -> T:
        """Continue the plan, which waits for `request`, and close it.

        Raises: OrderNotFound, StoreBusy, StoreUnavailable, InternalError, and what the plan raises.
        """
        state = None
        try:
            while True:
                last, request = request, plan.send(await self._read(request) if state is None else state)
                state = self.cached(request) if request != last else None
        except StopIteration as end:
            result: T = end.value
            return result
        finally:
            plan.close()

    async def run_queued(self, plan: ReadPlan[T], request: ReadRequest) -> T:
        """Run the plan of a poll that is due: at its deadline, after news, or in a drain. MAX_QUEUED_READS at a time.

        After one timeout, all queued plans are refused for QUEUED_READ_LIMIT_S, so that polls are answered in time.
        Raises: StoreUnavailable, StoreBusy, InternalError, OrderNotFound, and what the plan raises.
        """
        try:
            async with self._queue:
                if self._clock.monotonic_s() < self._no_reads_until_s:
                    raise StoreUnavailable(retry_after_s=SLOW_RETRY_AFTER_S)
                async with asyncio.timeout(QUEUED_READ_LIMIT_S):
                    return await self.run(plan, request)
        except TimeoutError:
            self._no_reads_until_s = self._clock.monotonic_s() + QUEUED_READ_LIMIT_S
            raise StoreUnavailable(retry_after_s=SLOW_RETRY_AFTER_S) from None
        finally:
            plan.close()

    def cached(self, request: ReadRequest) -> State | None:
        """Return the state that was announced last; None when the store has to be read."""
        if isinstance(request, ChangesRequest):
            return None
        if request.kind is FeedKind.ORDER:
            return self._store.peek(int(request.id))
        version = self._store.peek_feed_version(request)
        return None if version is None else FeedState(request, FeedChanges(version))

    def cached_from(self, feed: FeedKey, version: int) -> State | None:
        """Return an order as cached, at any version; or a party's feed at `version` or later, even if not cached."""
        state = self.cached(feed)
        if feed.kind is FeedKind.ORDER or (state is not None and state.version >= version):
            return state
        return FeedState(feed, FeedChanges(version))

    async def _read(self, request: ReadRequest) -> State:
        match request:
            case FeedKey(FeedKind.ORDER, order_id):
                return await self._store.order(int(order_id))
            case FeedKey():
                return FeedState(request, FeedChanges(await self._store.feed_version(request)))
            case ChangesRequest(feed, after, after_id):
                changes = await self._store.feed_changes(feed, after, limit=PAGE_ENTRIES, after_id=after_id)
                return FeedState(feed, changes)
            case _:
                assert_never(request)
