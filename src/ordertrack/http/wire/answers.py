"""Answer bodies: values of the core as the client sees them. PROTOCOL.md says what each key means."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Generic, TypeVar

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from ordertrack.core.access import Action
from ordertrack.core.event import Event, EventType, Status
from ordertrack.core.feed import Cursor, FeedState, format_time
from ordertrack.core.link import REDACTED_ID
from ordertrack.core.order import Cancellation, Item, Order
from ordertrack.core.poll import MAX_EVENTS_IN_ANSWER, Answer, Reason, has_ended, next_poll_interval_s
from ordertrack.core.principal import Role
from ordertrack.core.workflow import Step
from ordertrack.http.wire.patterns import whole
from ordertrack.service.monitoring import SystemStats

Time = Annotated[
    str,
    Meta(
        pattern=whole(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"),
        description="UTC, always milliseconds, always `Z`.",
        examples=["2026-11-22T10:15:30.123Z"],
    ),
]
Success = Annotated[bool, Meta(extra_json_schema={"const": True})]
"""Not `Literal[True]`: its schema is `{"enum": [true]}`, which some generators of clients cannot read."""
CursorText = Annotated[str, Meta(description="Opaque: echo it unchanged.", examples=["a1b2c3d4.3"])]


class EventView(Struct):
    """One entry of an order's log. `status` is the order's status after it."""

    version: int
    type: EventType
    status: Status
    at: Annotated[Time, Meta(description="When it happened, as told by whoever did it.")]
    recorded_at: Annotated[Time, Meta(description="When it was recorded: the order's `updated_at` at this version.")]
    actor: str
    reason: str | None
    skipped: Annotated[list[Status], Meta(description="Steps that were passed over.")] | UnsetType = UNSET
    courier_id: str | UnsetType = UNSET
    undoes: Annotated[int, Meta(description="The version this event takes back.")] | UnsetType = UNSET


class OrderView(Struct):
    """An order as it stands."""

    id: int
    reference: str | None
    customer_id: Annotated[str | None, Meta(description="Null in what a tracking link shows.")]
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


class StepView(Struct):
    """A simulated step to come."""

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
    """An event, with where it was asked from."""

    origin: Annotated[str | None, Meta(description="The address; null when it was the server itself.")]


class AuditView(Struct):
    order_id: int
    entries: list[AuditEntry]


class BulkResult(Struct):
    """What became of one change. Without success, the keys of a problem."""

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


class ChangeAnswer(Struct, kw_only=True):
    """`changed` is false when it was already so: no event, no new version, nobody woken."""

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


class StatsAnswer(Struct, kw_only=True):
    success: Success = True
    data: SystemStats


class HealthView(Struct):
    status: str


class HealthAnswer(Struct, kw_only=True):
    success: Success = True
    data: HealthView


D = TypeVar("D")


class _PollAnswer(Struct, Generic[D], kw_only=True):
    """What every poll is answered. The first five keys are the original contract's."""

    success: Success = True
    data: D
    has_update: bool
    next_poll_interval: Annotated[int, Meta(description="Seconds. 0 means stop, and nothing else does.")]
    battery_tip: str
    cursor: CursorText
    reason: Reason
    reset: Annotated[bool, Meta(description="Forget what you knew: this is another history.")]
    terminal: Annotated[bool, Meta(description="The order has ended; nothing more will come.")]
    events: Annotated[list[EventView], Meta(description="What you had not seen, oldest first, at most the newest 50.")]
    events_truncated: Annotated[bool, Meta(description="True when older ones were left out of `events`.")]
    max_timeout: Annotated[float | int, Meta(description="The longest hold this server grants, in seconds.")]
    server_time: Time


class PollAnswer(_PollAnswer[OrderView], kw_only=True):
    """What a poll of an order is answered."""


class FeedView(Struct):
    orders: Annotated[list[OrderView], Meta(description="What changed, the oldest change first, at most 100.")]


class FeedPollAnswer(_PollAnswer[FeedView], kw_only=True):
    """What a poll of a customer, a restaurant or a courier is answered. A feed never ends, and each order carries its
    own events: `terminal` is false and `events` is empty."""

    left: Annotated[list[int], Meta(description="Orders that are no longer this courier's.")]
    more: Annotated[bool, Meta(description="There is more already: poll again at once with this `cursor`.")]


def event_view(event: Event) -> EventView:
    return EventView(
        version=event.version,
        type=event.type,
        status=event.status,
        at=format_time(event.at_ms),
        recorded_at=format_time(event.recorded_at_ms),
        actor=event.actor,
        reason=event.reason,
        skipped=list(event.skipped) or UNSET,
        courier_id=UNSET if event.courier_id is None else event.courier_id,
        undoes=UNSET if event.undoes is None else event.undoes,
    )


def audit_entry(event: Event) -> AuditEntry:
    return AuditEntry(**msgspec.structs.asdict(event_view(event)), origin=event.origin)


def order_view(order: Order) -> OrderView:
    details = order.details
    return OrderView(
        id=order.id,
        reference=order.reference,
        customer_id=None if order.customer_id == REDACTED_ID else order.customer_id,
        restaurant_id=order.restaurant_id,
        courier_id=order.courier_id,
        status=order.status,
        items=list(details.items),
        total=details.total,
        currency=details.currency,
        address=details.address,
        note=details.note,
        version=order.version,
        created_at=format_time(order.created_at_ms),
        updated_at=format_time(order.updated_at_ms),
        timeline=[event_view(event) for event in order.timeline],
        cancellation=order.cancellation,
    )


class _Encoded:
    """The order that was encoded last: a change is told to all who wait for it, and then to whoever made it."""

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


def battery_tip(next_poll_interval_s: int) -> str:
    if next_poll_interval_s == 0:
        return "Order complete: stop polling"
    return f"Next poll in {next_poll_interval_s} seconds"


def position_of(answer: Answer, epoch: str) -> Cursor:
    """What the client has with this answer. Without news of a party's feed that is what it had."""
    state = answer.state
    if isinstance(state, FeedState):
        if not answer.has_update and answer.position is not None:
            return Cursor(epoch, answer.position)
        return Cursor(epoch, state.version, state.changes.snapshot)
    return Cursor(epoch, state.version)


def poll_answer(answer: Answer, epoch: str, max_timeout_s: float, now_ms: int) -> PollAnswer | FeedPollAnswer:
    """`data` of an order's answer is only good for encoding."""
    state, events = answer.state, answer.events
    interval_s = next_poll_interval_s(state)
    common: dict[str, Any] = {
        "has_update": answer.has_update,
        "next_poll_interval": interval_s,
        "battery_tip": battery_tip(interval_s),
        "cursor": str(position_of(answer, epoch)),
        "reason": answer.reason,
        "reset": answer.reason is Reason.RESET,
        "terminal": has_ended(state),
        "events": [event_view(event) for event in events[-MAX_EVENTS_IN_ANSWER:]],
        "events_truncated": len(events) > MAX_EVENTS_IN_ANSWER,
        "max_timeout": int(max_timeout_s) if max_timeout_s == int(max_timeout_s) else max_timeout_s,
        "server_time": format_time(now_ms),
    }
    if isinstance(state, FeedState):
        orders, changes = [order_view(order) for order in state.changes.orders], state.changes
        return FeedPollAnswer(data=FeedView(orders), left=list(changes.left), more=changes.more, **common)
    return PollAnswer(data=encoded_order(state), **common)


def encode(value: Any) -> bytes:
    return msgspec.json.encode(value)
