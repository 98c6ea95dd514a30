"""Party feeds, read: what changed after a version, oldest first and in pages.

`feed_entries` has what happened in each feed by version, so a page is a stretch of it without the entries that a later
change of the same order has put out of date.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from heapq import merge
from operator import itemgetter
from typing import Any, NamedTuple

from ordertrack.adapters.sqlite.database import SQL
from ordertrack.adapters.sqlite.rows import read_undamaged
from ordertrack.core.feed import FeedChanges, FeedKey, FeedKind, build_page
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

    The events of an order are read when the page asks for it, so a page that is full earlier reads less. The ids of
    damaged orders, which are left out, are appended to `damaged`.
    """
    party = read_party(connection, feed)
    if party is None:
        return FeedChanges(0)
    if after is None:
        after, snapshot = 0, party.version
    wanted = {"party": party.number, "id": feed.id, "after": after, "snapshot": snapshot, "limit": limit + 1}
    pages: list[Iterator[tuple[int, Order | int]]] = []
    if after < snapshot:
        pages.append(_entries(connection, ACTIVE[feed.kind], wanted, damaged))
    pages.append(_entries(connection, CHANGED[feed.kind], {**wanted, "after": max(after, snapshot)}, damaged))
    if feed.kind is FeedKind.COURIER:
        departures = connection.execute(SQL["departures"], {**wanted, "after": max(after, snapshot)})
        pages.append(departures)
    return build_page(party.version, merge(*pages, key=itemgetter(0)), limit=limit, snapshot=snapshot)


def _entries(
    connection: sqlite3.Connection, query: str, wanted: dict[str, Any], damaged: list[int]
) -> Iterator[tuple[int, Order | int]]:
    """Entries further on take the places of damaged orders."""
    while True:
        rows = connection.execute(query, wanted).fetchall()
        for version, order_id in rows:
            for order in read_undamaged(connection, (order_id,), damaged):
                yield version, order
        if len(rows) < wanted["limit"]:
            return
        wanted = {**wanted, "after": rows[-1][0]}
