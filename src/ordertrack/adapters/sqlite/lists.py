"""Lists and counts of orders by their current values.

A list is a merge of ranges of an index, each of them in the order of ids, so it costs as much as it returns, however
many orders there are. Each final status is a range; the active orders are another one, and for those the last event has
the status. With several parties, the orders of the one with the fewest changes are read and checked for the others.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from ordertrack.adapters.sqlite.database import SQL
from ordertrack.adapters.sqlite.feeds import read_party
from ordertrack.adapters.sqlite.rows import read_undamaged
from ordertrack.core.event import Status
from ordertrack.core.feed import FeedKey, FeedKind
from ordertrack.core.order import Order
from ordertrack.ports.order_store import EtaPage, OrderFilter

PARTIES = {"customer_id": FeedKind.CUSTOMER, "restaurant_id": FeedKind.RESTAURANT, "courier_id": FeedKind.COURIER}
BY_STATUS = SQL["orders_by_status"].format(last_status=SQL["last_status"])


def count_by_status(connection: sqlite3.Connection) -> dict[Status, int]:
    """Raises: ValueError for an unknown status."""
    return {Status(status): count for status, count in connection.execute(BY_STATUS)}


def read_etas_to_check(
    connection: sqlite3.Connection, now_ms: int, after_id: int, limit: int, damaged: list[int]
) -> EtaPage:
    """Read a page without damaged orders: their ids are appended to `damaged`."""
    parameters = {"now_ms": now_ms, "after": after_id, "limit": limit}
    rows = connection.execute(SQL["etas_to_check"], parameters).fetchall()
    due = read_undamaged(connection, [order_id for order_id, is_due in rows if is_due], damaged)
    return EtaPage(due, rows[-1][0] if len(rows) == limit else None)


def read_orders(connection: sqlite3.Connection, order_filter: OrderFilter, damaged: list[int]) -> list[Order]:
    """Read a page without damaged orders: their ids are appended to `damaged`, and other orders take their places."""
    parties = _rarest_first(connection, order_filter)
    orders: list[Order] = []
    while True:
        parameters = {name: getattr(order_filter, name) for name in (*PARTIES, "before_id", "limit")}
        query = list_query(order_filter, parties)
        ids = [order_id for (order_id,) in connection.execute(query, parameters).fetchall()]
        found = read_undamaged(connection, ids, damaged)
        orders += found
        if len(ids) < order_filter.limit or len(found) == order_filter.limit:
            return orders
        order_filter = replace(order_filter, before_id=ids[-1], limit=order_filter.limit - len(found))


def _rarest_first(connection: sqlite3.Connection, order_filter: OrderFilter) -> list[str]:
    """Return the columns of the filtered parties, the one whose feed has the fewest changes first."""
    columns = [name for name in PARTIES if getattr(order_filter, name) is not None]
    if len(columns) < 2:
        return columns

    def changes(column: str) -> int:
        party = read_party(connection, FeedKey(PARTIES[column], getattr(order_filter, column)))
        return 0 if party is None else party.version

    return sorted(columns, key=changes)


def list_query(order_filter: OrderFilter, parties: Sequence[str]) -> str:
    """Return the query. Its parameters have the names of the filter's fields. The index of the first party is read."""
    clauses = [f"{'+' if i else ''}{name} = :{name}" for i, name in enumerate(parties)]
    if order_filter.before_id is not None:
        clauses.append("id < :before_id")
    ranges: Iterable[Sequence[str]] = [()]
    if parties or order_filter.statuses:
        ranges = _status_ranges(order_filter.statuses or tuple(Status))
    wheres = [" AND ".join((*clauses, *conditions)) or "TRUE" for conditions in ranges]
    return " UNION ALL ".join(SQL["orders"].format(where=where) for where in wheres) + f" {SQL['newest']}"


def _status_ranges(statuses: Sequence[Status]) -> Iterable[Sequence[str]]:
    """Yield the conditions of each range in SQL."""
    for status in Status:
        if status.ended and status in statuses:
            yield (f"final_status = '{status.value}'",)
    active = [status for status in Status if not status.ended]
    wanted = [status for status in active if status in statuses]
    if wanted == active:
        yield ("final_status IS NULL",)
    elif wanted:
        quoted = ", ".join(f"'{status.value}'" for status in wanted)
        yield ("final_status IS NULL", f"{SQL['last_status']} IN ({quoted})")
