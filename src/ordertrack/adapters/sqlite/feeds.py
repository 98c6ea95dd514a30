"""Reads of party feeds: the changes after a version, oldest first, in pages.

`feed_entries` has the changes of each feed by version, so a page is a range of it without the entries that a later
change of the same order has superseded.
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
    """The number of a party in `feed_entries`, and the version of its feed."""

    number: int
    version: int


def read_party(connection: sqlite3.Connection, feed: FeedKey) -> Party | None:
    """Return the party; None when its feed has no changes yet."""
    row = connection.execute(SQL["party"], {"kind": feed.kind.value, "id": feed.id}).fetchone()
    return None if row is None else Party(row[0], row[1] or 0)


def read_changes(
    connection: sqlite3.Connection, feed: FeedKey, after: int | None, limit: int, snapshot: int, damaged: list[int]
) -> FeedChanges:
    """Read a page in the current transaction, and one entry more, to know if there is another page.

    An order is loaded when the page takes it, so a page that is full early reads less. The ids of damaged orders, which
    are left out, are appended to `damaged`.
    """
    party = read_party(connection, feed)
    if party is None:
        return FeedChanges(0)
    if after is None:
        after, snapshot = 0, party.version
    parameters = {"party": party.number, "id": feed.id, "after": after, "snapshot": snapshot, "limit": limit + 1}
    pages: list[Iterator[tuple[int, Order | int]]] = []
    if after < snapshot:
        pages.append(_entries(connection, ACTIVE[feed.kind], parameters, damaged))
    pages.append(_entries(connection, CHANGED[feed.kind], {**parameters, "after": max(after, snapshot)}, damaged))
    if feed.kind is FeedKind.COURIER:
        departures = connection.execute(SQL["departures"], {**parameters, "after": max(after, snapshot)})
        pages.append(departures)
    return build_page(party.version, merge(*pages, key=itemgetter(0)), limit=limit, snapshot=snapshot)


def _entries(
    connection: sqlite3.Connection, query: str, parameters: dict[str, Any], damaged: list[int]
) -> Iterator[tuple[int, Order | int]]:
    """Yield entries; later ones take the places of damaged orders."""
    while True:
        rows = connection.execute(query, parameters).fetchall()
        for version, order_id in rows:
            for order in read_undamaged(connection, (order_id,), damaged):
                yield version, order
        if len(rows) < parameters["limit"]:
            return
        parameters = {**parameters, "after": rows[-1][0]}
