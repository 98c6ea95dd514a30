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


def read_orders(connection: sqlite3.Connection, order_filter: OrderFilter, damaged: list[int]) -> list[Order]:
    """Read a page without damaged orders: their ids are appended to `damaged`, and other orders take their places."""
    orders: list[Order] = []
    while True:
        parameters = {name: getattr(order_filter, name) for name in (*PARTY_IDS, "before_id", "limit")}
        ids = [order_id for (order_id,) in connection.execute(list_query(order_filter), parameters).fetchall()]
        found = read_undamaged(connection, ids, damaged)
        orders += found
        if len(ids) < order_filter.limit or len(found) == order_filter.limit:
            return orders
        order_filter = replace(order_filter, before_id=ids[-1], limit=order_filter.limit - len(found))


def list_query(order_filter: OrderFilter) -> str:
    """Return the query. Its parameters have the names of the filter's fields."""
    clauses = [f"{name} = :{name}" for name in PARTY_IDS if getattr(order_filter, name) is not None]
    if order_filter.statuses:
        clauses.append(_status_is_one_of(order_filter.statuses, of_party=bool(clauses)))
    if order_filter.before_id is not None:
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
