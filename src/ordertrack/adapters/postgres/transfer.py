"""All records of a PostgreSQL database: read for `ordertrack db check`, written for `ordertrack migrate`.

Both use one connection and one transaction, which also works behind a pooler in transaction mode.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Collection, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import asyncpg
import msgspec

from ordertrack.adapters.postgres.decoding import ORDER_COLUMNS, Damage, decode_known
from ordertrack.adapters.postgres.schema import prepare_schema
from ordertrack.adapters.postgres.sessions import APPLICATION_NAME, Server
from ordertrack.adapters.postgres.statements import SQL
from ordertrack.adapters.shared.sql_files import missing_migrations, read_migrations
from ordertrack.core.event import Status
from ordertrack.core.simulation import Step
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

MAX_FINDINGS = 20
"""Findings of one kind."""
_ONE_SLOT = 0
_REFER_TO_ORDERS = {
    "events": "an event",
    "departures": "a departure",
    "idempotency": "an idempotency key",
    "tracking_links": "a tracking link",
}
_STEPS = msgspec.json.Decoder(tuple[Step, ...])
_FEEDS = msgspec.json.Decoder(list[tuple[int, int, int, int, int, int]])
_ALL_ORDERS = SQL["order_records"].format(columns=ORDER_COLUMNS, where="orders.id > $1")
_ORDERS_BY_ID = SQL["order_records"].format(columns=ORDER_COLUMNS, where="orders.id = ANY ($1::bigint[])")


@asynccontextmanager
async def open_postgres_records(url: str) -> AsyncIterator[PostgresRecords]:
    """Open the records as they are at one moment, to read. Raises: RecordsUnusable."""
    async with _connected(url) as connection:
        if not await connection.fetchval(SQL["schema_migrations_exist"]):
            raise RecordsUnusable("The database has no tables of ordertrack. A server creates them when it starts.")
        applied = dict(await connection.fetch(SQL["schema_migrations"]))
        if missing_migrations(read_migrations(__package__), applied):
            raise RecordsUnusable(
                "The database is of an earlier version of ordertrack. Start a server of this version: it converts it."
            )
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            yield PostgresRecords(connection)


@asynccontextmanager
async def open_target(url: str, now_ms: int) -> AsyncIterator[PostgresTarget]:
    """Open an empty database, to write. The schema is created when it is missing.

    Raises: RecordsUnusable, also when there are orders or other tables, or when a node uses the database.
    """
    async with _connected(url, now_ms) as connection:
        transaction = connection.transaction()
        await transaction.start()
        target = PostgresTarget(connection, transaction)
        try:
            await connection.execute(SQL["lock_all"])
            if await connection.fetchval(SQL["other_nodes"], APPLICATION_NAME):
                raise RecordsUnusable("A server uses the target. Stop it first: it would keep its epoch.")
            if await connection.fetchval(SQL["is_used"]):
                raise RecordsUnusable("The target has orders already. Name an empty database.")
            yield target
        finally:
            if not target.is_committed and not connection.is_closed():
                await transaction.rollback()


async def set_shared_epoch(url: str) -> str:
    """Set a new epoch and return it. Raises: RecordsUnusable."""
    epoch = secrets.token_hex(4)
    async with _connected(url) as connection:
        await connection.execute(SQL["set_epoch"], epoch)
    return epoch


@asynccontextmanager
async def _connected(url: str, now_ms: int | None = None) -> AsyncIterator[asyncpg.Connection]:
    """Connect without limits of statements. With `now_ms`, create the schema of an empty database first."""
    server = Server(url, is_pooled=True)
    with _reported(server.address):
        await server.open()
        connection = await server.connect()
        try:
            if now_ms is not None:
                await _create_schema(server, connection, now_ms)
            yield connection
        finally:
            connection.terminate()
            await server.close(0)


async def _create_schema(server: Server, connection: asyncpg.Connection, now_ms: int) -> None:
    """Raises: RecordsUnusable, StoreCannotOpen."""
    if not await connection.fetchval(SQL["schema_migrations_exist"]):
        table = await connection.fetchval(SQL["other_tables"])
        if table is not None:
            raise RecordsUnusable(f"The target has tables of another program, such as {table}. Name an empty database.")
    await prepare_schema(server, now_ms)


@contextmanager
def _reported(address: str) -> Iterator[None]:
    """Turn errors of the database into RecordsUnusable."""
    try:
        yield
    except StoreCannotOpen as error:
        raise RecordsUnusable(str(error)) from None
    except (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError) as error:
        cause = str(error) or repr(error)
        raise RecordsUnusable(f"The database at {address} failed: {cause}. Nothing was changed.") from error


class PostgresRecords:
    """Implements `ports.records.RecordReader`, as far as a check needs it."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection

    async def totals(self) -> Totals:
        return Totals(*await self._connection.fetchrow(SQL["totals"]))

    async def orders(self) -> AsyncIterator[Sequence[OrderRecord | DamagedOrder]]:
        after = 0
        while rows := await self._connection.fetch(_ALL_ORDERS, after, BATCH):
            yield [_record(row) for row in rows]
            after = rows[-1]["id"]

    async def findings(self) -> AsyncIterator[str]:
        for (index,) in await self._connection.fetch(SQL["invalid_indexes"]):
            yield f"index {index} is not valid: REINDEX INDEX {index}"
        for table, noun in _REFER_TO_ORDERS.items():
            for order_id in await self._first(SQL["without_order"].format(table=table)):
                yield f"{noun} refers to order {order_id}, which does not exist"
        for feed in await self._first(SQL["feeds_behind"]):
            yield f"the feed of {feed} has a lower version than one of its entries"
        for kind in ("customer", "restaurant", "courier"):
            columns = {"kind": kind, "party": kind, "party_id": f"{kind}_id", "feed_version": f"{kind}_version"}
            for number in await self._first(SQL["versions_twice"].format(**columns)):
                yield f"two events have the same version of the feed of {kind} number {number}"
            for order_id in await self._first(SQL["in_other_feed"].format(**columns)):
                yield f"order {order_id}: its last event is not in the feed of its {kind}"
        for status, counted, orders in await self._connection.fetch(SQL["wrong_status_counts"]):
            yield f"{counted or 0} orders are counted as {status}; there are {orders or 0}"

    async def _first(self, statement: str) -> list[Any]:
        return [value for (value,) in await self._connection.fetch(statement, MAX_FINDINGS)]


