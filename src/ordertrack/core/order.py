"""The order and the rules of its life: everything that decides whether an update is legal is in this file.

An update is decided in two steps, both pure: `advance` looks at the order and says which event the change is (or
`None` when it is already so, or raises and changes nothing); `evolve` applies an event. An order is the fold of its
events: `evolve` over the events after an old snapshot gives the new one.
"""

from __future__ import annotations

from enum import StrEnum
from typing import assert_never

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
from ordertrack.core.event import ROAD, Event, EventType, Status
from ordertrack.core.principal import ANYONE, Principal

MAX_EVENTS = 500
"""Events an order may have before only its end is accepted: a real order has 5 to 20, a runaway script has more."""


class Move(StrEnum):
    """What a step from one status to another is."""

    SAME = "same"
    NEXT = "next"
    SKIP = "skip"
    CANCEL = "cancel"
    CANCEL_WITH_REASON = "cancel_with_reason"
    BACK = "back"
    RESTORE = "restore"
    NO = "no"


_, S, N, K, C, R, B, U = (
    Move.NO,
    Move.SAME,
    Move.NEXT,
    Move.SKIP,
    Move.CANCEL,
    Move.CANCEL_WITH_REASON,
    Move.BACK,
    Move.RESTORE,
)
_TABLE = {
    # from \ to        confirmed preparing ready picked_up delivered cancelled
    Status.CONFIRMED: (S, N, K, K, K, C),
    Status.PREPARING: (B, S, N, K, K, C),
    Status.READY:     (B, B, S, N, K, C),
    Status.PICKED_UP: (B, B, B, S, N, R),
    Status.DELIVERED: (B, B, B, B, S, _),
    Status.CANCELLED: (U, U, U, U, _, S),
}  # fmt: skip
TRANSITIONS: dict[tuple[Status, Status], Move] = {
    (start, to): move for start, row in _TABLE.items() for to, move in zip(Status, row, strict=True)
}
"""All 36 cells. `BACK` and `RESTORE` need `undo`; every other move refuses it."""

_FORWARD = frozenset({Move.NEXT, Move.SKIP, Move.CANCEL, Move.CANCEL_WITH_REASON})


class Item(msgspec.Struct, frozen=True):
    """One line of what was ordered."""

    name: str
    quantity: int = 1
    price: float | int | None = None
    note: str | None = None


class Details(msgspec.Struct, frozen=True):
    """What the customer sees and the tracker only carries: no rule depends on it."""

    items: tuple[Item, ...] = ()
    total: float | int | None = None
    currency: str | None = None
    address: str | None = None
    note: str | None = None


class Cancellation(msgspec.Struct, frozen=True):
    by: str
    reason: str | None


class NewOrder(msgspec.Struct, frozen=True):
    """An order as the shop hands it over; the store gives it its id. `courier_id` may be known from the start."""

    customer_id: str
    restaurant_id: str
    courier_id: str | None = None
    reference: str | None = None
    details: Details = Details()
    actor: str = "anonymous"
    origin: str | None = None


class Order(msgspec.Struct, frozen=True, gc=False):
    """A snapshot. Times are milliseconds since 1970, UTC; `timeline` is oldest first and complete."""

    id: int
    reference: str | None
    customer_id: str
    restaurant_id: str
    courier_id: str | None
    details: Details
    status: Status
    version: int
    created_at_ms: int
    updated_at_ms: int
    timeline: tuple[Event, ...]

    @property
    def cancellation(self) -> Cancellation | None:
        if self.status is not Status.CANCELLED:
            return None
        cancelled = next(e for e in reversed(self.timeline) if e.type is EventType.STATUS_CHANGED)
        return Cancellation(by=cancelled.actor, reason=cancelled.reason)

    def events_after(self, version: int) -> tuple[Event, ...]:
        """Events with a higher version, oldest first. Versions start at 1 and have no holes, so this is a slice."""
        return self.timeline[max(version, 0) :]

    def legal_next(self) -> tuple[Status, ...]:
        """Statuses a plain update may ask for now (an undo is not a plain update)."""
        return tuple(to for to in Status if TRANSITIONS[self.status, to] in _FORWARD)


class ChangeStatus(msgspec.Struct, frozen=True):
    """`{"status": ...}` as asked for. `if_match` holds the versions an `If-Match` header named; `undo_window_ms` is
    the caller's (None: no limit); `simulated` is set on a step of a workflow simulation: its `seq` and `due_at_ms`.
    `by` is who asks, and `actor` what the event is signed with."""

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
    """Assign a courier or replace the one there is; the status stays."""

    order_id: int
    courier_id: str
    actor: str
    expected_version: int | None = None
    if_match: frozenset[int] | None = None
    by: Principal = ANYONE
    origin: str | None = None


Change = ChangeStatus | AssignCourier


def create(order_id: int, new: NewOrder, now_ms: int) -> Order:
    """The order at version 1."""
    created = Event(
        1,
        EventType.CREATED,
        Status.CONFIRMED,
        now_ms,
        now_ms,
        new.actor,
        courier_id=new.courier_id,
        origin=new.origin,
    )
    return Order(
        id=order_id,
        reference=new.reference,
        customer_id=new.customer_id,
        restaurant_id=new.restaurant_id,
        courier_id=new.courier_id,
        details=new.details,
        status=Status.CONFIRMED,
        version=1,
        created_at_ms=now_ms,
        updated_at_ms=now_ms,
        timeline=(created,),
    )


