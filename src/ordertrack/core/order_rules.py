"""The rules of an order: `advance` decides every change of its status or courier. Pure."""

from __future__ import annotations

import msgspec

from ordertrack.core.errors import (
    IllegalTransition,
    OrderEnded,
    OrderLogFull,
    PreconditionFailed,
    ReasonRequired,
    UndoWindowPassed,
    VersionConflict,
)
from ordertrack.core.eta.rules import ACTOR as ETA_ACTOR
from ordertrack.core.eta.rules import NO_ETA, EtaRules
from ordertrack.core.event import PROGRESSION, STATUS_EVENTS, Event, EventType, Status
from ordertrack.core.order import Order
from ordertrack.core.principal import ANYONE, Principal
from ordertrack.core.transitions import FORWARD_MOVES, TRANSITIONS, Move

MAX_EVENTS = 500
"""Events of an order after which only its end is accepted. Real orders have 5 to 20; a runaway script makes more."""


class ChangeStatus(msgspec.Struct, frozen=True):
    """A requested change of status. `if_match` has the versions in the `If-Match` header; `undo_window_ms` is the
    principal's (None: no limit); `simulated` is set for a simulated step: its `seq` and `due_at_ms`. `by` is the
    principal, `actor` its name in the event."""

    order_id: int
    to: Status
    actor: str
    reason: str | None = None
    occurred_at_ms: int | None = None
    expected_version: int | None = None
    if_match: frozenset[int] | None = None
    undo: bool = False
    undo_window_ms: int | None = None
    simulated: tuple[int, int] | None = None
    by: Principal = ANYONE
    origin: str | None = None


class AssignCourier(msgspec.Struct, frozen=True):
    """A request to assign or replace the courier; the status stays."""

    order_id: int
    courier_id: str
    actor: str
    expected_version: int | None = None
    if_match: frozenset[int] | None = None
    by: Principal = ANYONE
    origin: str | None = None


class MoveEta(msgspec.Struct, frozen=True):
    """A request of the server to give a new window, if the current one does not hold any more."""

    order_id: int


Change = ChangeStatus | AssignCourier | MoveEta


def advance(order: Order, change: Change, now_ms: int, rules: EtaRules = NO_ETA) -> Event | None:
    """Return the event that `change` makes, or None when the order already has the requested value.

    Raises: an `OrderConflict` when the rules do not allow it.
    """
    if isinstance(change, AssignCourier):
        return _assign_courier(order, change, now_ms)
    if isinstance(change, MoveEta):
        return _move_eta(order, now_ms, rules)
    move = TRANSITIONS[order.status, change.to]
    is_repeated = move is Move.SAME
    if change.if_match is not None or change.expected_version is not None:
        _check_condition(order, change, is_repeated=is_repeated)
    if is_repeated:
        return None
    undone: Event | None = None
    if change.undo:
        undone = _undoable(order, change, now_ms)
    elif move not in FORWARD_MOVES:
        raise IllegalTransition(order, change.to, undo_possible=_undo_possible(order, change, now_ms))
    if move is Move.CANCEL_WITH_REASON and not change.reason:
        raise ReasonRequired(order, change.to)
    if order.version >= MAX_EVENTS and not change.to.ended:
        raise OrderLogFull(order, MAX_EVENTS)
    skipped: tuple[Status, ...] = ()
    if move is Move.SKIP:
        skipped = PROGRESSION[PROGRESSION.index(order.status) + 1 : PROGRESSION.index(change.to)]
    recorded_at_ms = max(now_ms, order.updated_at_ms + 1)  # strictly increasing: an echoed `updated_at` is a position
    at_ms = recorded_at_ms if change.occurred_at_ms is None else min(change.occurred_at_ms, recorded_at_ms)
    return Event(
        version=order.version + 1,
        type=EventType.REVERTED if undone else EventType.STATUS_CHANGED,
        status=change.to,
        at_ms=at_ms,
        recorded_at_ms=recorded_at_ms,
        actor=change.actor,
        reason=change.reason,
        skipped=skipped,
        undoes=undone.version if undone else None,
        origin=change.origin,
        eta=rules.after_status(order, change.to, at_ms, recorded_at_ms, is_undo=change.undo),
    )


