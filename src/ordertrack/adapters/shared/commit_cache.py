"""Bounded caches: of recently used values, and of values as commits left them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class LruCache(Generic[K, V]):
    """At most `limit` values; the least recently used one is evicted."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._values: OrderedDict[K, V] = OrderedDict()

    def __contains__(self, key: K) -> bool:
        return key in self._values

    def get(self, key: K) -> V | None:
        value = self._values.get(key)
        if value is not None:
            self._values.move_to_end(key)
        return value

    def put(self, key: K, value: V) -> None:
        self._values[key] = value
        self._values.move_to_end(key)
        if len(self._values) > self._limit:
            self._values.popitem(last=False)

    def clear(self) -> None:
        self._values.clear()


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
        return self._cache.get(key)

    def commit(self, key: K, value: V, *, only_if_used: bool = False) -> None:
        """Record the value after a commit. `only_if_used`: cache it only if it was cached before."""
        if not only_if_used or key in self._cache:
            self._cache.put(key, value)
        if key in self._pending:
            self._pending[key].newest = value

    async def read(self, key: K, load: Callable[[], Awaitable[V | None]]) -> V | None:
        """Return the value, cached or loaded; None when there is none."""
        value = self._cache.get(key)
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
