"""What the server tells and what it is told, as typed values.

Every value ignores fields it does not know, so a newer server does not break an older client. For the same reason a
status or an event's type is a plain `str`: compare it with `Status`, whose members are strings. Times are aware
`datetime`s in UTC.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Generic, Literal, TypeVar

import msgspec

T = TypeVar("T")
Mode = Literal["live", "saver"]
"""`live`: each poll is held until there is news. `saver`: short polls with the server's advised pause between them."""


class Status(StrEnum):
    """Where an order stands; the first five are the road from kitchen to door, in order."""

    CONFIRMED = "confirmed"
    PREPARING = "preparing"
    READY = "ready"
    PICKED_UP = "picked_up"
    DELIVERED = "delivered"
    CANCELLED = "cancelled"


PROGRESSION = tuple(Status)[:5]


class Item(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line of an order. `price` is for one piece, in the order's currency."""

    name: str
    quantity: int = 1
    price: float | None = None
    note: str | None = None


class Event(msgspec.Struct, frozen=True):
    """One entry of an order's log. `version` counts from 1 without holes.

    `type` is `created`, `status_changed`, `reverted` or `courier_assigned`; `status` is the order's status after it.
    `at` is when it happened, `recorded_at` when the server heard of it. `skipped` are statuses jumped over; `undoes`
    is the version of the event that a `reverted` takes back.
    """

    version: int
    type: str
    status: str
    at: datetime
    recorded_at: datetime | None = None
    actor: str | None = None
    reason: str | None = None
    skipped: tuple[str, ...] = ()
    courier_id: str | None = None
    undoes: int | None = None


class Cancellation(msgspec.Struct, frozen=True):
    by: str | None = None
    reason: str | None = None


class Order(msgspec.Struct, frozen=True):
    """An order as it stood at `version`. `timeline` is its whole log, oldest first."""

    id: int
    status: str
    version: int
    updated_at: datetime
    created_at: datetime | None = None
    reference: str | None = None
    customer_id: str | None = None
    restaurant_id: str | None = None
    courier_id: str | None = None
    items: tuple[Item, ...] = ()
    total: float | None = None
    currency: str | None = None
    address: str | None = None
    note: str | None = None
    timeline: tuple[Event, ...] = ()
    cancellation: Cancellation | None = None

    @property
    def ended(self) -> bool:
        """True when nothing more is expected: delivered or cancelled."""
        return self.status in (Status.DELIVERED, Status.CANCELLED)


class Update(msgspec.Struct, frozen=True):
    """The answer to one poll.

    * `order`: the whole order as it stands, always.
    * `events`: what is new, oldest first. `events_truncated` says older ones were left out; `order.timeline` has all.
    * `reason`: why it was answered now: `snapshot`, `changed`, `reset`, `terminal`, `timeout`, `drain`, `superseded`.
    * `cursor`: opaque; hand it to `track(id, cursor=...)` to go on from here, even in another process.
    * `reset`: forget what you knew of the order, the server's history is another one (data restored, say).
    * `terminal`: the order has ended; there will be no further update.
    * `next_poll_interval_s`: the pause the server advises when polls are not held. 0 means stop.
    * `max_timeout_s`: the longest hold the server allows.
    """

    order: Order = msgspec.field(name="data")
    cursor: str
    has_update: bool = False
    events: tuple[Event, ...] = ()
    events_truncated: bool = False
    reason: str = ""
    reset: bool = False
    terminal: bool = False
    next_poll_interval_s: float | None = msgspec.field(default=None, name="next_poll_interval")
    max_timeout_s: float | None = msgspec.field(default=None, name="max_timeout")
    server_time: datetime | None = None


class Applied(msgspec.Struct, frozen=True):
    """The order after a write; `changed` is False when it was so already (a repeated request, for example)."""

    order: Order = msgspec.field(name="data")
    changed: bool = True


class OrderPage(msgspec.Struct, frozen=True):
    """Orders, newest first. `next_cursor` gets the next page; None: this was the last."""

    orders: tuple[Order, ...]
    next_cursor: str | None = None


class EventLog(msgspec.Struct, frozen=True):
    """Events after the version asked for, oldest first. `version` and `cursor` are the order's now."""

    order_id: int
    events: tuple[Event, ...]
    version: int
    cursor: str | None = None


class StatusUpdate(msgspec.Struct, frozen=True, omit_defaults=True):
    """One update of `set_statuses`; the fields are those of `set_status`. Raises ValueError for a time without zone."""

    order_id: int
    status: str
    reason: str | None = None
    occurred_at: datetime | None = None
    expected_version: int | None = None
    undo: bool = False

    def __post_init__(self) -> None:
        if self.occurred_at is not None and self.occurred_at.tzinfo is None:
            raise ValueError("occurred_at needs a time zone: datetime.now(UTC), not datetime.now()")


class StatusResult(msgspec.Struct, frozen=True):
    """What became of one update of a batch. When `success` is False, `error` is the code and `message` says why.

    The last four are the order's state when it refused the update, or the field that was wrong.
    """

    order_id: int
    success: bool
    changed: bool = False
    status: str | None = None
    version: int | None = None
    updated_at: datetime | None = None
    error: str | None = None
    message: str | None = None
    field: str | None = None
    current_status: str | None = None
    current_version: int | None = None
    legal_next: tuple[str, ...] = ()


class SimulationStep(msgspec.Struct, frozen=True):
    """The simulated workflow sets the order to `status` at `at`."""

    status: str
    at: datetime
    reason: str | None = None


class WakeLatency(msgspec.Struct, frozen=True):
    """Milliseconds from a change being durable to the last byte of the answer it caused. None: no sample yet."""

    p50: float | None = None
    p99: float | None = None
    max: float | None = None


class Stats(msgspec.Struct, frozen=True):
    """One server's figures, since it started. `active_connections` are polls held now."""

    active_connections: int
    orders_watched: int = 0
    max_connections_per_order: int = 0
    polls_total: dict[str, int] = {}
    updates_total: int = 0
    wake_latency_ms: WakeLatency = WakeLatency()
    lost_wakeups_total: int = 0
    bytes_per_held_poll: float | None = None
    cpu_percent: float = 0.0
    memory_mb: float = 0.0
    uptime_s: float = 0.0
    orders_by_status: dict[str, int] = {}
    simulations_running: int = 0
    draining: bool = False
    node: str = ""
    nodes: tuple[str, ...] = ()
    store: str = ""
    signal: str = ""
    version: str = ""


class Envelope(msgspec.Struct, Generic[T], frozen=True):
    """`{"success": true, "data": ...}`: every good answer that is not an `Update` or `Applied`."""

    data: T
