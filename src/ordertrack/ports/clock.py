"""The clock port: the two times a program needs, so that tests can hold them still."""

from __future__ import annotations

from typing import Protocol


class Clock(Protocol):
    def now_ms(self) -> int:
        """Wall-clock milliseconds since 1970, UTC. May jump."""

    def monotonic_s(self) -> float:
        """Seconds that only go forward; the same clock as the event loop's `time()`."""
