"""A timing wheel: deadlines within the same TICK_S seconds share a bucket, so that many of them need one timer. Pure.

A bucket is a ring: a doubly linked list that begins and ends at the bucket. An item holds its own two links, so adding
and removing take constant time, and nothing refers to a removed item. A heap holds the numbers of the buckets.
An emptied bucket is dropped at once; its number stays in the heap until it comes first, or until more than half of the
heap is such numbers.
"""

from __future__ import annotations

import heapq
import math
from typing import Generic, TypeVar, cast

import msgspec

TICK_S = 0.1
"""Deadlines are met at most this late, in seconds."""
MAX_STALE_NUMBERS = 16
"""Numbers that the heap may hold beyond twice the number of buckets, before it is rebuilt."""


class Due(msgspec.Struct, gc=False, eq=False, kw_only=True):
    """Base class of items with a deadline: the neighbours in the ring, None without a deadline."""

    earlier: Due | None = None
    later: Due | None = None


class _Bucket(Due, gc=False, eq=False, kw_only=True):
    """Start and end of a ring. `number` is its time in ticks, `due_s` the same in seconds."""

    number: int
    due_s: float


T = TypeVar("T", bound=Due)


class Deadlines(Generic[T]):
    """An item has at most one deadline: add only an item that is new, was removed, or was returned by `pop_due`."""

    def __init__(self) -> None:
        self._buckets: dict[int, _Bucket] = {}
        self._numbers: list[int] = []

    def add(self, item: T, due_s: float) -> float:
        """Set the item's deadline. Return it as it will be met: rounded up to a tick, the same object for all items of
        the tick."""
        number = math.ceil(due_s / TICK_S)
        if (number - 1) * TICK_S == due_s:  # the quotient was rounded up
            number -= 1
        bucket = self._buckets.get(number)
        if bucket is None:
            bucket = self._buckets[number] = _Bucket(number=number, due_s=number * TICK_S)
            bucket.earlier = bucket.later = bucket
            heapq.heappush(self._numbers, number)
        last = bucket.earlier
        assert last is not None
        item.earlier, item.later = last, bucket
        last.later = bucket.earlier = item
        return bucket.due_s

    def remove(self, item: T) -> None:
        """Remove an item that has a deadline."""
        earlier, later = item.earlier, item.later
        assert earlier is not None
        assert later is not None
        earlier.later, later.earlier = later, earlier
        item.earlier = item.later = None
        if earlier is later:  # only a bucket is its own neighbour on both sides
            self._drop(cast(_Bucket, earlier))

    def pop_due(self, now_s: float) -> list[T]:
        """Remove and return the items that are due, earliest tick first."""
        due: list[T] = []
        while (next_s := self.next_s()) is not None and next_s <= now_s:
            bucket = self._buckets[self._numbers[0]]
            item = bucket.later
            while item is not bucket:
                assert item is not None
                due.append(cast(T, item))
                following = item.later
                item.earlier = item.later = None
                item = following
            self._drop(bucket)
        return due

    def next_s(self) -> float | None:
        """Return the earliest deadline; None without any."""
        while self._numbers and self._numbers[0] not in self._buckets:
            heapq.heappop(self._numbers)
        return self._numbers[0] * TICK_S if self._numbers else None

    def _drop(self, bucket: _Bucket) -> None:
        bucket.earlier = bucket.later = None  # break the cycle: the garbage collector does not track these objects
        del self._buckets[bucket.number]
        if len(self._numbers) > 2 * len(self._buckets) + MAX_STALE_NUMBERS:
            self._numbers = sorted(self._buckets)
