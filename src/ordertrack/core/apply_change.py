"""Apply one change to an order and to its simulated schedule. Pure."""

from __future__ import annotations

from ordertrack.core.access import check_change
from ordertrack.core.errors import SimulationNotRunning
from ordertrack.core.event import Event
from ordertrack.core.order import Order
from ordertrack.core.order_rules import Change, ChangeStatus, advance
from ordertrack.core.simulation import Step


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