def _undoable(order: Order, change: ChangeStatus, now_ms: int) -> Event:
    """Return the event that an undo to `change.to` undoes.

    Raises: IllegalTransition, UndoWindowPassed.
    """
    if TRANSITIONS[order.status, change.to] not in (Move.BACK, Move.RESTORE):
        raise IllegalTransition(order, change.to, undo=True)
    undone = undone_event(order, change.to)
    if change.undo_window_ms is not None and now_ms - undone.recorded_at_ms > change.undo_window_ms:
        raise UndoWindowPassed(order, change.to, change.undo_window_ms, undone.version)
    return undone


def _undo_possible(order: Order, change: ChangeStatus, now_ms: int) -> bool:
    try:
        _undoable(order, change, now_ms)
    except (IllegalTransition, UndoWindowPassed):
        return False
    return order.version < MAX_EVENTS


def _assign_courier(order: Order, change: AssignCourier, now_ms: int) -> Event | None:
    is_repeated = order.courier_id == change.courier_id
    if change.if_match is not None or change.expected_version is not None:
        _check_condition(order, change, is_repeated=is_repeated)
    if is_repeated:
        return None
    if order.status.ended:
        raise OrderEnded(order)
    if order.version >= MAX_EVENTS:
        raise OrderLogFull(order, MAX_EVENTS)
    recorded_at_ms = max(now_ms, order.updated_at_ms + 1)
    return Event(
        version=order.version + 1,
        type=EventType.COURIER_ASSIGNED,
        status=order.status,
        at_ms=recorded_at_ms,
        recorded_at_ms=recorded_at_ms,
        actor=change.actor,
        courier_id=change.courier_id,
        origin=change.origin,
        eta=order.eta,
    )


def _move_eta(order: Order, now_ms: int, rules: EtaRules) -> Event | None:
    eta = rules.moved(order, now_ms)
    if eta is None:
        return None
    recorded_at_ms = max(now_ms, order.updated_at_ms + 1)
    return Event(
        order.version + 1, EventType.ETA_CHANGED, order.status, recorded_at_ms, recorded_at_ms, ETA_ACTOR, eta=eta
    )


def undone_event(order: Order, to: Status) -> Event:
    """Return the event that an undo to `to` undoes.

    1. A cancelled order: the cancellation. Only the status before it can be restored.
    2. Otherwise the latest event that moved the order from `to` (or an earlier status, when `to` was skipped) beyond
       it: the earliest of the events that are undone, so a window measured from it covers them all.

    Raises: IllegalTransition when `to` is not the status before the cancellation.
    """
    if order.status is Status.CANCELLED:
        *before, last = [e for e in order.timeline if e.type in STATUS_EVENTS]
        if before[-1].status is not to:
            raise IllegalTransition(order, to, undo=True)
        return last
    undone = order.timeline[-1]
    for event in reversed(order.timeline):
        if event.status is not Status.CANCELLED and PROGRESSION.index(event.status) <= PROGRESSION.index(to):
            break
        if event.type in STATUS_EVENTS:
            undone = event
    return undone


def _check_condition(order: Order, change: ChangeStatus | AssignCourier, *, is_repeated: bool) -> None:
    """A new window alone makes no version differ: the server gives it, and the decision of the client does not depend
    on it. RFC 9110, 13.1.1: a condition that fails only because this change was made before does not count as failed.

    Raises: PreconditionFailed, VersionConflict.
    """
    first = _without_new_windows(order, order.version)
    if is_repeated:
        first = _without_new_windows(order, max(first - 1, 1))
    matching = range(first, order.version + 1)
    if change.if_match is not None and change.if_match.isdisjoint(matching):
        raise PreconditionFailed(order)
    if change.expected_version is not None and change.expected_version not in matching:
        raise VersionConflict(order, change.expected_version)


def _without_new_windows(order: Order, version: int) -> int:
    """Return the version before the events `eta_changed` that end at `version`."""
    while order.timeline[version - 1].type is EventType.ETA_CHANGED:
        version -= 1
    return version
