"""Many deadlines, few timers: what is due at about the same time shares a bucket of TICK_S seconds. Pure."""

from __future__ import annotations

import heapq
import math
from typing import Generic, TypeVar

TICK_S = 0.1
"""Deadlines are met at most this late."""

T = TypeVar("T")


class Deadlines(Generic[T]):
    """`add` gives the bucket, and whoever has a deadline keeps that: leaving before the time is `bucket.discard`."""

    def __init__(self) -> None:
        self._buckets: dict[int, set[T]] = {}
        self._order: list[int] = []

    def add(self, item: T, due_s: float) -> set[T]:
        number = math.ceil(due_s / TICK_S)
        bucket = self._buckets.get(number)
        if bucket is None:
            bucket = self._buckets[number] = set()
            heapq.heappush(self._order, number)
        bucket.add(item)
        return bucket

    def due(self, now_s: float) -> list[T]:
        """Take out what is due. A bucket that everybody has left keeps its place until its time: taking it out of the
        middle of a heap costs more."""
        due: list[T] = []
        while self._order and self._order[0] * TICK_S <= now_s:
            due.extend(self._buckets.pop(heapq.heappop(self._order)))
        return due

    def next_s(self) -> float | None:
        """When something may be due next; None when nothing ever is."""
        return self._order[0] * TICK_S if self._order else None
