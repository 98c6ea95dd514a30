"""An open loop: updates are sent at fixed times and do not wait for answers."""

from __future__ import annotations

from typing import NamedTuple


class Schedule(NamedTuple):
    """Updates at a fixed rate, the first one at once. Times are in seconds since the first."""

    updates_per_s: float
    seconds: float

    @property
    def updates(self) -> int:
        return round(self.updates_per_s * self.seconds)

    def due_at_s(self, number: int) -> float:
        """Return the time of the update with this number, counted from 0."""
        return number / self.updates_per_s
