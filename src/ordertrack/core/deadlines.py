"""Many deadlines, few timers: what is due at about the same time shares a bucket of TICK_S seconds. Pure."""

from __future__ import annotations

import heapq
import math
from typing import Generic, TypeVar

TICK_S = 0.1
"""Deadlines are met at most this late."""

T = TypeVar("T")


class Deadlines(Generic[T]):
    """`add` gives the bucket, which `discard` wants back: whoever has a deadline keeps that one number."""

    def __init__(self) -> None:
        self._buckets: dict[int, set[T]] = {}
        self._order: list[int] = []

    def add(self, item: T, due_s: float) -> int:
        bucket = math.ceil(due_s / TICK_S)
        if bucket in self._buckets:
            self._buckets[bucket].add(item)
        else:
            self._buckets[bucket] = {item}
            heapq.heappush(self._order, bucket)
        return bucket

    def discard(self, item: T, bucket: int) -> None:
        items = self._buckets.get(bucket)
        if items is not None:
            items.discard(item)
            # An empty bucket keeps its place in the order until its time: taking it out of a heap costs more.

    def due(self, now_s: float) -> list[T]:
        """Take out what is due."""
        due: list[T] = []
        while self._order and self._order[0] * TICK_S <= now_s:
            due.extend(self._buckets.pop(heapq.heappop(self._order)))
        return due

    def next_s(self) -> float | None:
        """When something is due next; None when nothing ever is."""
        return self._order[0] * TICK_S if self._order else None
