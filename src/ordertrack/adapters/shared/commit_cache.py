"""Bounded caches: of recently used values, and of values as commits left them."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from typing import Any, Generic, TypeVar

from ordertrack.adapters.shared.memory_estimate import estimate_bytes

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class LruCache(OrderedDict[K, V]):
    """At most `limit` values. `put` evicts the one that was put, or moved to the end, longest ago."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self._limit = limit

    def put(self, key: K, value: V) -> None:
        self[key] = value
        self.move_to_end(key)
        if len(self) > self._limit:
            self.popitem(last=False)


class PendingRead(Generic[K, V]):
    """A read in progress, shared by its callers: each has a future of its own, so that one who gives up cancels no
    other. `newest` is the value of a commit meanwhile, which is newer than the read one."""

    __slots__ = ("_cache", "_futures", "_key", "newest")

    def __init__(self, cache: CommitCache[K, V], key: K) -> None:
        self._cache = cache
        self._key = key
        self._futures: list[asyncio.Future[V]] = []
        self.newest: V | None = None

    @property
    def is_wanted(self) -> bool:
        """False when every caller has given up."""
        return not all(future.done() for future in self._futures)

    def share(self) -> asyncio.Future[V]:
        future: asyncio.Future[V] = asyncio.get_running_loop().create_future()
        self._futures.append(future)
        return future

    def resolve(self, outcome: Any) -> None:
        """End the read with a value, an error, or None when it was not wanted. Called once, on the event loop."""
        if self.newest is not None:
            outcome = self.newest
        self._cache.end_read(self._key, self, outcome)
        for future in self._futures:
            if future.done():
                continue
            if isinstance(outcome, Exception):
                future.set_exception(outcome)
            else:
                future.set_result(outcome)


class CommitCache(Generic[K, V]):
    """Values as the latest commits left them, for the event loop; a missing value is loaded from the store's medium.

    At most `limit` values are cached, and beyond it those for which `is_watched` is true: a held poll needs its order
    on each change and at its deadline.
    """

    def __init__(self, limit: int) -> None:
        self.is_watched: Callable[[K], bool] = lambda key: False
        self._limit = limit
        self._cache: OrderedDict[K, V] = OrderedDict()
        self._pending: dict[K, PendingRead[K, V]] = {}

    def __len__(self) -> int:
        return len(self._cache)

    def estimate_bytes(self) -> int:
        return estimate_bytes(self._cache)

    def get(self, key: K) -> V | None:
        value = self._cache.get(key)
        if value is not None:
            self._cache.move_to_end(key)
        return value

    def commit(self, values: Mapping[K, V], *, only_if_used: bool = False) -> None:
        """Record values after a commit. `only_if_used`: update only values that are cached already."""
        cache, limit = self._cache, self._limit
        for key, value in values.items():
            if not only_if_used or key in cache:
                cache[key] = value
                cache.move_to_end(key)
                if len(cache) > limit:
                    self._evict()
            if key in self._pending:
                self._pending[key].newest = value

    def _evict(self) -> None:
        """Look at the two values used least recently and evict those not watched: so the cache shrinks again when fewer
        are watched."""
        for _ in range(2):
            oldest = next(iter(self._cache))
            if self.is_watched(oldest):
                self._cache.move_to_end(oldest)
            else:
                del self._cache[oldest]
                if len(self._cache) <= self._limit:
                    return

    def read(self, key: K, begin: Callable[[K, PendingRead[K, V]], None]) -> asyncio.Future[V]:
        """Return the value, cached or read. `begin` starts a read, and resolves it later or at once."""
        value = self.get(key)
        if value is not None:
            found: asyncio.Future[V] = asyncio.get_running_loop().create_future()
            found.set_result(value)
            return found
        pending = self._pending.get(key)
        if pending is not None and pending.is_wanted:
            return pending.share()
        pending = self._pending[key] = PendingRead(self, key)
        future = pending.share()
        begin(key, pending)
        return future

    def end_read(self, key: K, pending: PendingRead[K, V], outcome: Any) -> None:
        if self._pending.get(key) is pending:
            del self._pending[key]
            if outcome is not None and not isinstance(outcome, Exception):
                self.commit({key: outcome})
