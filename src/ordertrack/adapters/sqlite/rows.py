"""Conversion between rows and values of the core.

Rows may be damaged by older code or by the disk. Damage is confined to one order: a read of this order raises
InternalError, a read of many leaves it out, and the log has its id.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
import structlog

from ordertrack.adapters.sqlite.database import SQL
from ordertrack.core.errors import InternalError
from ordertrack.core.event import Event, EventType, Status
from ordertrack.core.order import Details, Order
from ordertrack.core.simulation import Step

Row = tuple[Any, ...]
log = structlog.get_logger("ordertrack.sqlite")

_DETAILS = msgspec.json.Decoder(Details)
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


def read_order(connection: sqlite3.Connection, order_id: int) -> Order | None:
    """Raises: InternalError when the order is damaged."""
    try:
        return _load(connection, order_id)
    except Exception as error:
        if not is_damage(error):
            raise
        incident = secrets.token_hex(6)
        log.exception("damaged order", order_id=order_id, incident=incident)
        raise InternalError(incident) from error


def read_undamaged(connection: sqlite3.Connection, order_ids: Iterable[int], damaged: list[int]) -> list[Order]:
    """Return the orders in the order of `order_ids`; the ids of damaged ones are appended to `damaged`."""
    orders: list[Order] = []
    causes: dict[int, Exception] = {}
    for order_id in order_ids:
        try:
            order = _load(connection, order_id)
        except Exception as error:
            if not is_damage(error):
                raise
            causes[order_id] = error
        else:
            if order is not None:
                orders.append(order)
    _log_left_out(causes)
    damaged.extend(causes)
    return orders


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


def _load(connection: sqlite3.Connection, order_id: int) -> Order | None:
    """Raises: sqlite3.Error, and what `is_damage` recognizes."""
    row = connection.execute(SQL["order"], {"id": order_id}).fetchone()
    if row is None:
        return None
    id_, reference, customer_id, restaurant_id, courier_id, details, created_at_ms = row
    timeline = tuple(map(_event_of, connection.execute(SQL["events"], {"id": id_})))
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
