"""Reads of many orders: lists, and pages of party feeds. Each is one statement, so all of it is of one moment."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import asyncpg
from msgspec.structs import replace

from ordertrack.adapters.postgres.decoding import ORDER_COLUMNS, ORDERS_BY_ID, Damage, decode_known
from ordertrack.adapters.postgres.sessions import Session
from ordertrack.adapters.postgres.statements import SQL
from ordertrack.core.event import Status
from ordertrack.core.feed import PAGE_BYTES, FeedChanges, FeedKey, FeedKind, build_page
from ordertrack.core.order import Order
from ordertrack.ports.order_store import EtaPage, OrderFilter

MAX_ESCAPE_BYTES = 6
"""Bytes of JSON for one byte of text, at most: as in \\u0000."""
_PARTIES = {"customer_id": FeedKind.CUSTOMER, "restaurant_id": FeedKind.RESTAURANT, "courier_id": FeedKind.COURIER}
_ACTIVE = tuple(status for status in Status if not status.ended)

FEED_PAGE = {
    kind: SQL["feed_page"].format(
        columns=ORDER_COLUMNS,
        party_id=column,
        party=kind.value,
        feed_version=f"{kind.value}_version",
        departures=SQL["departures"] if kind is FeedKind.COURIER else "",
    )
    for column, kind in _PARTIES.items()
}


async def fetch_versions(session: Session, feeds: Sequence[FeedKey]) -> dict[FeedKey, int]:
    """Return the version of each feed, an order's too; 0 for one that has none."""
    order_ids = [int(feed.id) for feed in feeds if feed.kind is FeedKind.ORDER]
    parties = [feed for feed in feeds if feed.kind is not FeedKind.ORDER]
    rows = await session.fetch(
        SQL["feed_versions"], [feed.kind for feed in parties], [feed.id for feed in parties], order_ids
    )
    return dict.fromkeys(feeds, 0) | {FeedKey(FeedKind(kind), id_): version for kind, id_, version in rows}


async def fetch_feed_page(
    session: Session, feed: FeedKey, after: int | None, after_id: int, limit: int, damage: Damage
) -> FeedChanges:
    """Read a page, and one entry more, to know if there is another page. Damaged orders are left out."""
    is_snapshot = after is None or after_id > 0
    rows = await session.fetch(
        FEED_PAGE[feed.kind],
        feed.kind,
        feed.id,
        after,
        after_id if is_snapshot else None,
        limit + 1,
        PAGE_BYTES * MAX_ESCAPE_BYTES,
    )
    if not rows:
        return FeedChanges(0)
    version = rows[0][0]
    snapshot = (version if after is None else after) if is_snapshot else 0
    return build_page(version, _entries(rows, damage), limit=limit, snapshot=snapshot)


def _entries(rows: Sequence[asyncpg.Record], damage: Damage) -> Iterator[tuple[int, Order | int]]:
    for _, part, version, order_id, has_left, *columns in rows:
        if part is None:  # the feed has no entry
            return
        if has_left:
            yield version, order_id
        elif (known := decode_known(columns, damage)) is not None:
            yield version, known.order


async def count_by_status_now(session: Session) -> dict[Status, int]:
    counts = dict.fromkeys(Status, 0)
    for status, orders in await session.fetch(SQL["orders_by_status"]):
        counts[Status(status)] = orders
    return counts


async def fetch_etas_to_check(session: Session, now_ms: int, after_id: int, limit: int, damage: Damage) -> EtaPage:
    """Read a page without damaged orders."""
    rows = await session.fetch(SQL["etas_to_check"], now_ms, after_id, limit)
    due_ids = [order_id for order_id, is_due in rows if is_due]
    known = [decode_known(row, damage) for row in (await session.fetch(ORDERS_BY_ID, due_ids) if due_ids else ())]
    return EtaPage([each.order for each in known if each is not None], rows[-1][0] if len(rows) == limit else None)


async def fetch_list(session: Session, order_filter: OrderFilter, damage: Damage) -> list[Order]:
    """Read a page without damaged orders: other orders take their places."""
    if order_filter.statuses:
        # A list of a status that no order has would read all active orders.
        counts = await count_by_status_now(session)
        statuses = tuple(status for status in order_filter.statuses if counts[status] > 0)
        if not statuses:
            return []
        order_filter = replace(order_filter, statuses=statuses)
    parties = await _rarest_first(session, order_filter)
    orders: list[Order] = []
    while True:
        rows = await session.fetch(*list_statement(order_filter, parties))
        known = [decode_known(row, damage) for row in rows]
        found = [each.order for each in known if each is not None]
        orders += found
        if len(rows) < order_filter.limit or len(found) == order_filter.limit:
            return orders
        order_filter = replace(order_filter, before_id=rows[-1][0], limit=order_filter.limit - len(found))


async def _rarest_first(session: Session, order_filter: OrderFilter) -> list[str]:
    """Return the columns of the filtered parties, the one whose feed has the fewest changes first."""
    feeds = {
        column: FeedKey(kind, getattr(order_filter, column))
        for column, kind in _PARTIES.items()
        if getattr(order_filter, column) is not None
    }
    if len(feeds) < 2:
        return list(feeds)
    versions = await fetch_versions(session, list(feeds.values()))
    return sorted(feeds, key=lambda column: versions[feeds[column]])


def list_statement(order_filter: OrderFilter, parties: Sequence[str]) -> list[Any]:
    """Return the statement and its parameters. The index of the first party is read: no index has the others' way to
    compare."""
    parameters: list[Any] = [order_filter.limit]
    clauses: list[str] = []
    for column in parties:
        parameters.append(getattr(order_filter, column))
        clauses.append(f"{column} {'IS NOT DISTINCT FROM' if clauses else '='} ${len(parameters)}")
    if order_filter.before_id is not None:
        parameters.append(order_filter.before_id)
        clauses.append(f"id < ${len(parameters)}")
    ranges: Iterable[str] = [""]
    if parties or order_filter.statuses:
        ranges = _status_ranges(order_filter.statuses or tuple(Status))
    wheres = [" AND ".join(filter(None, (*clauses, condition))) or "TRUE" for condition in ranges]
    ids = " UNION ALL ".join(SQL["ids"].format(where=where) for where in wheres)
    return [SQL["orders"].format(columns=ORDER_COLUMNS, ids=ids), *parameters]


def _status_ranges(statuses: Sequence[Status]) -> Iterator[str]:
    """Yield the condition of each range in SQL."""
    for status in Status:
        if status.ended and status in statuses:
            yield f"final_status = '{status.value}'"
    wanted = [status for status in _ACTIVE if status in statuses]
    if len(wanted) == len(_ACTIVE):
        yield "final_status = ''"
    elif wanted:
        quoted = ", ".join(f"'{status.value}'" for status in wanted)
        yield f"final_status = '' AND status IN ({quoted})"
