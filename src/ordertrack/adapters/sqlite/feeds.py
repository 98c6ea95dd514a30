"""Party feeds, read: what changed after a version, oldest first and in pages.

`feed_entries` has what happened in each feed by version, so a page is a stretch of it without the entries that a later
change of the same order has put out of date.
"""

from __future__ import annotations

import sqlite3
from operator import itemgetter
from typing import Any, NamedTuple

from ordertrack.adapters.sqlite.database import SQL
from ordertrack.adapters.sqlite.rows import order_of
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
    connection: sqlite3.Connection, feed: FeedKey, after: int | None, limit: int, snapshot: int
) -> FeedChanges:
    """Within one read transaction. One entry more than a page holds tells whether there is another page.

    The events of an order are read when the page asks for it, so a page that is full earlier reads less.
    """
    party = read_party(connection, feed)
    if party is None:
        return FeedChanges(0)
    if after is None:
        after, snapshot = 0, party.version
    wanted = {"party": party.number, "id": feed.id, "after": after, "snapshot": snapshot, "limit": limit + 1}
    rows: list[tuple[Any, ...]] = []
    if after < snapshot:
        rows += connection.execute(ACTIVE[feed.kind], wanted)
    wanted["after"] = max(after, snapshot)
    rows += connection.execute(CHANGED[feed.kind], wanted)
    if feed.kind is FeedKind.COURIER:
        rows += connection.execute(SQL["departures"], wanted)
    rows.sort(key=itemgetter(0))
    return page(party.version, (_entry(connection, *row) for row in rows), limit=limit, snapshot=snapshot)


def _entry(connection: sqlite3.Connection, version: int, id_: int, *columns: Any) -> tuple[int, Order | int]:
    """The entry of a row: a departure has no more columns than these."""
    return version, order_of(connection, (id_, *columns)) if columns else id_
