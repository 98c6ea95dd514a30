"""The decision on one change, for its order and its simulation: every store calls it in its transaction. Pure."""

from __future__ import annotations

from ordertrack.core.access import check_change
from ordertrack.core.errors import SimulationNotRunning
from ordertrack.core.eta.rules import NO_ETA, EtaRules
from ordertrack.core.event import Event
from ordertrack.core.order import Order
from ordertrack.core.order_rules import Change, ChangeStatus, MoveEta, advance
from ordertrack.core.simulation import Step


def advance_simulated(
    order: Order, pending: tuple[Step, ...], change: Change, now_ms: int, rules: EtaRules = NO_ETA
) -> tuple[Event | None, tuple[Step, ...]]:
    """Authorize and decide a change; return its event and the pending simulation steps after it.

    A simulated step removes itself from the pending ones; any other change of status ends the simulation. A step is
    identified by number and time, so that a late step of a stopped simulation does not count for its successor.

    Raises: what `check_change` and `advance` raise; SimulationNotRunning for a step that is not the next one.
    """
    simulated = change.simulated if isinstance(change, ChangeStatus) else None
    if simulated is not None and (not pending or simulated != (pending[0].seq, pending[0].due_at_ms)):
        raise SimulationNotRunning(order.id)
    if not isinstance(change, MoveEta):
        check_change(change.by, order, change)
    event = advance(order, change, now_ms, rules)
    if simulated is not None:
        return event, pending[1:]
    if event is not None and event.status is not order.status:
        return event, ()
    return event, pending
