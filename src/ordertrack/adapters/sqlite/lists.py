"""Lists and counts of orders by their current values."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from msgspec.structs import replace

from ordertrack.adapters.sqlite.database import SQL
from ordertrack.adapters.sqlite.rows import read_undamaged
from ordertrack.core.event import Status
from ordertrack.core.order import Order
from ordertrack.ports.order_store import OrderFilter

PARTY_IDS = ("customer_id", "restaurant_id", "courier_id")
BY_STATUS = SQL["orders_by_status"].format(last_status=SQL["last_status"])


def count_by_status(connection: sqlite3.Connection) -> dict[Status, int]:
    """Raises: ValueError for an unknown status."""
    return {Status(status): count for status, count in connection.execute(BY_STATUS)}


def read_orders(connection: sqlite3.Connection, wanted: OrderFilter, damaged: list[int]) -> list[Order]:
    """Read a page without damaged orders: their ids are appended to `damaged`, and other orders take their places."""
    orders: list[Order] = []
    while True:
        parameters = {name: getattr(wanted, name) for name in (*PARTY_IDS, "before_id", "limit")}
        ids = [order_id for (order_id,) in connection.execute(list_query(wanted), parameters).fetchall()]
        found = read_undamaged(connection, ids, damaged)
        orders += found
        if len(ids) < wanted.limit or len(found) == wanted.limit:
            return orders
        wanted = replace(wanted, before_id=ids[-1], limit=wanted.limit - len(found))


def list_query(wanted: OrderFilter) -> str:
    """Return the query. Its parameters have the names of the filter's fields."""
    clauses = [f"{name} = :{name}" for name in PARTY_IDS if getattr(wanted, name) is not None]
    if wanted.statuses:
        clauses.append(_status_is_one_of(wanted.statuses, of_party=bool(clauses)))
    if wanted.before_id is not None:
        clauses.append("id < :before_id")
    return SQL["orders"].format(where=" AND ".join(clauses) or "TRUE")


def _status_is_one_of(statuses: Sequence[Status], *, of_party: bool) -> str:
    """Return the condition in SQL. An ended order has its status in its row, an active one in its last event.

    The index of final statuses serves queries over all orders for one final status or for active orders. A `+` keeps
    SQLite from using it elsewhere, where it would read every delivered order.
    """
    final = [status for status in statuses if status.ended]
    active = [status for status in statuses if not status.ended]
    plus = "+" if of_party or active or len(final) > 1 else ""
    clauses = [f"{plus}final_status IN ({_quoted(final)})"] if final else []
    if active:
        plus = "+" if final else ""
        clauses.append(f"({plus}final_status IS NULL AND {SQL['last_status']} IN ({_quoted(active)}))")
    return f"({' OR '.join(clauses)})"


def _quoted(statuses: Sequence[Status]) -> str:
    return ", ".join(f"'{Status(status).value}'" for status in statuses)
