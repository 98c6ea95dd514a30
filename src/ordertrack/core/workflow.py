"""Timelines of the workflow simulator: which status follows when."""

from __future__ import annotations

import math
from collections.abc import Mapping

import msgspec

from ordertrack.core.access import check_change
from ordertrack.core.errors import InvalidInput, OrderEnded, SimulationNotRunning
from ordertrack.core.event import ROAD, Event, Status
from ordertrack.core.order import Change, ChangeStatus, Order, advance

ACTOR = "simulator"
TIMINGS_S: dict[Status, float] = {
    Status.CONFIRMED: 3 * 60,
    Status.PREPARING: 15 * 60,
    Status.READY: 5 * 60,
    Status.PICKED_UP: 10 * 60,
}
"""Seconds an order stays in each status at speed 1: the original contract's 3 + 15 + 5 + 10 minutes."""
MIN_SPEED, MAX_SPEED = 0.1, 3600.0
MAX_TIMING_S = 24 * 60 * 60.0


class WorkflowOptions(msgspec.Struct, frozen=True):
    """`speed` divides the times; `timings_s` replaces single ones; the order is cancelled at the end of `cancel_at`.

    Raises InvalidInput for values out of bounds.
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
    """`order_id` becomes `status` at `due_at_ms` (milliseconds since 1970). `seq` counts the steps from 0."""

    order_id: int
    seq: int
    status: Status
    due_at_ms: int
    reason: str | None = None


def plan(order: Order, options: WorkflowOptions, now_ms: int) -> tuple[Step, ...]:
    """The steps from the order's current status on. Raises OrderEnded, or InvalidInput for a `cancel_at` behind it."""
    if order.status.ended:
        raise OrderEnded(order)
    start = ROAD.index(order.status)
    if options.cancel_at is not None and ROAD.index(options.cancel_at) < start:
        raise InvalidInput("cancel_at", f"a status not before the order's current one, {order.status}")
    steps: list[Step] = []
    due_at_ms = float(now_ms)
    for status, following in zip(ROAD[start:], ROAD[start + 1 :], strict=False):
        due_at_ms += options.timings_s.get(status, TIMINGS_S[status]) / options.speed * 1000
        cancelled = status is options.cancel_at
        steps.append(
            Step(
                order_id=order.id,
                seq=len(steps),
                status=Status.CANCELLED if cancelled else following,
                due_at_ms=round(due_at_ms),
                reason="simulated cancellation" if cancelled else None,
            )
        )
        if cancelled:
            break
    return tuple(steps)


def advance_simulated(
    order: Order, pending: tuple[Step, ...], change: Change, now_ms: int
) -> tuple[Event | None, tuple[Step, ...]]:
    """`advance`, and what it leaves of the order's running simulation.

    A step of the simulation takes itself off the list; any other change of status ends the simulation.
    Raises what `check_change` and `advance` raise, and SimulationNotRunning for a step that is not the next one; it is
    known by its time too, so that one under way when its simulation was stopped is not taken for a step of the one
    started since.
    """
    simulated = change.simulated if isinstance(change, ChangeStatus) else None
    if simulated is not None and (not pending or simulated != (pending[0].seq, pending[0].due_at_ms)):
        raise SimulationNotRunning(order.id)
    check_change(change.by, order, change)
    event = advance(order, change, now_ms)
    if simulated is not None:
        return event, pending[1:]
    if event is not None and event.status is not order.status:
        return event, ()
    return event, pending
