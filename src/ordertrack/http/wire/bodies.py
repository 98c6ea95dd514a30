"""Request bodies, and the values of the core that they become.

Type, size and characters of every field are checked here. Unknown fields are refused, since a misspelt one would have
no effect.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from ordertrack.core import access
from ordertrack.core.cursor import MAX_INT64
from ordertrack.core.errors import InvalidInput
from ordertrack.core.event import Status
from ordertrack.core.order import Details, Item, NewOrder
from ordertrack.core.order_rules import AssignCourier, ChangeStatus
from ordertrack.core.principal import Principal
from ordertrack.core.simulation import MAX_SPEED, MAX_TIMING_S, MIN_SPEED, WorkflowOptions
from ordertrack.core.text import LINE, LINES
from ordertrack.core.timestamps import parse_time_ms
from ordertrack.http.wire.patterns import whole

MAX_BULK_UPDATES = 1_000
MAX_ITEMS, MAX_QUANTITY, MAX_MONEY = 100, 1_000, 10**9
MAX_ID, MAX_NAME, MAX_LINE, MAX_NOTE, MAX_ADDRESS, MAX_REASON = 64, 100, 200, 1_000, 500, 500

_Id = Annotated[str, Meta(min_length=1, max_length=MAX_ID, pattern=whole(LINE))]
_IntId = Annotated[int, Meta(ge=-MAX_INT64 - 1, le=MAX_INT64)]
PartyId = Annotated[
    _Id | _IntId,
    Meta(description="1 to 64 characters; an integer is accepted and turned into a string.", examples=["7"]),
]
_Line = Annotated[str, Meta(min_length=1, max_length=MAX_LINE, pattern=whole(LINE))]
_Name = Annotated[str, Meta(min_length=1, max_length=MAX_NAME, pattern=whole(LINE))]
_Note = Annotated[str, Meta(max_length=MAX_NOTE, pattern=whole(LINES))]
_Address = Annotated[str, Meta(max_length=MAX_ADDRESS, pattern=whole(LINES))]
_Reason = Annotated[
    str, Meta(max_length=MAX_REASON, pattern=whole(f"(?:{LINE})?"), description="Shown to the customer.")
]
_Money = Annotated[float, Meta(ge=0, le=float(MAX_MONEY))] | Annotated[int, Meta(ge=0, le=MAX_MONEY)]
_Version = Annotated[int, Meta(ge=1, le=MAX_INT64)]
_Time = Annotated[
    str,
    Meta(
        max_length=64,
        description="ISO 8601; without a zone it is UTC. The time of the event, if it is before the request.",
        examples=["2026-11-22T10:15:30.123Z"],
    ),
]
_Seconds = Annotated[float, Meta(ge=0, le=MAX_TIMING_S)]


class RequestBody(Struct, forbid_unknown_fields=True):
    """Base of all request bodies."""


class ItemBody(RequestBody):
    """One line of an order."""

    name: _Line
    quantity: Annotated[int, Meta(ge=1, le=MAX_QUANTITY)] = 1
    price: Annotated[_Money | None, Meta(description="The price of one.")] = None
    note: _Note | None = None


class CreateOrderBody(RequestBody):
    """A new order. It starts as `confirmed`."""

    customer_id: PartyId
    restaurant_id: PartyId
    courier_id: PartyId | None = None
    reference: Annotated[_Id, Meta(description="Your own id; unique per restaurant.")] | None = None
    items: Annotated[list[ItemBody | _Line], Meta(max_length=MAX_ITEMS)] = []
    total: _Money | None = None
    currency: Annotated[str, Meta(pattern=whole("[A-Z]{3}"), description="ISO 4217.", examples=["EUR"])] | None = None
    address: _Address | None = None
    note: _Note | None = None
    restaurant_name: Annotated[_Name, Meta(description="Shown to the holder of a tracking link.")] | None = None

    def new_order(self, by: Principal, origin: str) -> NewOrder:
        items = tuple(
            Item(item) if isinstance(item, str) else Item(item.name, item.quantity, item.price, item.note)
            for item in self.items
        )
        return NewOrder(
            customer_id=str(self.customer_id),
            restaurant_id=str(self.restaurant_id),
            courier_id=None if self.courier_id is None else str(self.courier_id),
            reference=self.reference,
            details=Details(items, self.total, self.currency, self.address, self.note, self.restaurant_name),
            actor=by.actor,
            origin=origin,
        )


class StatusBody(RequestBody):
    """A change of status. With `undo` it goes back to an earlier one."""

    status: Status
    reason: _Reason | None = None
    occurred_at: _Time | None = None
    expected_version: Annotated[_Version, Meta(description="Refuse unless the order has this version.")] | None = None
    undo: bool = False

    def change(
        self, order_id: int, by: Principal, origin: str, undo_window_ms: int, if_match: frozenset[int] | None = None
    ) -> ChangeStatus:
        """`undo_window_ms` is the setting.

        Raises: InvalidInput for an `occurred_at` that is not a time.
        """
        return ChangeStatus(
            order_id=order_id,
            to=self.status,
            actor=by.actor,
            reason=self.reason or None,
            occurred_at_ms=None if self.occurred_at is None else parse_time_ms("occurred_at", self.occurred_at),
            expected_version=self.expected_version,
            if_match=if_match,
            undo=self.undo,
            undo_window_ms=None if by.role in access.UNDO_AT_ANY_TIME else undo_window_ms,
            by=by,
            origin=origin,
        )


class OrderStatusBody(StatusBody, kw_only=True):
    """One change of a bulk update."""

    order_id: Annotated[int, Meta(ge=1, le=MAX_INT64)]


class BulkStatusBody(RequestBody):
    """Up to 1,000 changes, made in order in one durable commit; each one succeeds or fails independently."""

    updates: Annotated[list[OrderStatusBody], Meta(min_length=1, max_length=MAX_BULK_UPDATES)]

    def changes(self, by: Principal, origin: str, undo_window_ms: int) -> list[ChangeStatus]:
        """Raises: InvalidInput, which names the update."""
        changes = []
        for index, update in enumerate(self.updates):
            try:
                changes.append(update.change(update.order_id, by, origin, undo_window_ms))
            except InvalidInput as error:
                raise InvalidInput(f"updates[{index}].{error.field}", error.allowed) from None
        return changes


class CourierBody(RequestBody):
    """A courier for the order, in place of the one it has. The status stays."""

    courier_id: PartyId

    def change(self, order_id: int, by: Principal, origin: str, if_match: frozenset[int] | None) -> AssignCourier:
        return AssignCourier(
            order_id=order_id, courier_id=str(self.courier_id), actor=by.actor, if_match=if_match, by=by, origin=origin
        )


class TimingsBody(RequestBody):
    """Seconds that the order stays in each status, at speed 1."""

    confirmed: _Seconds | None = None
    preparing: _Seconds | None = None
    ready: _Seconds | None = None
    picked_up: _Seconds | None = None


class SimulationBody(RequestBody):
    """Options of a simulation. Without a body: 3, 15, 5 and 10 minutes, to `delivered`."""

    speed: Annotated[float, Meta(ge=MIN_SPEED, le=MAX_SPEED, description="Divides the times.", examples=[60])] = 1.0
    timings: TimingsBody | None = None
    cancel_at: Annotated[Status, Meta(description="Cancel the order at the end of this status.")] | None = None

    def options(self) -> WorkflowOptions:
        """Raises: InvalidInput."""
        timings = {} if self.timings is None else msgspec.structs.asdict(self.timings)
        return WorkflowOptions(
            speed=self.speed,
            timings_s={Status(status): seconds for status, seconds in timings.items() if seconds is not None},
            cancel_at=self.cancel_at,
        )
