"""An estimator that knows fixed times: the seconds that an order stays in each status. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from ordertrack.core.event import PROGRESSION, Status
from ordertrack.core.order import Order
from ordertrack.core.simulation import TIMINGS_S
from ordertrack.core.window import Window

EARLIEST, LATEST = 0.8, 1.3
"""The ends of a window, as parts of the time that is expected to be left."""
LEAST_LEFT = 0.2
"""The part of the time in a status that is expected to be left, however long the order has it already."""


class StageTimes:
    """An `Estimator` that learns nothing."""

    def __init__(self, times_s: Mapping[Status, float] = TIMINGS_S) -> None:
        """`times_s` has the seconds in each status of `TIMINGS_S`."""
        stages = PROGRESSION[:-1]
        self._stage_ms = {status: times_s[status] * 1000 for status in stages}
        self._later_ms = {s: sum(self._stage_ms[later] for later in stages[i + 1 :]) for i, s in enumerate(stages)}

    def window(self, restaurant_id: str, status: Status, since_ms: int, now_ms: int) -> Window:
        stage_ms = self._stage_ms[status]
        left_ms = max(stage_ms - (now_ms - since_ms), stage_ms * LEAST_LEFT) + self._later_ms[status]
        return Window(now_ms + round(left_ms * EARLIEST), now_ms + round(left_ms * LATEST))

    def learn(self, order: Order) -> None: ...
