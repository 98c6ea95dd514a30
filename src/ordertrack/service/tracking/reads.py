"""Run what a poll has to read: from the store's cache at once, or from the store when its future is done.

A poll's decision is written once, as a `ReadPlan`: a generator that yields a `ReadRequest` for each value it needs, is
sent the value, and returns its result.

    plan yields a request ──► cached? ──yes──► the plan goes on with the value ──► ... ──► result
                                 │
                                 no: `run_cached` raises CacheMiss, and `read` goes on with the same plan: when the
                                     store has read the value

So a poll whose order is cached is answered or held in one call, and no poll needs a task.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Generator
from functools import partial
from typing import Any, NamedTuple, TypeVar, assert_never

from ordertrack.core.errors import StoreUnavailable
from ordertrack.core.feed import PAGE_ENTRIES, FeedChanges, FeedKey, FeedKind, FeedState
from ordertrack.core.poll import State
from ordertrack.ports.clock import Clock
from ordertrack.ports.feed_store import FeedStore
from ordertrack.service.pending import Pending

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

    def run_cached(self, plan: ReadPlan[T], value: State | None = None, last: ReadRequest | None = None) -> T:
        """Run the plan with cached values, from its beginning or from `value`, which was read for the request `last`.

        Raises: CacheMiss; then the caller passes the same plan to `read`, or closes it.
        """
        try:
            # `send(None)` begins a plan.
            request = plan.send(value)  # type: ignore[arg-type]
            while True:
                # A repeated request means that the cached value is too old: looping here would block the event loop.
                state = self.cached(request) if request != last else None
                if state is None:
                    raise CacheMiss(request)
                last, request = request, plan.send(state)
        except StopIteration as end:
            result: T = end.value
            return result

    def read(self, plan: ReadPlan[T], request: ReadRequest) -> Pending[T]:
        """Read what the plan waits for. The pending result continues the plan, and closes it when it fails.

        It raises OrderNotFound, StoreBusy, StoreUnavailable, InternalError, and what the plan raises.
        """
        return Pending(asyncio.ensure_future(self._begin(request)), partial(self._continue, plan, request))

    def _continue(self, plan: ReadPlan[T], request: ReadRequest, future: asyncio.Future[Any]) -> T | Pending[T]:
        try:
            return self.run_cached(plan, _state_of(request, future.result()), request)
        except CacheMiss as miss:
            return self.read(plan, miss.request)
        except BaseException:
            plan.close()
            raise

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
                    return await self.read(plan, request)
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

    def _begin(self, request: ReadRequest) -> Awaitable[Any]:
        match request:
            case FeedKey(FeedKind.ORDER, order_id):
                return self._store.order(int(order_id))
            case FeedKey():
                return self._store.feed_version(request)
            case ChangesRequest(feed, after, after_id):
                return self._store.feed_changes(feed, after, limit=PAGE_ENTRIES, after_id=after_id)
            case _:
                assert_never(request)


def _state_of(request: ReadRequest, value: Any) -> State:
    """Return what the store read for `request` as a state."""
    if isinstance(request, ChangesRequest):
        return FeedState(request.feed, value)
    return value if request.kind is FeedKind.ORDER else FeedState(request, FeedChanges(value))