def as_created(order: Order) -> Order:
    """The order as it was answered when it was created: what a repeated creation is answered with."""
    created = order.timeline[0]
    return msgspec.structs.replace(
        order,
        courier_id=created.courier_id,
        status=created.status,
        version=1,
        updated_at_ms=created.recorded_at_ms,
        timeline=(created,),
    )


def evolve(order: Order, event: Event) -> Order:
    """The order after `event`, which must be the next version."""
    if event.version != order.version + 1:
        raise ValueError(f"event {event.version} does not follow version {order.version}")
    return msgspec.structs.replace(
        order,
        courier_id=event.courier_id if event.type is EventType.COURIER_ASSIGNED else order.courier_id,
        status=event.status,
        version=event.version,
        updated_at_ms=event.recorded_at_ms,
        timeline=(*order.timeline, event),
    )


def advance(order: Order, change: Change, now_ms: int) -> Event | None:
    """Which event `change` is on this order, or None when it is already so.

    Raises an `OrderConflict` when the rules do not allow it.
    """
    match change:
        case ChangeStatus():
            return _change_status(order, change, now_ms)
        case AssignCourier():
            return _assign_courier(order, change, now_ms)
        case _:
            assert_never(change)


def _change_status(order: Order, change: ChangeStatus, now_ms: int) -> Event | None:
    move = TRANSITIONS[order.status, change.to]
    already_so = move is Move.SAME
    _check_condition(order, change, already_so=already_so)
    if already_so:
        return None
    undone: Event | None = None
    if change.undo:
        undone = _undoable(order, change, now_ms)
    elif move not in _FORWARD:
        raise IllegalTransition(order, change.to, undo_possible=_undo_possible(order, change, now_ms))
    if move is Move.CANCEL_WITH_REASON and not change.reason:
        raise ReasonRequired(order, change.to)
    _check_room(order, ends=change.to.ended)
    recorded_at_ms = _next_time(order, now_ms)
    at_ms = recorded_at_ms if change.occurred_at_ms is None else min(change.occurred_at_ms, recorded_at_ms)
    return Event(
        version=order.version + 1,
        type=EventType.REVERTED if undone else EventType.STATUS_CHANGED,
        status=change.to,
        at_ms=at_ms,
        recorded_at_ms=recorded_at_ms,
        actor=change.actor,
        reason=change.reason,
        skipped=_skipped(order.status, change.to) if move is Move.SKIP else (),
        undoes=undone.version if undone else None,
        origin=change.origin,
    )


def _undoable(order: Order, change: ChangeStatus, now_ms: int) -> Event:
    """The event that an undo to `change.to` undoes. Raises IllegalTransition, UndoWindowPassed."""
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
    already_so = order.courier_id == change.courier_id
    _check_condition(order, change, already_so=already_so)
    if already_so:
        return None
    if order.status.ended:
        raise OrderEnded(order)
    _check_room(order, ends=False)
    recorded_at_ms = _next_time(order, now_ms)
    return Event(
        version=order.version + 1,
        type=EventType.COURIER_ASSIGNED,
        status=order.status,
        at_ms=recorded_at_ms,
        recorded_at_ms=recorded_at_ms,
        actor=change.actor,
        courier_id=change.courier_id,
        origin=change.origin,
    )


def undone_event(order: Order, to: Status) -> Event:
    """The event that going back to `to` would undo.

    From `cancelled` it is the cancellation, and only the status before it can be restored. On the road it is the
    latest event that passed from `to` (or from before it, when `to` was skipped) to beyond it: the earliest of those
    undone, so a window measured from it covers them all.
    Raises IllegalTransition when `to` is not where a cancelled order came from.
    """
    if order.status is Status.CANCELLED:
        *before, last = [e for e in order.timeline if e.type is not EventType.COURIER_ASSIGNED]
        if before[-1].status is not to:
            raise IllegalTransition(order, to, undo=True)
        return last
    undone = order.timeline[-1]
    for event in reversed(order.timeline):
        if event.status is not Status.CANCELLED and ROAD.index(event.status) <= ROAD.index(to):
            break
        if event.type is not EventType.COURIER_ASSIGNED:
            undone = event
    return undone


def _check_condition(order: Order, change: Change, *, already_so: bool) -> None:
    """RFC 9110, 13.1.1: a condition that only fails because this very change was already made is not a failure."""
    if change.if_match is None and change.expected_version is None:
        return
    fitting = {order.version, order.version - 1} if already_so else {order.version}
    if change.if_match is not None and not change.if_match & fitting:
        raise PreconditionFailed(order)
    if change.expected_version is not None and change.expected_version not in fitting:
        raise VersionConflict(order, change.expected_version)


def _check_room(order: Order, *, ends: bool) -> None:
    if order.version >= MAX_EVENTS and not ends:
        raise OrderLogFull(order, MAX_EVENTS)


def _next_time(order: Order, now_ms: int) -> int:
    """Strictly increasing per order, so that echoing `updated_at` is a faithful position."""
    return max(now_ms, order.updated_at_ms + 1)


def _skipped(start: Status, to: Status) -> tuple[Status, ...]:
    return ROAD[ROAD.index(start) + 1 : ROAD.index(to)]
