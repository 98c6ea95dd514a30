"""Bounded caches: of recently used values, and of values as commits left them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class LruCache(OrderedDict[K, V]):
    """At most `limit` values; the least recently used one is evicted. `use` and `put` count as a use."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self._limit = limit

    def use(self, key: K) -> V | None:
        value = self.get(key)
        if value is not None:
            self.move_to_end(key)
        return value

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
    """Values as the latest commits left them, for the event loop; a missing value is loaded from the store's medium."""

    def __init__(self, limit: int) -> None:
        self._cache: LruCache[K, V] = LruCache(limit)
        self._pending: dict[K, _PendingRead[V]] = {}

    def get(self, key: K) -> V | None:
        return self._cache.use(key)

    def commit(self, values: Mapping[K, V], *, only_if_used: bool = False) -> None:
        """Record values after a commit. `only_if_used`: update only values that are cached already."""
        for key, value in values.items():
            if not only_if_used or key in self._cache:
                self._cache.put(key, value)
            if key in self._pending:
                self._pending[key].newest = value

    async def read(self, key: K, load: Callable[[], Awaitable[V | None]]) -> V | None:
        """Return the value, cached or loaded; None when there is none."""
        value = self._cache.use(key)
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
            self._cache.put(key, value)
        return value
