"""The order as a value, and `evolve`, which applies an event to it. Pure.

A change takes two steps: `core.order_rules.advance` decides its event, `evolve` applies it. An order is the fold of its
events: `evolve` over the events after an old snapshot gives the new one.
"""

from __future__ import annotations

import msgspec

from ordertrack.core.event import Eta, Event, EventType, Status
from ordertrack.core.transitions import FORWARD_MOVES, TRANSITIONS
from ordertrack.core.window import Window


class Item(msgspec.Struct, frozen=True, gc=False):
    """One line of the order. `price` is the price of one."""

    name: str
    quantity: int = 1
    price: float | int | None = None
    note: str | None = None


class Details(msgspec.Struct, frozen=True, gc=False):
    """Data for the customer. No rule depends on it."""

    items: tuple[Item, ...] = ()
    total: float | int | None = None
    currency: str | None = None
    address: str | None = None
    note: str | None = None
    restaurant_name: str | None = None


class Cancellation(msgspec.Struct, frozen=True):
    by: str
    reason: str | None


class NewOrder(msgspec.Struct, frozen=True):
    """An order before the store assigns its id. `courier_id` is the courier known at creation, if any."""

    customer_id: str
    restaurant_id: str
    courier_id: str | None = None
    reference: str | None = None
    details: Details = Details()
    actor: str = "anonymous"
    origin: str | None = None


class Order(msgspec.Struct, frozen=True, gc=False):
    """An order at one version. Times are milliseconds since 1970, UTC; `timeline` has all events, oldest first."""

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

    @property
    def promised(self) -> Window | None:
        """The window that was given at creation."""
        eta = self.timeline[0].eta
        return None if eta is None else eta.window

    @property
    def eta(self) -> Eta | None:
        """The expected arrival now; the arrival of a delivered order."""
        return self.timeline[-1].eta

    def events_after(self, version: int) -> tuple[Event, ...]:
        """Return the events with a higher version, oldest first: a slice, since versions are 1, 2, 3, …"""
        return self.timeline[max(version, 0) :]

    def legal_next(self) -> tuple[Status, ...]:
        """Return the statuses that an update without `undo` may set now."""
        return tuple(to for to in Status if TRANSITIONS[self.status, to] in FORWARD_MOVES)


def create(order_id: int, new: NewOrder, now_ms: int, eta: Eta | None = None) -> Order:
    """Return the order at version 1. The window of `eta` is the promised one."""
    status = Status.CONFIRMED
    created = Event(
        1, EventType.CREATED, status, now_ms, now_ms, new.actor, courier_id=new.courier_id, origin=new.origin, eta=eta
    )
    return Order(
        id=order_id,
        reference=new.reference,
        customer_id=new.customer_id,
        restaurant_id=new.restaurant_id,
        courier_id=new.courier_id,
        details=new.details,
        status=status,
        version=1,
        created_at_ms=now_ms,
        updated_at_ms=now_ms,
        timeline=(created,),
    )


def as_created(order: Order) -> Order:
    """Return the order at version 1 again: the response to a repeated creation."""
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
    """Return the order after `event`, which must be the next version.

    Raises: ValueError.
    """
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
