"""Orders listed and counted by what they are now."""

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
    """Raises ValueError for a status that there is not."""
    return {Status(status): count for status, count in connection.execute(BY_STATUS)}


def read_orders(connection: sqlite3.Connection, wanted: OrderFilter, damaged: list[int]) -> list[Order]:
    """Without damaged orders, whose ids are appended to `damaged`; others take their places on the page."""
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
    """Its parameters have the names of the filter's fields."""
    clauses = [f"{name} = :{name}" for name in PARTY_IDS if getattr(wanted, name) is not None]
    if wanted.statuses:
        clauses.append(_status_is_one_of(wanted.statuses, of_party=bool(clauses)))
    if wanted.before_id is not None:
        clauses.append("id < :before_id")
    return SQL["orders"].format(where=" AND ".join(clauses) or "TRUE")


def _status_is_one_of(statuses: Sequence[Status], *, of_party: bool) -> str:
    """As SQL. Orders that have ended say so in their row; the others, which are few, in their last event.

    The index of final statuses is for what is asked of all orders: one final status, or active orders. A `+` keeps
    SQLite from it elsewhere, where it would read every order that was ever delivered.
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
