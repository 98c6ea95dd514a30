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
from ordertrack.adapters.sqlite.rows import ORDER_COLUMNS, decode_order, is_damage, leave_out, load_orders
from ordertrack.core.feed import FeedChanges, FeedKey, FeedKind, build_page
from ordertrack.core.order import Order

FEED_COLUMNS = {
    FeedKind.CUSTOMER: {"party_id": "customer_id", "feed_version": "customer_feed_version"},
    FeedKind.RESTAURANT: {"party_id": "restaurant_id", "feed_version": "restaurant_feed_version"},
    FeedKind.COURIER: {"party_id": "courier_id", "feed_version": "courier_feed_version"},
}


class _Query(NamedTuple):
    """A read of orders, and the same of their ids alone."""

    orders: str
    ids: str


def _queries(name: str) -> dict[FeedKind, _Query]:
    return {
        kind: _Query(*(SQL[name].format(columns=columns, **of_kind) for columns in (ORDER_COLUMNS, "orders.id")))
        for kind, of_kind in FEED_COLUMNS.items()
    }


CHANGED, ACTIVE = _queries("feed_changed"), _queries("feed_active")


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
    causes: dict[int, Exception] = {}
    since = party.version if after is None else after
    parameters = {"party": party.number, "version": party.version, "id": feed.id, "after": since, "since": since}
    entries: Iterator[tuple[int, Order | int]] = _entries(connection, CHANGED[feed.kind], parameters, causes)
    if feed.kind is FeedKind.COURIER:
        departures = connection.execute(SQL["departures"], {**parameters, "limit": limit + 1})
        entries = merge(entries, departures, key=itemgetter(0))
    snapshot = 0
    if after is None or after_id:
        snapshot = since
        entries = chain(_entries(connection, ACTIVE[feed.kind], {**parameters, "after": after_id}, causes), entries)
    page = build_page(party.version, entries, limit=limit, snapshot=snapshot)
    leave_out(causes, damaged)
    return page


def _entries(
    connection: sqlite3.Connection, query: _Query, parameters: dict[str, Any], causes: dict[int, Exception]
) -> Iterator[tuple[int, Order]]:
    """Yield versions of the feed and orders, as the page takes them. What is wrong with damaged orders, which are left
    out, is added to `causes`."""
    after = parameters["after"]
    try:
        for row in connection.execute(query.orders, parameters):
            after, version, *columns = row
            order = decode_order(columns, causes)
            if order is not None:
                yield version, order
    except sqlite3.Error as error:
        if not is_damage(error):
            raise
        # SQLite cannot go on behind a row that it cannot read.
        for _, version, order_id in connection.execute(query.ids, {**parameters, "after": after}):
            for order in load_orders(connection, (order_id,), causes).values():
                yield version, order
