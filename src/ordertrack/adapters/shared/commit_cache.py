"""The most recently used values, and no more of them than allowed."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class LruCache(Generic[K, V]):
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
class _Reading(Generic[V]):
    """Reads of one value under way. `newest` is what a commit left meanwhile: what was read must not shadow it."""

    readers: int = 0
    newest: V | None = None


class CommitCache(Generic[K, V]):
    """Values as commits left them, on the event loop; those that are not here are read from the file."""

    def __init__(self, limit: int) -> None:
        self._recent: LruCache[K, V] = LruCache(limit)
        self._reading: dict[K, _Reading[V]] = {}

    def get(self, key: K) -> V | None:
        return self._recent.get(key)

    def commit(self, key: K, value: V, *, only_if_used: bool = False) -> None:
        """A commit left this. `only_if_used`: not worth a place unless somebody asked for it before."""
        if not only_if_used or key in self._recent:
            self._recent.put(key, value)
        if key in self._reading:
            self._reading[key].newest = value

    async def read(self, key: K, load: Callable[[], Awaitable[V | None]]) -> V | None:
        """The value, from here or loaded; None when there is none."""
        value = self._recent.get(key)
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
