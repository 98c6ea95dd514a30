"""The most recently used values, and no more of them than allowed."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class LruCache(OrderedDict[K, V]):
    """`use` and `put` count as a use of the value; `get` and `in` do not."""

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
class _Reading(Generic[V]):
    """Reads of one value under way. `newest` is what a commit left meanwhile: what was read must not shadow it."""

    readers: int = 0
    newest: V | None = None


class CommitCache(Generic[K, V]):
    """Values as commits left them, for the event loop; those that are not here are read from the file."""

    def __init__(self, limit: int) -> None:
        self._recent: LruCache[K, V] = LruCache(limit)
        self._reading: dict[K, _Reading[V]] = {}

    def get(self, key: K) -> V | None:
        return self._recent.use(key)

    def commit(self, values: Mapping[K, V], *, only_if_used: bool = False) -> None:
        """Keep what a commit left; with `only_if_used` only what was asked for before."""
        for key, value in values.items():
            if not only_if_used or key in self._recent:
                self._recent.put(key, value)
            if key in self._reading:
                self._reading[key].newest = value

    async def read(self, key: K, load: Callable[[], Awaitable[V | None]]) -> V | None:
        """The value, from here or loaded; None when there is none."""
        value = self._recent.use(key)
        if value is not None:
            return value
        reading = self._reading.setdefault(key, _Reading())
        reading.readers += 1
        try:
            found = await load()
            value = found if reading.newest is None else reading.newest
        finally:
            reading.readers -= 1
            if not reading.readers:
                del self._reading[key]
        if value is not None:
            self._recent.put(key, value)
        return value
