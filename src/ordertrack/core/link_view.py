"""The redacted order that a client with a tracking link gets. This file has the complete rule.

Links are shared, so they show the progress of the order and no personal data:

* the customer's id, the reference, the address and every note (the order's and its items') are removed;
* the courier's id is present only while the order is `picked_up`, in the timeline as well;
* an actor is its role alone: `courier`, not `courier:7`; the client's address is removed.

Statuses, times, versions, the expected arrival, items, prices and the restaurant's name stay, and the reasons of
changes, which are written for the customer.
"""

from __future__ import annotations

from msgspec.structs import replace

from ordertrack.core.eta.rules import ACTOR as ETA_ACTOR
from ordertrack.core.event import Event, Status
from ordertrack.core.order import Details, Order
from ordertrack.core.principal import role_of
from ordertrack.core.simulation import ACTOR as SIMULATOR

REDACTED_ID = ""
"""In place of the customer's id, and of a courier's in an event, so that a replacement shows. JSON has null."""
ANONYMOUS_ACTOR = "anonymous"
"""The actor of an event whose actor has no known role."""


def redact_for_link(order: Order) -> Order:
    """Return the redacted order. It has all versions, so positions stay valid."""
    courier_id = order.courier_id if order.status is Status.PICKED_UP else None
    return replace(
        order,
        customer_id=REDACTED_ID,
        reference=None,
        courier_id=courier_id,
        details=_redact_details(order.details),
        timeline=tuple(_redact_event(event, courier_id) for event in order.timeline),
    )


def _redact_details(details: Details) -> Details:
    """Copy the public fields by name, so that a new field is private until it is added here."""
    return Details(
        items=tuple(replace(item, note=None) for item in details.items),
        total=details.total,
        currency=details.currency,
        restaurant_name=details.restaurant_name,
    )


def _redact_event(event: Event, courier_id: str | None) -> Event:
    return replace(
        event,
        actor=_redact_actor(event.actor),
        courier_id=event.courier_id if event.courier_id in (None, courier_id) else REDACTED_ID,
        origin=None,
    )


def _redact_actor(actor: str) -> str:
    role = role_of(actor)
    if role is not None:
        return role.value
    return actor if actor in (SIMULATOR, ETA_ACTOR) else ANONYMOUS_ACTOR
