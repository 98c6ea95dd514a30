"""Schedules of simulated workflows: the statuses of an order and their times."""

from __future__ import annotations

import math
from collections.abc import Mapping

import msgspec

from ordertrack.core.errors import InvalidInput, OrderEnded
from ordertrack.core.event import PROGRESSION, Status
from ordertrack.core.order import Order

ACTOR = "simulator"
TIMINGS_S: dict[Status, float] = {
    Status.CONFIRMED: 3 * 60,
    Status.PREPARING: 15 * 60,
    Status.READY: 5 * 60,
    Status.PICKED_UP: 10 * 60,
}
"""Seconds in each status at speed 1, as in the original contract: 3 + 15 + 5 + 10 minutes."""
MIN_SPEED, MAX_SPEED = 0.1, 3600.0
MAX_TIMING_S = 24 * 60 * 60.0


class WorkflowOptions(msgspec.Struct, frozen=True):
    """`speed` divides the times; `timings_s` overrides some of them; the order is cancelled at the end of `cancel_at`.

    Raises: InvalidInput for values out of bounds.
    """

    speed: float = 1.0
    timings_s: Mapping[Status, float] = msgspec.field(default_factory=dict)
    cancel_at: Status | None = None

    def __post_init__(self) -> None:
        if not MIN_SPEED <= self.speed <= MAX_SPEED:
            raise InvalidInput("speed", f"a number from {MIN_SPEED:g} to {MAX_SPEED:g}")
        for status, seconds in self.timings_s.items():
            if status not in TIMINGS_S:
                raise InvalidInput("timings", f"the steps {', '.join(TIMINGS_S)}")
            if not (math.isfinite(seconds) and 0 <= seconds <= MAX_TIMING_S):
                raise InvalidInput(f"timings.{status}", f"seconds from 0 to {MAX_TIMING_S:g}")
        if self.cancel_at is not None and self.cancel_at not in TIMINGS_S:
            raise InvalidInput("cancel_at", f"one of {', '.join(TIMINGS_S)}")


class Step(msgspec.Struct, frozen=True):
    """A change of `order_id` to `status` at `due_at_ms` (milliseconds since 1970). `seq` counts the steps from 0."""

    order_id: int
    seq: int
    status: Status
    due_at_ms: int
    reason: str | None = None


def plan_steps(order: Order, options: WorkflowOptions, now_ms: int) -> tuple[Step, ...]:
    """Return the steps after the order's current status.

    Raises: OrderEnded; InvalidInput when the order is past `cancel_at`.
    """
    if order.status.ended:
        raise OrderEnded(order)
    start = PROGRESSION.index(order.status)
    if options.cancel_at is not None and PROGRESSION.index(options.cancel_at) < start:
        raise InvalidInput("cancel_at", f"a status not before the order's current one, {order.status}")
    steps: list[Step] = []
    due_at_ms = float(now_ms)
    for status, following in zip(PROGRESSION[start:], PROGRESSION[start + 1 :], strict=False):
        due_at_ms += options.timings_s.get(status, TIMINGS_S[status]) / options.speed * 1000
        if status is options.cancel_at:
            steps.append(Step(order.id, len(steps), Status.CANCELLED, round(due_at_ms), "simulated cancellation"))
            break
        steps.append(Step(order.id, len(steps), following, round(due_at_ms)))
    return tuple(steps)
