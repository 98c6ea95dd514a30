"""The order as the holder of a tracking link sees it: the whole rule is in this file.

A link is passed on, so it shows where the order stands and nothing of the people:

* the customer's id, the reference, the address and every note (the order's and its items') are left out;
* the courier's id is there only while the order is with the courier (`picked_up`), in the log as well;
* an actor is its role alone: `courier`, not `courier:7`; the address it asked from is left out.

Statuses, times, versions, items, prices and the reasons of steps, which are written for the customer, stay.
"""

from __future__ import annotations

from msgspec.structs import replace

from ordertrack.core.event import Event, Status
from ordertrack.core.order import Details, Order
from ordertrack.core.principal import role_of
from ordertrack.core.simulation import ACTOR as SIMULATOR

REDACTED_ID = ""
"""The customer's id in what a link shows. No customer has it, and on the wire it is null."""
ANONYMOUS_ACTOR = "anonymous"
"""The actor of an event that no known role signed."""


def redact_for_link(order: Order) -> Order:
    """The order as a link shows it. Versions and their number are the order's, so positions keep their meaning."""
    courier_id = order.courier_id if order.status is Status.PICKED_UP else None
    return replace(
        order,
        customer_id=REDACTED_ID,
        reference=None,
        courier_id=courier_id,
        details=_details(order.details),
        timeline=tuple(_event(event, courier_id) for event in order.timeline),
    )


def _details(details: Details) -> Details:
    """Field by field, so that a new one is not shown until somebody decides that it may be."""
    return Details(
        items=tuple(replace(item, note=None) for item in details.items),
        total=details.total,
        currency=details.currency,
    )


def _event(event: Event, courier_id: str | None) -> Event:
    return replace(
        event,
        actor=_signature(event.actor),
        courier_id=courier_id if event.courier_id == courier_id else None,
        origin=None,
    )


def _signature(actor: str) -> str:
    role = role_of(actor)
    if role is not None:
        return role.value
    return SIMULATOR if actor == SIMULATOR else ANONYMOUS_ACTOR
