"""Events and statuses of an order. Each event is one version; events are appended and never changed."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from ordertrack.core.calendar import TimeMs
from ordertrack.core.enum_members import plain_members
from ordertrack.core.window import Window


@plain_members
class Status(StrEnum):
    """The status of an order, by its name in the HTTP contract."""

    __hash__ = str.__hash__  # Enum's own is written in Python, and every change looks up its transition

    CONFIRMED = "confirmed"
    PREPARING = "preparing"
    READY = "ready"
    PICKED_UP = "picked_up"
    DELIVERED = "delivered"
    CANCELLED = "cancelled"

    ended: bool
    """True when no more changes are expected: no poll of such an order is held."""

    def __init__(self, value: str) -> None:
        self.ended = value in ("delivered", "cancelled")


PROGRESSION = (Status.CONFIRMED, Status.PREPARING, Status.READY, Status.PICKED_UP, Status.DELIVERED)
"""The statuses of a delivered order, in order."""


@plain_members
class EventType(StrEnum):
    __hash__ = str.__hash__

    CREATED = "created"
    STATUS_CHANGED = "status_changed"
    REVERTED = "reverted"
    COURIER_ASSIGNED = "courier_assigned"
    ETA_CHANGED = "eta_changed"


STATUS_EVENTS = frozenset((EventType.CREATED, EventType.STATUS_CHANGED, EventType.REVERTED))
"""The types of events that set the status. The others keep it."""


class Eta(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """The expected arrival after an event. For a delivery, `window` is its time.

    `late` is True when the window ends later than was promised. Without a later event, the window has to be checked
    from `check_at_ms` on (milliseconds since 1970).
    """

    window: Window
    late: bool
    check_at_ms: TimeMs


class Event(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """One entry of an order's log.

    `status` and `eta` are those of the order *after* the event, for every type. `eta` is None for a cancelled order,
    and when none was given. `at_ms` is when it happened according to its
    actor; `recorded_at_ms` is when it was recorded, strictly increasing per order. Both are milliseconds since 1970.
    `origin` is the client's address, for the audit trail only. A store may keep or read an event as a JSON array.
    """

    version: int
    type: EventType
    status: Status
    at_ms: TimeMs
    recorded_at_ms: TimeMs
    actor: str
    reason: str | None = None
    courier_id: str | None = None
    undoes: int | None = None
    origin: str | None = None
    skipped: tuple[Status, ...] = ()
    eta: Eta | None = None
