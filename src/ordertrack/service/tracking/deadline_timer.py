"""One timer for many deadlines: set for the earliest, set again when an earlier one comes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from ordertrack.ports.clock import Clock


class Alarm:
    """`ring` is called when `next_s` has come, in seconds of the monotonic clock; it may make new deadlines."""

    def __init__(self, clock: Clock, next_s: Callable[[], float | None], ring: Callable[[], None]) -> None:
        self._clock = clock
        self._next_s = next_s
        self._ring = ring
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at_s = 0.0

    def set(self) -> None:
        """Call it after a deadline was made."""
        due_s = self._next_s()
        if due_s is None or (self._timer is not None and self._timer_at_s <= due_s):
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at_s = due_s
        delay_s = max(0.0, due_s - self._clock.monotonic_s())
        self._timer = asyncio.get_running_loop().call_later(delay_s, self._on_time)

    def cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _on_time(self) -> None:
        self._timer = None
        self._ring()
        self.set()
