"""Party feeds, read: what changed after a version, oldest first and in pages.

`feed_entries` has what happened in each feed by version, so a page is a stretch of it without the entries that a later
change of the same order has put out of date.
"""

from __future__ import annotations

import sqlite3
from typing import Any, NamedTuple

from ordertrack.adapters.sqlite.database import SQL
from ordertrack.adapters.sqlite.rows import read_undamaged
from ordertrack.core.feed import FeedChanges, FeedKey, FeedKind, page
from ordertrack.core.order import Order

_COLUMNS = {
    FeedKind.CUSTOMER: {"party_id": "customer_id", "feed_version": "customer_feed_version"},
    FeedKind.RESTAURANT: {"party_id": "restaurant_id", "feed_version": "restaurant_feed_version"},
    FeedKind.COURIER: {"party_id": "courier_id", "feed_version": "courier_feed_version"},
}
CHANGED = {kind: SQL["feed_changed"].format(**columns) for kind, columns in _COLUMNS.items()}
ACTIVE = {kind: SQL["feed_active"].format(**columns) for kind, columns in _COLUMNS.items()}


class Party(NamedTuple):
    """Whose feed it is, by the number that its entries have, and the feed's version."""

    number: int
    version: int


def read_party(connection: sqlite3.Connection, feed: FeedKey) -> Party | None:
    """None when nothing ever happened in the feed."""
    row = connection.execute(SQL["party"], {"kind": feed.kind.value, "id": feed.id}).fetchone()
    return None if row is None else Party(row[0], row[1] or 0)


def read_changes(
    connection: sqlite3.Connection, feed: FeedKey, after: int | None, limit: int, snapshot: int, damaged: list[int]
) -> FeedChanges:
    """Within one read transaction. One entry more than a page holds tells whether there is another page.

    The ids of damaged orders, which are left out, are appended to `damaged`.
    """
    party = read_party(connection, feed)
    if party is None:
        return FeedChanges(0)
    if after is None:
        after, snapshot = 0, party.version
    wanted = {"party": party.number, "id": feed.id, "after": after, "snapshot": snapshot, "limit": limit + 1}
    entries: list[tuple[int, Order | int]] = []
    if after < snapshot:
        entries += _read_entries(connection, ACTIVE[feed.kind], wanted, damaged)
    wanted["after"] = max(after, snapshot)
    entries += _read_entries(connection, CHANGED[feed.kind], wanted, damaged)
    if feed.kind is FeedKind.COURIER:
        entries += connection.execute(SQL["departures"], wanted).fetchall()
    return page(party.version, entries, limit=limit, snapshot=snapshot)


def _read_entries(
    connection: sqlite3.Connection, query: str, wanted: dict[str, Any], damaged: list[int]
) -> list[tuple[int, Order | int]]:
    """As many as are wanted where there are so many: entries further on take the places of damaged orders."""
    entries: list[tuple[int, Order | int]] = []
    while True:
        version_of = {order_id: version for version, order_id in connection.execute(query, wanted)}
        orders = read_undamaged(connection, version_of, damaged)
        entries += [(version_of[order.id], order) for order in orders]
        if len(version_of) < wanted["limit"] or len(orders) == len(version_of):
            return entries
        wanted = {**wanted, "after": max(version_of.values())}