class PostgresTarget:
    """Implements `ports.records.RecordTarget`."""

    def __init__(self, connection: asyncpg.Connection, transaction: asyncpg.transaction.Transaction) -> None:
        self._connection = connection
        self._transaction = transaction
        self.is_committed = False

    async def write_parties(self, parties: Sequence[PartyRecord]) -> None:
        rows = [(party.number, party.feed.kind.value, party.feed.id, party.version) for party in parties]
        await self._copy("parties", ("number", "kind", "id", "version"), rows)

    async def write_orders(self, records: Sequence[OrderRecord]) -> None:
        await self._copy("orders", _ORDER_ROW, [_order_row(record) for record in records])
        await self._copy("events", _EVENT_ROW, [row for record in records for row in _event_rows(record)])

    async def write_departures(self, departures: Sequence[DepartureRecord]) -> None:
        await self._copy("departures", ("courier", "order_id", "version"), departures)

    async def write_keys(self, keys: Sequence[KeyRecord]) -> None:
        await self._copy("idempotency", KeyRecord._fields, keys)

    async def write_links(self, links: Sequence[LinkRecord]) -> None:
        rows = [
            (link.id, link.order_id, link.created_at_ms, link.created_by, link.revoked_at_ms, token_hash)
            for link, token_hash in links
        ]
        columns = ("id", "order_id", "created_at_ms", "created_by", "revoked_at_ms", "token_hash")
        await self._copy("tracking_links", columns, rows)

    async def finish(self, counters: Counters, orders_by_status: Mapping[Status, int]) -> None:
        counts = [(_ONE_SLOT, status.value, count) for status, count in orders_by_status.items()]
        await self._copy("status_counts", ("slot", "status", "orders"), counts)
        await self._connection.execute(SQL["set_epoch"], counters.epoch)
        last_ids = {
            ("orders", "id"): counters.last_order_id,
            ("tracking_links", "id"): counters.last_link_id,
            ("parties", "number"): await self._connection.fetchval(SQL["last_party"]),
        }
        for column, last_id in last_ids.items():
            if last_id:
                await self._connection.fetchval(SQL["set_last_id"], *column, last_id)
        await self._connection.execute(SQL["analyze"])

    async def totals(self) -> Totals:
        return await PostgresRecords(self._connection).totals()

    async def written(self, order_ids: Collection[int]) -> dict[int, OrderRecord]:
        rows = await self._connection.fetch(_ORDERS_BY_ID, list(order_ids), len(order_ids))
        records = [_record(row) for row in rows]
        return {record.order.id: record for record in records if isinstance(record, OrderRecord)}

    async def commit(self) -> None:
        await self._transaction.commit()
        self.is_committed = True

    async def _copy(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        await self._connection.copy_records_to_table(table, columns=columns, records=rows)


_ORDER_ROW = (
    "id", "reference", "customer_id", "restaurant_id", "courier_id", "details", "created_at_ms", "status",
    "final_status", "version", "steps", "next_step_at_ms",
)  # fmt: skip
_EVENT_ROW = (
    "order_id", "version", "customer", "customer_version", "restaurant", "restaurant_version", "courier",
    "courier_version", "event",
)  # fmt: skip


def _order_row(record: OrderRecord) -> tuple[Any, ...]:
    order, steps = record.order, record.steps
    return (
        order.id,
        order.reference,
        order.customer_id,
        order.restaurant_id,
        order.courier_id,
        msgspec.json.encode(order.details).decode(),
        order.created_at_ms,
        order.status.value,
        _final_status(order.status),
        order.version,
        msgspec.json.encode(steps).decode() if steps else None,
        steps[0].due_at_ms if steps else None,
    )


def _event_rows(record: OrderRecord) -> Iterator[tuple[Any, ...]]:
    for event, feeds in zip(record.order.timeline, record.feeds, strict=True):
        yield (
            record.order.id,
            event.version,
            record.customer_number,
            feeds.customer,
            record.restaurant_number,
            feeds.restaurant,
            feeds.courier_number or None,
            feeds.courier if feeds.courier_number else None,
            msgspec.json.encode(event).decode(),
        )


def _final_status(status: Status) -> str:
    return status.value if status.ended else ""


def _record(row: asyncpg.Record) -> OrderRecord | DamagedOrder:
    *columns, status, final_status, next_step_at_ms, feeds_json = row
    damage = Damage()
    try:
        steps = () if row["steps"] is None else _STEPS.decode(row["steps"])
        known = decode_known(columns, damage)
        if known is None:
            raise damage.causes[row["id"]]
        order = known.order
        if (status, final_status) != (order.status, _final_status(order.status)):
            raise ValueError(f"its row has status {status}, its last event {order.status}")
        if next_step_at_ms != (steps[0].due_at_ms if steps else None):
            raise ValueError("its row and its simulated steps differ about the time of the next step")
        feeds = _FEEDS.decode(feeds_json or "[]")
    except (ValueError, msgspec.MsgspecError) as error:
        return DamagedOrder(row["id"], str(error))
    (*_, customer, restaurant) = feeds[-1]
    return OrderRecord(order, customer, restaurant, tuple(EventFeeds(*each[:4]) for each in feeds), steps)
