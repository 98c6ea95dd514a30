"""The typed values of requests and answers.

Every value ignores unknown fields, so a newer server does not break an older client. For the same reason a
status or an event's type is a plain `str`: compare it with `Status`, whose members are strings. Times are aware
`datetime`s in UTC.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import ClassVar, Generic, Literal, TypeVar

import msgspec

T = TypeVar("T")
Mode = Literal["live", "saver"]
"""`live`: each poll is held until there is news. `saver`: polls without a hold, at the interval the server advises."""


class Status(StrEnum):
    """The status of an order; the first five are the steps of a delivery, in order (`PROGRESSION`)."""

    CONFIRMED = "confirmed"
    PREPARING = "preparing"
    READY = "ready"
    PICKED_UP = "picked_up"
    DELIVERED = "delivered"
    CANCELLED = "cancelled"


PROGRESSION = tuple(status for status in Status if status is not Status.CANCELLED)


class Item(msgspec.Struct, frozen=True, omit_defaults=True):
    """One item of an order. `price` is the price of one, in the order's currency."""

    name: str
    quantity: int = 1
    price: float | None = None
    note: str | None = None


class Window(msgspec.Struct, frozen=True):
    """The time in which an order is expected to arrive, both ends included."""

    start: datetime = msgspec.field(name="from")
    end: datetime = msgspec.field(name="to")


class Event(msgspec.Struct, frozen=True):
    """One entry of an order's log. `version` counts from 1 without holes.

    `type` is `created`, `status_changed`, `reverted`, `courier_assigned`, `eta_changed` or one that a newer server has;
    `status` is the order's status after it. `at` is the time of the event, `recorded_at` the time the server recorded
    it. `skipped` are statuses left out; `undoes` is the version of the event that a `reverted` undoes; `eta` is the
    expected arrival from now on.
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
    eta: Window | None = None


class Cancellation(msgspec.Struct, frozen=True):
    by: str | None = None
    reason: str | None = None


class Eta(msgspec.Struct, frozen=True):
    """The expected arrival. `promised` was given at creation; `current` is None once the order has ended; `late` is
    True for an order that is, or was delivered, later than promised."""

    promised: Window
    current: Window | None = None
    late: bool = False


class Order(msgspec.Struct, frozen=True):
    """The state of an order at `version`. `timeline` is its complete log, oldest first."""

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
    restaurant_name: str | None = None
    eta: Eta | None = None

    @property
    def ended(self) -> bool:
        """True when the order is delivered or cancelled."""
        return self.status in (Status.DELIVERED, Status.CANCELLED)


class Update(msgspec.Struct, frozen=True):
    """The answer to one poll.

    * `order`: the complete order in its current state, always present.
    * `events`: new events, oldest first. With `events_truncated` older ones are missing; `order.timeline` has all.
    * `reason`: the cause of the answer: `snapshot`, `changed`, `reset`, `terminal`, `timeout`, `drain`, `superseded`.
    * `cursor`: opaque; pass it to `track(id, cursor=...)` to continue from here, even in another process.
    * `reset`: discard earlier state of the order: the server's history was replaced, for example by a restore.
    * `terminal`: the order has ended; there will be no further update.
    * `next_poll_interval_s`: the advised pause between polls that are not held. 0 means stop.
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
    more: ClassVar[bool] = False

    def version_after(self, latest: int | None) -> int:
        """Return the version of this answer; `latest` is that of the answer before."""
        return self.order.version


class _FeedOrders(msgspec.Struct, frozen=True):
    orders: tuple[Order, ...] = ()


class FeedUpdate(msgspec.Struct, frozen=True):
    """The answer to one poll of a feed: all orders of a customer, a restaurant or a courier.

    * `orders`: complete orders in their current state. In a `snapshot` or a `reset` those that have not ended, by id;
      later those that changed, ended ones included, the oldest change first.
    * `left`: ids of the orders that another courier has now.
    * `more`: the answer is one page of several. The next update follows at once.
    * `reason`, `cursor`, `reset`, `next_poll_interval_s` and `max_timeout_s` are those of `Update`. A feed never ends.
      With `reset` discard all orders that you have: the complete state follows from this update on.
    """

    data: _FeedOrders
    cursor: str
    has_update: bool = False
    left: tuple[int, ...] = ()
    more: bool = False
    reason: str = ""
    reset: bool = False
    next_poll_interval_s: float | None = msgspec.field(default=None, name="next_poll_interval")
    max_timeout_s: float | None = msgspec.field(default=None, name="max_timeout")
    server_time: datetime | None = None
    terminal: ClassVar[bool] = False

    @property
    def orders(self) -> tuple[Order, ...]:
        return self.data.orders

    def version_after(self, latest: int | None) -> int:
        """Return the number of answers with changes so far: a feed's own version is only in its opaque cursor."""
        return (latest or 0) + self.has_update


class Applied(msgspec.Struct, frozen=True):
    """The order after a write; `changed` is False when it had that state already, for example after a retry."""

    order: Order = msgspec.field(name="data")
    changed: bool = True


class OrderPage(msgspec.Struct, frozen=True):
    """Orders, newest first. `next_cursor` selects the next page; None after the last."""

    orders: tuple[Order, ...]
    next_cursor: str | None = None


class EventLog(msgspec.Struct, frozen=True):
    """Events after the requested version, oldest first. `version` and `cursor` are the order's current ones."""

    order_id: int
    events: tuple[Event, ...]
    version: int
    cursor: str | None = None


class NewLink(msgspec.Struct, frozen=True):
    """A new tracking link. The server shows its token only this once.

    `path` is the path of the page for people: the link to share is the server's URL and this path.
    """

    id: int
    order_id: int
    token: str
    path: str
    created_at: datetime
    created_by: str | None = None


class Link(msgspec.Struct, frozen=True):
    """A tracking link without its token. `revoked_at` is None while it is valid."""

    id: int
    order_id: int
    created_at: datetime
    created_by: str | None = None
    revoked_at: datetime | None = None


class AuditEntry(Event, frozen=True):
    """An event with the network address it came from: None for a change by the server itself."""

    origin: str | None = None


class StatusUpdate(msgspec.Struct, frozen=True, omit_defaults=True):
    """One update of `set_statuses`, with the fields of `set_status`. Raises: ValueError, for a time without zone."""

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
    """The result of one update of a batch. When `success` is False, `error` is the code and `message` the reason.

    The last four are the order's state when it refused the update, or the invalid field.
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
    """Milliseconds from the commit of a change to the last byte of the answer it caused. None without samples."""

    p50: float | None = None
    p99: float | None = None
    max: float | None = None


class NodeStats(msgspec.Struct, frozen=True):
    """The figures of one node of a cluster since it started."""

    node: str
    active_connections: int = 0
    orders_watched: int = 0
    polls_total: dict[str, int] = {}
    updates_total: int = 0
    lost_wakeups_total: int = 0
    simulations_running: int = 0
    uptime_s: float = 0.0
    draining: bool = False


class Stats(msgspec.Struct, frozen=True):
    """The statistics of a server since it started; in a cluster, those that `NodeStats` has are sums over all nodes.
    `active_connections` counts the polls held now."""

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
    by_node: tuple[NodeStats, ...] = ()
    store: str = ""
    signal: str = ""
    version: str = ""


class Envelope(msgspec.Struct, Generic[T], frozen=True):
    """`{"success": true, "data": ...}`: every successful answer that is not an `Update` or `Applied`."""

    data: T
