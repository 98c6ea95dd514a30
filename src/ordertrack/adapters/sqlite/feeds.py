"""Party feeds, read: what changed after a version, oldest first and in pages.

Every order keeps the version of each of its feeds at which it last changed, so a page is a stretch of an index.
"""

from __future__ import annotations

import sqlite3
from typing import Any

from ordertrack.adapters.sqlite.database import SQL
from ordertrack.adapters.sqlite.rows import order_of
from ordertrack.core.feed import FeedChanges, FeedKey, FeedKind, page
from ordertrack.core.order import Order

_COLUMNS = {
    FeedKind.CUSTOMER: {"party": "customer_id", "feed_version": "customer_feed_version"},
    FeedKind.RESTAURANT: {"party": "restaurant_id", "feed_version": "restaurant_feed_version"},
    FeedKind.COURIER: {"party": "courier_id", "feed_version": "courier_feed_version"},
}
_CHANGED = {kind: SQL["feed_changed"].format(**columns) for kind, columns in _COLUMNS.items()}
_ACTIVE = {kind: SQL["feed_active"].format(**columns) for kind, columns in _COLUMNS.items()}


def read_version(connection: sqlite3.Connection, feed: FeedKey) -> int:
    row = connection.execute(SQL["feed_version"], {"kind": feed.kind.value, "id": feed.id}).fetchone()
    return row[0] if row else 0


def read_changes(
    connection: sqlite3.Connection, feed: FeedKey, after: int | None, limit: int, snapshot: int
) -> FeedChanges:
    """Within one read transaction. One entry more than a page holds tells whether there is another page."""
    current = read_version(connection, feed)
    if after is None:
        after, snapshot = 0, current
    wanted = {"id": feed.id, "after": after, "snapshot": snapshot, "limit": limit + 1}
    entries: list[tuple[int, Order | int]] = []
    if after < snapshot:
        entries += _orders(connection, _ACTIVE[feed.kind], wanted)
    wanted["after"] = max(after, snapshot)
    entries += _orders(connection, _CHANGED[feed.kind], wanted)
    if feed.kind is FeedKind.COURIER:
        entries += connection.execute(SQL["departures"], wanted).fetchall()
    return page(current, entries, limit=limit, snapshot=snapshot)


def _orders(connection: sqlite3.Connection, query: str, wanted: dict[str, Any]) -> list[tuple[int, Order | int]]:
    rows = connection.execute(query, wanted).fetchall()
    return [(version, order_of(connection, row)) for version, *row in rows]
