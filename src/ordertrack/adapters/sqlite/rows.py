"""Conversion between rows and values of the core.

Rows may be damaged by older code or by the disk. Damage is confined to one order: a read of this order raises
InternalError, a read of many leaves it out, and the log has its id.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Collection, Sequence
from typing import Any

import msgspec
import structlog

from ordertrack.adapters.sqlite.database import SQL
from ordertrack.core.errors import InternalError, OrderNotFound, OrdertrackError
from ordertrack.core.event import Event, EventType, Status
from ordertrack.core.order import Details, Order
from ordertrack.core.simulation import Step

Row = tuple[Any, ...]
log = structlog.get_logger("ordertrack.sqlite")


class _EventRow(msgspec.Struct, array_like=True, gc=False):
    """An event of `orders_by_id`."""

    version: int
    type: EventType
    status: Status
    at_ms: int
    recorded_at_ms: int
    actor: str
    reason: str | None
    skipped: str | None
    courier_id: str | None
    undoes: int | None
    origin: str | None


_DETAILS = msgspec.json.Decoder(Details)
_EVENTS = msgspec.json.Decoder(list[_EventRow])
_TEXT: dict[str, str] = {text: text.value for enum in (EventType, Status) for text in enum}
"""Plain strings, since SQLite's driver searches for an adapter each time it gets an enum member."""


def order_row(order: Order) -> Row:
    return (
        order.id,
        order.reference,
        order.customer_id,
        order.restaurant_id,
        order.courier_id,
        msgspec.json.encode(order.details).decode(),
        order.created_at_ms,
    )


def event_row(order_id: int, event: Event, feed_versions: Sequence[int]) -> Row:
    """`feed_versions` are those after the event, of the customer's, the restaurant's and the courier's feed."""
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


def read_steps(connection: sqlite3.Connection, damaged: list[int]) -> dict[int, tuple[Step, ...]]:
    """Return the pending steps of all simulations by order, without orders with a damaged step: their ids are appended
    to `damaged`."""
    steps: dict[int, tuple[Step, ...]] = {}
    causes: dict[int, Exception] = {}
    for order_id, seq, status, due_at_ms, reason in connection.execute(SQL["steps"]):
        try:
            step = Step(order_id, seq, Status(status.decode()), due_at_ms, None if reason is None else reason.decode())
        except ValueError as error:
            causes[order_id] = error
        else:
            steps[order_id] = (*steps.get(order_id, ()), step)
    _log_left_out(causes)
    damaged.extend(causes)
    return {order_id: pending for order_id, pending in steps.items() if order_id not in causes}


def read_order(connection: sqlite3.Connection, order_id: int) -> Order | None:
    """Raises: InternalError when the order is damaged."""
    orders, causes = _load(connection, (order_id,))
    if causes:
        raise _report_damage(order_id, causes[order_id]) from causes[order_id]
    return orders.get(order_id)


def read_each_order(connection: sqlite3.Connection, order_ids: Sequence[int]) -> dict[int, Order | OrdertrackError]:
    """Return each order by its id, or why it cannot be read: OrderNotFound, InternalError."""
    orders, causes = _load(connection, order_ids)
    outcomes: dict[int, Order | OrdertrackError] = {**orders}
    for order_id, cause in causes.items():
        outcomes[order_id] = _report_damage(order_id, cause)
    for order_id in order_ids:
        if order_id not in outcomes:
            outcomes[order_id] = OrderNotFound(order_id)
    return outcomes


def read_undamaged(connection: sqlite3.Connection, order_ids: Collection[int], damaged: list[int]) -> list[Order]:
    """Return the orders in the order of `order_ids`; the ids of damaged ones are appended to `damaged`."""
    orders, causes = _load(connection, order_ids)
    _log_left_out(causes)
    damaged.extend(causes)
    return [orders[order_id] for order_id in order_ids if order_id in orders]


def _report_damage(order_id: int, cause: Exception) -> InternalError:
    """Log the damage; return the error for those who read this order."""
    incident = secrets.token_hex(6)
    log.error("damaged order", order_id=order_id, incident=incident, exc_info=cause)
    return InternalError(incident)


def is_damage(error: Exception) -> bool:
    """Return True for rows that cannot be decoded, False for a failure of the medium, which may recover."""
    if not isinstance(error, sqlite3.Error):
        return isinstance(error, ValueError | msgspec.MsgspecError)
    primary_code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    # The driver has no class and no code for text that is not UTF-8.
    return primary_code == sqlite3.SQLITE_CORRUPT or str(error).startswith("Could not decode to UTF-8")


def is_medium_failure(error: Exception) -> bool:
    """Return True for a failure of the whole file or disk, False for one of a single request."""
    of_request = (sqlite3.IntegrityError, sqlite3.DataError, sqlite3.ProgrammingError)
    return isinstance(error, sqlite3.DatabaseError) and not isinstance(error, of_request) and not is_damage(error)


def _log_left_out(causes: dict[int, Exception]) -> None:
    if causes:
        why = str(next(iter(causes.values())))
        log.error("damaged orders were left out of what was read", order_ids=list(causes), why=why)


def _load(connection: sqlite3.Connection, order_ids: Collection[int]) -> tuple[dict[int, Order], dict[int, Exception]]:
    """Return by id the orders that exist, and what is wrong with the damaged ones.

    Raises: sqlite3.Error when the medium fails.
    """
    orders: dict[int, Order] = {}
    causes: dict[int, Exception] = {}
    try:
        rows = connection.execute(SQL["orders_by_id"], {"ids": f"[{','.join(map(str, order_ids))}]"}).fetchall()
    except Exception as error:
        if not is_damage(error):
            raise
        if len(order_ids) == 1:
            return {}, dict.fromkeys(order_ids, error)
        for order_id in order_ids:
            order, cause = _load(connection, (order_id,))
            orders |= order
            causes |= cause
        return orders, causes
    for row in rows:
        try:
            orders[row[0]] = _order_of(row)
        except (ValueError, msgspec.MsgspecError) as error:
            causes[row[0]] = error
    return orders, causes


def _order_of(row: Row) -> Order:
    """Raises: ValueError, msgspec.MsgspecError."""
    id_, reference, customer_id, restaurant_id, courier_id, details, created_at_ms, events = row
    timeline = tuple(map(_event_of, _EVENTS.decode(events)))
    if not timeline or timeline[-1].version != len(timeline):
        raise ValueError(f"{len(timeline)} events, the last of version {timeline[-1].version if timeline else None}")
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


def _event_of(row: _EventRow) -> Event:
    return Event(
        row.version,
        row.type,
        row.status,
        row.at_ms,
        row.recorded_at_ms,
        row.actor,
        row.reason,
        tuple(map(Status, row.skipped.split(","))) if row.skipped else (),
        row.courier_id,
        row.undoes,
        row.origin,
    )
