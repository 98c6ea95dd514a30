"""Reads of party feeds: the changes after a version, oldest first, in pages.

`feed_entries` has the changes of each feed by version, so a page is a range of it without the entries that a later
change of the same order has superseded. A page of a snapshot is a range of the party's active orders by id.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from heapq import merge
from itertools import chain
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

ORDERS_AT_ONCE = 26
"""A page and one order more are loaded in four groups."""


class Party(NamedTuple):
    """The number of a party in `feed_entries`, and the version of its feed."""

    number: int
    version: int


def read_party(connection: sqlite3.Connection, feed: FeedKey) -> Party | None:
    """Return the party; None when its feed has no changes yet."""
    row = connection.execute(SQL["party"], {"kind": feed.kind.value, "id": feed.id}).fetchone()
    return None if row is None else Party(row[0], row[1] or 0)


def read_feed_versions(connection: sqlite3.Connection, feeds: Sequence[FeedKey]) -> dict[FeedKey, int]:
    parties = {feed: read_party(connection, feed) for feed in feeds}
    return {feed: 0 if party is None else party.version for feed, party in parties.items()}


def read_changes(
    connection: sqlite3.Connection, feed: FeedKey, after: int | None, after_id: int, limit: int, damaged: list[int]
) -> FeedChanges:
    """Read a page in the current transaction, and one entry more, to know if there is another page.

    The ids of damaged orders, which are left out, are appended to `damaged`.
    """
    party = read_party(connection, feed)
    if party is None:
        return FeedChanges(0)
    since = party.version if after is None else after
    parameters = {"party": party.number, "id": feed.id, "after": since, "since": since, "limit": limit + 1}
    entries: Iterator[tuple[int, Order | int]] = _entries(connection, CHANGED[feed.kind], parameters, damaged)
    if feed.kind is FeedKind.COURIER:
        entries = merge(entries, connection.execute(SQL["departures"], parameters), key=itemgetter(0))
    if after is not None and not after_id:
        return build_page(party.version, entries, limit=limit)
    active = _entries(connection, ACTIVE[feed.kind], {**parameters, "after": after_id}, damaged)
    return build_page(party.version, chain(active, entries), limit=limit, snapshot=since)


def _entries(
    connection: sqlite3.Connection, query: str, parameters: dict[str, Any], damaged: list[int]
) -> Iterator[tuple[int, Order]]:
    """Yield versions of the feed and orders; later ones take the places of damaged orders.

    `query` returns, for each, where to go on, the version and the id. Orders are loaded in small groups when the page
    takes them, so a page that is full early reads less.
    """
    while True:
        rows = connection.execute(query, parameters).fetchall()
        for start in range(0, len(rows), ORDERS_AT_ONCE):
            versions = {order_id: version for _, version, order_id in rows[start : start + ORDERS_AT_ONCE]}
            for order in read_undamaged(connection, versions, damaged):
                yield versions[order.id], order
        if len(rows) < parameters["limit"]:
            return
        parameters = {**parameters, "after": rows[-1][0]}
