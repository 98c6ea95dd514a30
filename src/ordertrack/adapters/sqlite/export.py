"""The records of a SQLite database, read in one transaction: for `ordertrack migrate` and `ordertrack db`.

The file is opened read-only: nothing in it changes, and its log is not copied into it.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import lru_cache
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, TypeVar

from ordertrack.adapters.sqlite.database import SQL, connect_unchanged, pending_migrations
from ordertrack.adapters.sqlite.feeds import FEED_COLUMNS
from ordertrack.adapters.sqlite.rows import is_damage, load_orders, load_steps
from ordertrack.core.event import EventType, Status
from ordertrack.core.feed import FeedKey, FeedKind
from ordertrack.core.order import Order
from ordertrack.core.simulation import Step
from ordertrack.core.tracking_link import Link
from ordertrack.ports.records import (
    BATCH,
    Counters,
    DamagedOrder,
    DepartureRecord,
    EventFeeds,
    KeyRecord,
    LinkRecord,
    OrderRecord,
    PartyRecord,
    RecordsUnusable,
    Totals,
)
from ordertrack.ports.store import StoreCannotOpen

CACHED_NUMBERS = 100_000
MAX_FINDINGS = 20
"""Findings of one kind."""
REFER_TO_ORDERS = {
    "events": "an event",
    "feed_entries": "an entry of a feed",
    "departures": "a departure",
    "idempotency": "an idempotency key",
    "tracking_links": "a tracking link",
    "simulation_steps": "a simulated step",
}
T = TypeVar("T")


@asynccontextmanager
async def open_records(path: Path) -> AsyncIterator[SqliteRecords]:
    """Open the records of a database file. A thread of its own reads them.

    Raises: RecordsUnusable.
    """
    executor = ThreadPoolExecutor(1, thread_name_prefix="ordertrack-records")
    records = SqliteRecords(path, executor)
    try:
        await records.run(records.open)
        yield records
    finally:
        records.interrupt()
        await asyncio.shield(asyncio.wrap_future(executor.submit(records.close)))
        executor.shutdown()


class SqliteRecords:
    """Implements `ports.records.RecordReader`. `open` and `close` run on the executor."""

    def __init__(self, path: Path, executor: ThreadPoolExecutor) -> None:
        self._path = path
        self._executor = executor
        self._opened: sqlite3.Connection | None = None
        self._steps: dict[int, tuple[Step, ...]] = {}
        self._damaged_steps: dict[int, Exception] = {}
        self._number = lru_cache(CACHED_NUMBERS)(self._read_number)

    async def run(self, work: Callable[..., T], *arguments: Any) -> T:
        """Call `work` on the thread. Raises: RecordsUnusable."""
        try:
            return await asyncio.wrap_future(self._executor.submit(work, *arguments))
        except StoreCannotOpen as error:
            raise RecordsUnusable(str(error)) from None
        except sqlite3.Error as error:
            kind = "is damaged" if is_damage(error) else "cannot be read"
            raise RecordsUnusable(
                f"The database {self._path} {kind}: {error}. Find what is wrong with `ordertrack db check`, or restore "
                "a backup as docs/operating.md says."
            ) from error

    def open(self) -> None:
        self._opened = connection = connect_unchanged(self._path)
        connection.execute("BEGIN")
        if pending_migrations(connection):
            raise RecordsUnusable(
                f"The database {self._path} is of an earlier version of ordertrack. Start and stop this version on it "
                "once, which converts it."
            )
        self._steps = load_steps(connection, self._damaged_steps)

    def interrupt(self) -> None:
        """End a statement that runs."""
        if self._opened is not None:
            self._opened.interrupt()

    def close(self) -> None:
        if self._opened is not None:
            self._opened.close()

    @property
    def _connection(self) -> sqlite3.Connection:
        assert self._opened is not None
        return self._opened

    async def totals(self) -> Totals:
        (row,) = await self.run(self._all, SQL["totals"])
        return Totals(*map(int, row))

    async def counters(self) -> Counters:
        return await self.run(self._read_counters)

    def _read_counters(self) -> Counters:
        epoch = self._connection.execute(SQL["epoch"]).fetchone()
        if epoch is None:
            raise RecordsUnusable(f"The database {self._path} has no epoch. Restore a backup.")
        last_order_id, last_link_id = (
            self._connection.execute(SQL[name]).fetchone()[0] or 0 for name in ("last_id", "last_link_id")
        )
        return Counters(epoch[0], last_order_id, last_link_id)

    async def parties(self) -> AsyncIterator[Sequence[PartyRecord]]:
        async for rows in self._rows("every_party"):
            yield [PartyRecord(number, FeedKey(FeedKind(kind), id_), version) for number, kind, id_, version in rows]

    async def departures(self) -> AsyncIterator[Sequence[DepartureRecord]]:
        async for rows in self._rows("every_departure"):
            yield [DepartureRecord(*row) for row in rows]

    async def keys(self) -> AsyncIterator[Sequence[KeyRecord]]:
        async for rows in self._rows("every_key"):
            yield [KeyRecord(*row) for row in rows]

    async def links(self) -> AsyncIterator[Sequence[LinkRecord]]:
        async for rows in self._rows("every_link"):
            yield [LinkRecord(Link(*row[:5]), row[5]) for row in rows]

    async def _rows(self, statement: str) -> AsyncIterator[list[Any]]:
        cursor = await self.run(self._connection.execute, SQL[statement])
        while rows := await self.run(cursor.fetchmany, BATCH):
            yield rows

    async def orders(self) -> AsyncIterator[Sequence[OrderRecord | DamagedOrder]]:
        after = 0
        while batch := await self.run(self._read_orders, after):
            yield batch
            last = batch[-1]
            after = last.id if isinstance(last, DamagedOrder) else last.order.id

    def _read_orders(self, after: int) -> list[OrderRecord | DamagedOrder]:
        parameters = {"after": after, "limit": BATCH}
        ids = [order_id for (order_id,) in self._connection.execute(SQL["ids_after"], parameters)]
        causes: dict[int, Exception] = {}
        orders = load_orders(self._connection, ids, causes)
        causes |= {order_id: self._damaged_steps[order_id] for order_id in ids if order_id in self._damaged_steps}
        ids_json = f"[{','.join(map(str, orders))}]"
        rows = self._connection.execute(SQL["event_feeds"], {"ids": ids_json})
        feeds = {order_id: list(group) for order_id, group in groupby(rows, key=itemgetter(0))}
        records: list[OrderRecord | DamagedOrder] = []
        for order_id in ids:
            try:
                if order_id in causes:
                    raise causes[order_id]
                records.append(self._record(orders[order_id], feeds[order_id]))
            except Exception as error:
                if not is_damage(error):
                    raise
                records.append(DamagedOrder(order_id, str(error)))
        return records

    def _record(self, order: Order, versions: Iterable[tuple[int, int, int, int]]) -> OrderRecord:
        """Raises: ValueError for a party without a feed."""
        feeds: list[EventFeeds] = []
        number = 0
        for event, (_, of_customer, of_restaurant, of_courier) in zip(order.timeline, versions, strict=True):
            if event.courier_id is not None and event.type in (EventType.CREATED, EventType.COURIER_ASSIGNED):
                number = self._number(FeedKind.COURIER, event.courier_id)
            feeds.append(EventFeeds(of_customer, of_restaurant, of_courier, number))
        return OrderRecord(
            order,
            self._number(FeedKind.CUSTOMER, order.customer_id),
            self._number(FeedKind.RESTAURANT, order.restaurant_id),
            tuple(feeds),
            self._steps.get(order.id, ()),
        )

    def _read_number(self, kind: FeedKind, id_: str) -> int:
        row = self._connection.execute(SQL["party"], {"kind": kind.value, "id": id_}).fetchone()
        if row is None:
            raise ValueError(f"its {kind} has no feed")
        number: int = row[0]
        return number

    async def findings(self) -> AsyncIterator[str]:
        for (text,) in await self.run(self._all, f"PRAGMA integrity_check({MAX_FINDINGS})"):
            if text != "ok":
                yield f"file: {text}"
        for table, noun in REFER_TO_ORDERS.items():
            async for order_id in self._ids(SQL["without_order"].format(table=table)):
                yield f"{noun} refers to order {order_id}, which does not exist"
        ended = ", ".join(f"'{status.value}'" for status in Status if status.ended)
        async for order_id in self._ids(SQL["wrong_final_status"].format(ended=ended)):
            yield f"order {order_id}: its row and its last event differ about how it ended"
        for kind, columns in FEED_COLUMNS.items():
            async for order_id in self._ids(SQL["without_feed_entry"].format(**columns), kind=kind.value):
                yield f"order {order_id}: its last event is not in the feed of its {kind}"
        async for order_id in self._ids(SQL["departures_beyond"]):
            yield f"order {order_id}: it left a courier at a version that the courier's feed has not reached"

    async def _ids(self, statement: str, **parameters: Any) -> AsyncIterator[int]:
        for (order_id,) in await self.run(self._all, statement, {**parameters, "limit": MAX_FINDINGS}):
            yield order_id

    def _all(self, statement: str, parameters: Mapping[str, Any] | None = None) -> list[Any]:
        return self._connection.execute(statement, parameters or {}).fetchall()
