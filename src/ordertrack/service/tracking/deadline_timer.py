"""One event loop timer for all deadlines: it is set for the earliest one."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable

from ordertrack.ports.clock import Clock


class DeadlineTimer:
    """Calls `on_deadline` at `next_s()`, in seconds of the monotonic clock. The callback may add deadlines."""

    def __init__(self, clock: Clock, next_s: Callable[[], float | None], on_deadline: Callable[[], None]) -> None:
        self._clock = clock
        self._next_s = next_s
        self._on_deadline = on_deadline
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at_s = math.inf

    def reschedule(self, added_s: float = 0.0) -> None:
        """Set the timer for the earliest deadline. Call this after adding one at `added_s`."""
        if added_s >= self._timer_at_s:
            return
        due_s = self._next_s()
        if due_s is None or self._timer_at_s <= due_s:
            return
        self.cancel()
        self._timer_at_s = due_s
        delay_s = max(0.0, due_s - self._clock.monotonic_s())
        self._timer = asyncio.get_running_loop().call_later(delay_s, self._on_time)

    def cancel(self) -> None:
        self._timer_at_s = math.inf
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _on_time(self) -> None:
        self.cancel()
        self._on_deadline()
        self.reschedule()
