"""JSON answers about orders. PROTOCOL.md says what each key means."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from operator import attrgetter
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from ordertrack.core.cursor import Cursor
from ordertrack.core.event import Eta, Event, EventType, Status
from ordertrack.core.link_view import REDACTED_ID
from ordertrack.core.order import Cancellation, Item, Order
from ordertrack.core.principal import Action, Role
from ordertrack.core.simulation import Step
from ordertrack.core.timestamps import format_time, format_times
from ordertrack.core.window import Window
from ordertrack.http.wire.patterns import whole

Time = Annotated[
    str,
    Meta(
        pattern=whole(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"),
        description="UTC, always milliseconds, always `Z`.",
        examples=["2026-11-22T10:15:30.123Z"],
    ),
]
Success = Annotated[bool, Meta(extra_json_schema={"const": True})]
"""Not `Literal[True]`: its schema is `{"enum": [true]}`, which some client generators cannot read."""
CursorText = Annotated[str, Meta(description="Opaque: echo it unchanged.", examples=["a1b2c3d4.3"])]


class WindowView(Struct, gc=False):
    """A time in which the order is expected to arrive."""

    from_: Time = msgspec.field(name="from")
    to: Time


class EtaView(Struct, gc=False):
    """The expected arrival."""

    promised: Annotated[WindowView, Meta(description="Given at creation; never changes.")]
    current: Annotated[WindowView | None, Meta(description="Expected now; null once the order has ended.")]
    late: Annotated[bool, Meta(description="The order is, or was delivered, later than promised.")]


class EventView(Struct, gc=False):
    """One entry of an order's log. `status` is the order's status after it."""

    version: int
    type: EventType
    status: Status
    at: Annotated[Time, Meta(description="When it happened, as the client reported it.")]
    recorded_at: Annotated[Time, Meta(description="When it was recorded: the order's `updated_at` at this version.")]
    actor: str
    reason: str | None
    skipped: Annotated[list[Status], Meta(description="Statuses that were skipped.")] | UnsetType = UNSET
    courier_id: (
        Annotated[str | None, Meta(description="Null for a tracking link, if it may not be shown.")] | UnsetType
    ) = UNSET
    undoes: Annotated[int, Meta(description="The version that this event undoes.")] | UnsetType = UNSET
    eta: Annotated[WindowView, Meta(description="The expected arrival from now on.")] | UnsetType = UNSET


class OrderView(Struct, gc=False):
    """The current state of an order."""

    id: int
    reference: str | None
    customer_id: Annotated[str | None, Meta(description="Null for a tracking link.")]
    restaurant_id: str
    courier_id: str | None
    status: Status
    items: list[Item]
    total: float | int | None
    currency: str | None
    address: str | None
    note: str | None
    version: int
    created_at: Time
    updated_at: Time
    timeline: list[EventView]
    cancellation: Cancellation | None
    restaurant_name: str | None
    eta: Annotated[EtaView | None, Meta(description="Null when none was given at creation.")]


class StepView(Struct):
    """A simulated step in the future."""

    status: Status
    at: Time
    reason: str | None


class SimulationView(Struct):
    order_id: int
    steps: list[StepView]


class OrdersView(Struct):
    orders: list[OrderView]
    next_cursor: str | None


class EventsView(Struct):
    order_id: int
    version: int
    cursor: CursorText
    events: list[EventView]


class AuditEntry(EventView, kw_only=True):
    """An event, with the address of the request."""

    origin: Annotated[str | None, Meta(description="The address; null for the server's own changes.")]


class AuditView(Struct):
    order_id: int
    entries: list[AuditEntry]


class BulkResult(Struct):
    """The result of one change. A failure has the keys of a problem."""

    order_id: int
    success: bool
    changed: bool | UnsetType = UNSET
    status: Status | UnsetType = UNSET
    version: int | UnsetType = UNSET
    updated_at: Time | UnsetType = UNSET
    error: str | UnsetType = UNSET
    message: str | UnsetType = UNSET
    field: str | UnsetType = UNSET
    current_status: Status | UnsetType = UNSET
    current_version: int | UnsetType = UNSET
    legal_next: list[Status] | UnsetType = UNSET
    role: Role | UnsetType = UNSET
    action: Action | UnsetType = UNSET


class BulkView(Struct):
    results: list[BulkResult]


class OrderAnswer(Struct, kw_only=True):
    success: Success = True
    data: OrderView


class ChangeAnswer(Struct, kw_only=True, gc=False):
    """`changed` is false when the order was in this state already: no event, no new version, no poll answered."""

    success: Success = True
    data: OrderView
    changed: bool


class OrdersAnswer(Struct, kw_only=True):
    success: Success = True
    data: OrdersView


class EventsAnswer(Struct, kw_only=True):
    success: Success = True
    data: EventsView


class BulkAnswer(Struct, kw_only=True):
    success: Success = True
    data: BulkView


class SimulationAnswer(Struct, kw_only=True):
    success: Success = True
    data: SimulationView


class AuditAnswer(Struct, kw_only=True):
    success: Success = True
    data: AuditView


_RECORDED_AT_MS = attrgetter("recorded_at_ms")


def event_view(event: Event, recorded_at: str = "") -> EventView:
    """`recorded_at` is that time as text, if it is known already."""
    recorded_at = recorded_at or format_time(event.recorded_at_ms)
    return EventView(
        event.version,
        event.type,
        event.status,
        recorded_at if event.at_ms == event.recorded_at_ms else format_time(event.at_ms),
        recorded_at,
        event.actor,
        event.reason,
        list(event.skipped) if event.skipped else UNSET,
        UNSET if event.courier_id is None else event.courier_id or None,
        UNSET if event.undoes is None else event.undoes,
        _window_view(event.eta.window)
        if event.eta is not None and not event.status.ended and event.type is not EventType.COURIER_ASSIGNED
        else UNSET,
    )


@lru_cache(maxsize=4096)
def _window_view(window: Window) -> WindowView:
    """Cached, since every response about an order repeats its windows."""
    return WindowView(format_time(window.from_ms), format_time(window.to_ms))


def _eta_view(promised: Eta | None, current: Eta | None, *, has_ended: bool) -> EtaView | None:
    if promised is None:
        return None
    shown = None if has_ended or current is None else _window_view(current.window)
    return EtaView(_window_view(promised.window), shown, current is not None and current.late)


def audit_entry(event: Event) -> AuditEntry:
    return AuditEntry(**msgspec.structs.asdict(event_view(event)), origin=event.origin)


def order_view(order: Order) -> OrderView:
    """Return the view. Feeds have thousands: so a time is formatted once, and the arguments are by position, since
    keywords would take a third of the time."""
    details, timeline = order.details, order.timeline
    recorded_at = format_times(map(_RECORDED_AT_MS, timeline))
    is_new_at_first = order.created_at_ms == timeline[0].recorded_at_ms
    return OrderView(
        order.id,
        order.reference,
        None if order.customer_id == REDACTED_ID else order.customer_id,
        order.restaurant_id,
        order.courier_id,
        order.status,
        list(details.items),
        details.total,
        details.currency,
        details.address,
        details.note,
        order.version,
        recorded_at[0] if is_new_at_first else format_time(order.created_at_ms),
        recorded_at[-1],
        list(map(event_view, timeline, recorded_at)),
        order.cancellation if order.status is Status.CANCELLED else None,
        details.restaurant_name,
        _eta_view(timeline[0].eta, timeline[-1].eta, has_ended=order.status.ended),
    )


def order_fields(order: Order) -> dict[str, Any]:
    """Return the order as its JSON is after decoding."""
    fields: dict[str, Any] = msgspec.to_builtins(order_view(order))
    return fields


class _Encoded:
    """The order that was encoded last. The polls that a change answers and the update itself share its JSON."""

    order: Order | None = None
    data = msgspec.Raw()

    def of(self, order: Order) -> OrderView:
        if self.order is not order:
            self.order, self.data = order, msgspec.Raw(encode(order_view(order)))
        return self.data  # type: ignore[return-value]  # encodes to the same


encoded_order = _Encoded().of


def simulation_view(order_id: int, steps: Sequence[Step]) -> SimulationView:
    return SimulationView(order_id, [StepView(s.status, format_time(s.due_at_ms), s.reason) for s in steps])


def cursor_of(epoch: str, order: Order) -> str:
    return str(Cursor(epoch, order.version))


encode = msgspec.json.Encoder().encode
