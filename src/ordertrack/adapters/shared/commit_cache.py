"""Bounded caches: of recently used values, and of values as commits left them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

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


@dataclass(slots=True)
class _PendingRead(Generic[V]):
    """Reads of one value in progress. `newest` is the value of a commit meanwhile, which is newer than the read one."""

    readers: int = 0
    newest: V | None = None


class CommitCache(Generic[K, V]):
    """Values as the latest commits left them, for the event loop; a missing value is loaded from the store's medium.

    At most `limit` values are cached, and beyond it those for which `is_watched` is true: a held poll needs its order
    on each change and at its deadline.
    """

    def __init__(self, limit: int) -> None:
        self.is_watched: Callable[[K], bool] = lambda key: False
        self._limit = limit
        self._cache: OrderedDict[K, V] = OrderedDict()
        self._pending: dict[K, _PendingRead[V]] = {}

    def get(self, key: K) -> V | None:
        value = self._cache.get(key)
        if value is not None:
            self._cache.move_to_end(key)
        return value

    def commit(self, values: Mapping[K, V], *, only_if_used: bool = False) -> None:
        """Record values after a commit. `only_if_used`: update only values that are cached already."""
        for key, value in values.items():
            if not only_if_used or key in self._cache:
                self._put(key, value)
            if key in self._pending:
                self._pending[key].newest = value

    def _put(self, key: K, value: V) -> None:
        """Add the value. Beyond the limit look at the two values used least recently: evict those not watched, so that
        the cache shrinks again once fewer are watched."""
        cache = self._cache
        cache[key] = value
        cache.move_to_end(key)
        for _ in range(2):
            if len(cache) <= self._limit:
                return
            oldest = next(iter(cache))
            if self.is_watched(oldest):
                cache.move_to_end(oldest)
            else:
                del cache[oldest]

    async def read(self, key: K, load: Callable[[], Awaitable[V | None]]) -> V | None:
        """Return the value, cached or loaded; None when there is none."""
        value = self.get(key)
        if value is not None:
            return value
        pending = self._pending.setdefault(key, _PendingRead())
        pending.readers += 1
        try:
            found = await load()
            value = found if pending.newest is None else pending.newest
        finally:
            pending.readers -= 1
            if not pending.readers:
                del self._pending[key]
        if value is not None:
            self._put(key, value)
        return value
