"""What can happen to an order: one event, one version. History is only ever added to."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Status(StrEnum):
    """Where an order stands, in the words of the customer's screen."""

    __hash__ = str.__hash__  # Enum's own is written in Python, and every change looks up its step

    CONFIRMED = "confirmed"
    PREPARING = "preparing"
    READY = "ready"
    PICKED_UP = "picked_up"
    DELIVERED = "delivered"
    CANCELLED = "cancelled"

    ended: bool
    """True when nothing more is expected: no poll of such an order is ever held."""

    def __init__(self, value: str) -> None:
        self.ended = value in ("delivered", "cancelled")


PROGRESSION = (Status.CONFIRMED, Status.PREPARING, Status.READY, Status.PICKED_UP, Status.DELIVERED)
"""The way from kitchen to door, in order; `cancelled` is beside it."""


class EventType(StrEnum):
    __hash__ = str.__hash__

    CREATED = "created"
    STATUS_CHANGED = "status_changed"
    REVERTED = "reverted"
    COURIER_ASSIGNED = "courier_assigned"


class Event(msgspec.Struct, frozen=True, gc=False):
    """One entry of an order's log.

    `status` is the order's status *after* the event, whatever its type. `at_ms` is when it happened as told by whoever
    did it; `recorded_at_ms` is when it was recorded, strictly increasing per order. Both are milliseconds since 1970.
    `origin` is the address it was asked from, for the audit trail alone.
    """

    version: int
    type: EventType
    status: Status
    at_ms: int
    recorded_at_ms: int
    actor: str
    reason: str | None = None
    skipped: tuple[Status, ...] = ()
    courier_id: str | None = None
    undoes: int | None = None
    origin: str | None = None
