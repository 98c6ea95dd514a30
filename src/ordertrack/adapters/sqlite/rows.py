"""Between rows and values: the only place that knows both the columns and the core."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

import msgspec

from ordertrack.adapters.sqlite.database import SQL
from ordertrack.core.event import Event, EventType, Status
from ordertrack.core.order import Details, Order
from ordertrack.core.workflow import Step

Row = tuple[Any, ...]

_DETAILS = msgspec.json.Decoder(Details)
_TEXT: dict[str, str] = {text: text.value for enum in (EventType, Status) for text in enum}
"""Plain strings: an enum's member takes SQLite's driver a search for an adapter, every time."""


def order_parameters(order: Order) -> dict[str, Any]:
    return {
        "id": order.id or None,
        "reference": order.reference,
        "customer_id": order.customer_id,
        "restaurant_id": order.restaurant_id,
        "courier_id": order.courier_id,
        "details": msgspec.json.encode(order.details).decode(),
        "created_at_ms": order.created_at_ms,
    }


def event_row(order_id: int, event: Event, feed_versions: Sequence[int]) -> Row:
    """`feed_versions` are those the event made in the feeds of the customer, the restaurant and the courier, if any."""
    return (
        order_id,
        event.version,
        _TEXT[event.type],
        _TEXT[event.status],
        event.at_ms,
        event.recorded_at_ms,
        event.actor,
        event.reason,
        ",".join(event.skipped) if event.skipped else None,
        event.courier_id,
        event.undoes,
        feed_versions[0],
        feed_versions[1],
        feed_versions[2] if len(feed_versions) > 2 else 0,
        event.origin,
    )


def step_row(step: Step) -> Row:
    return (step.order_id, step.seq, step.status.value, step.due_at_ms, step.reason)


def step_of(row: Row) -> Step:
    order_id, seq, status, due_at_ms, reason = row
    return Step(order_id, seq, Status(status), due_at_ms, reason)


def _event_of(row: Row) -> Event:
    version, type_, status, at_ms, recorded_at_ms, actor, reason, skipped, courier_id, undoes, origin = row
    return Event(
        version=version,
        type=EventType(type_),
        status=Status(status),
        at_ms=at_ms,
        recorded_at_ms=recorded_at_ms,
        actor=actor,
        reason=reason,
        skipped=tuple(map(Status, skipped.split(","))) if skipped else (),
        courier_id=courier_id,
        undoes=undoes,
        origin=origin,
    )


def order_of(connection: sqlite3.Connection, row: Row) -> Order:
    """The order of a row of `orders` as its events, read in the same transaction, left it.

    Raises ValueError when the rows are not those of an order.
    """
    id_, reference, customer_id, restaurant_id, courier_id, details, created_at_ms = row
    timeline = tuple(map(_event_of, connection.execute(SQL["events"], {"id": id_})))
    if not timeline:
        raise ValueError(f"order {id_} has no events")
    last = timeline[-1]
    return Order(
        id=id_,
        reference=reference,
        customer_id=customer_id,
        restaurant_id=restaurant_id,
        courier_id=courier_id,
        details=_DETAILS.decode(details),
        status=last.status,
        version=last.version,
        created_at_ms=created_at_ms,
        updated_at_ms=last.recorded_at_ms,
        timeline=timeline,
    )


def read_order(connection: sqlite3.Connection, order_id: int) -> Order | None:
    row = connection.execute(SQL["order"], {"id": order_id}).fetchone()
    return None if row is None else order_of(connection, row)
