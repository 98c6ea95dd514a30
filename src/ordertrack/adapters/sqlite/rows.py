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
from ordertrack.core.calendar import TimeMs
from ordertrack.core.errors import InternalError, OrderNotFound, OrdertrackError
from ordertrack.core.event import Event, EventType, Status
from ordertrack.core.order import Details, Order
from ordertrack.core.simulation import Step

Row = tuple[Any, ...]
log = structlog.get_logger("ordertrack.sqlite")


ORDER_COLUMNS = SQL["order_columns"].format(event_fields=SQL["event_fields"])
"""The columns that `decode_order` decodes."""
_ORDERS_BY_ID = SQL["orders_by_id"].format(columns=ORDER_COLUMNS)
_DETAILS = msgspec.json.Decoder(Details)
_TIMELINE = msgspec.json.Decoder(tuple[Event, ...])
_NO_ETA = (None,) * 4
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
    eta = event.eta
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
        *(_NO_ETA if eta is None else (eta.window.from_ms, eta.window.to_ms, eta.late, eta.check_at_ms)),
    )


def step_row(step: Step) -> Row:
    return (step.order_id, step.seq, step.status.value, step.due_at_ms, step.reason)


def read_steps(connection: sqlite3.Connection, damaged: list[int]) -> dict[int, tuple[Step, ...]]:
    """Return the pending steps of all simulations by order, without orders with a damaged step: their ids are appended
    to `damaged`."""
    causes: dict[int, Exception] = {}
    steps = load_steps(connection, causes)
    leave_out(causes, damaged)
    return steps


def load_steps(connection: sqlite3.Connection, causes: dict[int, Exception]) -> dict[int, tuple[Step, ...]]:
    """Return the pending steps of all simulations by order. What is wrong with damaged ones is added to `causes`."""
    steps: dict[int, tuple[Step, ...]] = {}
    for order_id, seq, status, due_at_ms, reason in connection.execute(SQL["steps"]):
        try:
            step = Step(order_id, seq, Status(status.decode()), due_at_ms, None if reason is None else reason.decode())
        except ValueError as error:
            causes[order_id] = error
        else:
            steps[order_id] = (*steps.get(order_id, ()), step)
    return {order_id: pending for order_id, pending in steps.items() if order_id not in causes}


def read_order(connection: sqlite3.Connection, order_id: int) -> Order | None:
    """Raises: InternalError when the order is damaged."""
    causes: dict[int, Exception] = {}
    orders = load_orders(connection, (order_id,), causes)
    if causes:
        raise _report_damage(order_id, causes[order_id]) from causes[order_id]
    return orders.get(order_id)


def read_each_order(connection: sqlite3.Connection, order_ids: Sequence[int]) -> dict[int, Order | OrdertrackError]:
    """Return each order by its id, or why it cannot be read: OrderNotFound, InternalError."""
    causes: dict[int, Exception] = {}
    outcomes: dict[int, Order | OrdertrackError] = {**load_orders(connection, order_ids, causes)}
    for order_id, cause in causes.items():
        outcomes[order_id] = _report_damage(order_id, cause)
    for order_id in order_ids:
        if order_id not in outcomes:
            outcomes[order_id] = OrderNotFound(order_id)
    return outcomes


def read_undamaged(connection: sqlite3.Connection, order_ids: Collection[int], damaged: list[int]) -> list[Order]:
    """Return the orders in the order of `order_ids`; the ids of damaged ones are appended to `damaged`."""
    causes: dict[int, Exception] = {}
    orders = load_orders(connection, order_ids, causes)
    leave_out(causes, damaged)
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


def leave_out(causes: dict[int, Exception], damaged: list[int]) -> None:
    """Log which damaged orders a read of many left out, and append their ids to `damaged`."""
    damaged.extend(causes)
    if causes:
        why = str(next(iter(causes.values())))
        log.error("damaged orders were left out of what was read", order_ids=list(causes), why=why)


def load_orders(
    connection: sqlite3.Connection, order_ids: Collection[int], causes: dict[int, Exception]
) -> dict[int, Order]:
    """Return by id the orders that exist. What is wrong with the damaged ones is added to `causes`.

    Raises: sqlite3.Error when the medium fails.
    """
    try:
        rows = connection.execute(_ORDERS_BY_ID, {"ids": f"[{','.join(map(str, order_ids))}]"}).fetchall()
    except Exception as error:
        if not is_damage(error):
            raise
        if len(order_ids) == 1:
            causes.update(dict.fromkeys(order_ids, error))
            return {}
        return {id_: order for each in order_ids for id_, order in load_orders(connection, (each,), causes).items()}
    decoded = (decode_order(row, causes) for row in rows)
    return {order.id: order for order in decoded if order is not None}


def decode_order(columns: Sequence[Any], causes: dict[int, Exception]) -> Order | None:
    """Return the order; None when it is damaged: then what is wrong is added to `causes`."""
    id_, reference, customer_id, restaurant_id, courier_id, details, created_at_ms, events = columns
    try:
        timeline = _TIMELINE.decode(events)
        last = timeline[-1] if timeline else None
        if last is None or last.version != len(timeline):
            raise ValueError(f"{len(timeline)} events, the last of version {last.version if last else None}")
        return Order(
            id_,
            reference,
            customer_id,
            restaurant_id,
            courier_id,
            _DETAILS.decode(details),
            last.status,
            last.version,
            msgspec.convert(created_at_ms, TimeMs),
            last.recorded_at_ms,
            timeline,
        )
    except (ValueError, msgspec.MsgspecError) as error:
        causes[id_] = error
        return None
