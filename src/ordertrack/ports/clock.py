"""The clock port: wall-clock and monotonic time, which tests replace."""

from __future__ import annotations

from typing import Protocol


class Clock(Protocol):
    def now_ms(self) -> int:
        """Return wall-clock milliseconds since 1970, UTC. They may jump."""

    def monotonic_s(self) -> float:
        """Return monotonic seconds, of the same clock as the event loop's `time()`."""
