"""A SQLite database that is copied to PostgreSQL: what arrives, what is refused, and what is left behind."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import asyncpg
import pytest

from adapters.test_sqlite_schema import make_schema_2
from ordertrack.adapters.postgres.transfer import open_postgres_records, open_target
from ordertrack.adapters.sqlite.export import open_records
from ordertrack.adapters.sqlite.store import SqliteStore
from ordertrack.adapters.system.clock import SystemClock
from ordertrack.app.maintenance import check_database, copy_to_file, move, replace_epoch
from ordertrack.core.event import Status
from ordertrack.core.order import NewOrder
from ordertrack.core.order_rules import AssignCourier, ChangeStatus
from ordertrack.core.simulation import WorkflowOptions
from ordertrack.database_url import DatabaseUrl, parse_database_url
from ordertrack.ports.commits import Idempotency
from ordertrack.ports.records import RecordsUnusable
from ordertrack.service.maintenance.copy_records import Copied
from servers.child import NotInstalled
from servers.pgbouncer import PgBouncer
from servers.postgres import Postgres
from support import missing

pytestmark = pytest.mark.anyio

NOW_MS, BOUND_S = 1_795_342_530_000, 60


@pytest.fixture
def target(database_url: str) -> DatabaseUrl:
    """A database without tables."""
    return parse_database_url(database_url)


@pytest.fixture
async def source(tmp_path: Path) -> Path:
    """A folder with three orders that have everything a store keeps."""
    store = SqliteStore(tmp_path, SystemClock())
    await store.open()
    await store.create(NewOrder("c1", "r1"), NOW_MS, idempotency=Idempotency("k", "f"))
    await store.create(NewOrder("c1", "r1", "d1", "A"), NOW_MS)
    await store.start_simulation(2, WorkflowOptions(), NOW_MS)
    await store.create_link(2, bytes(32), "test", NOW_MS)
    await store.create(NewOrder("c2", "r1", "d1"), NOW_MS)
    await store.apply([ChangeStatus(3, Status.PREPARING, "test"), AssignCourier(3, "d2", "test")], NOW_MS)
    await store.close()
    return tmp_path


def ignore(*progress: object) -> None: ...


async def moved(source: Path, target: DatabaseUrl, *, skip_damaged: bool = False) -> Copied:
    async with asyncio.timeout(BOUND_S):
        return await move(source, target, ignore, skip_damaged=skip_damaged)


async def findings(target: DatabaseUrl) -> list[str]:
    return [finding async for finding in check_database(target, Path("data"), ignore)]


@asynccontextmanager
async def connected(target: DatabaseUrl) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(target.dsn)
    yield connection
    await connection.close()


async def test_everything_is_copied(source: Path, target: DatabaseUrl) -> None:
    copied = await moved(source, target)
    assert copied.compared == 3
    async with open_records(source / "ordertrack.sqlite3") as before, open_postgres_records(target.dsn) as after:
        assert await before.totals() == await after.totals() == copied.totals
        assert [batch async for batch in before.orders()] == [batch async for batch in after.orders()]
        counters = await before.counters()
    assert await findings(target) == []
    async with connected(target) as connection:
        assert await connection.fetchval("SELECT value FROM meta WHERE key = 'epoch'") == counters.epoch
        inserted = "INSERT INTO parties (kind, id, version) VALUES ('customer', 'new', 1) RETURNING number"
        assert await connection.fetchval(inserted) == copied.totals.parties + 1


async def test_copy_and_check_work_through_a_pooler(source: Path, target: DatabaseUrl, postgres: Postgres) -> None:
    try:
        pooler = PgBouncer(postgres.folder / "pgbouncer", target.dsn)
    except NotInstalled as error:
        missing.skip(str(error))
    with closing(pooler):
        pooled = parse_database_url(pooler.url)
        await moved(source, pooled)
        assert await findings(pooled) == []


async def test_database_of_an_earlier_version_is_copied(
    tmp_path: Path, target: DatabaseUrl, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_schema_2(tmp_path, monkeypatch)
    with pytest.raises(RecordsUnusable, match="is of an earlier version of ordertrack"):
        await moved(tmp_path, target)
    store = SqliteStore(tmp_path, SystemClock())
    await store.open()
    await store.close()
    assert [finding async for finding in check_database(parse_database_url("sqlite:"), tmp_path, ignore)] == []
    await moved(tmp_path, target)
    assert await findings(target) == []


async def test_source_is_not_changed(source: Path, target: DatabaseUrl) -> None:
    before = (source / "ordertrack.sqlite3").read_bytes()
    await moved(source, target)
    assert (source / "ordertrack.sqlite3").read_bytes() == before


async def test_log_after_a_crash_is_copied(source: Path, target: DatabaseUrl) -> None:
    writer = sqlite3.connect(source / "ordertrack.sqlite3")
    writer.execute("UPDATE orders SET reference = 'in the log' WHERE id = 1")
    writer.commit()
    assert (source / "ordertrack.sqlite3-wal").stat().st_size > 0
    await moved(source, target)
    writer.close()
    async with connected(target) as connection:
        assert await connection.fetchval("SELECT reference FROM orders WHERE id = 1") == "in the log"


async def test_source_in_use_is_refused(source: Path, target: DatabaseUrl) -> None:
    store = SqliteStore(source, SystemClock())
    await store.open()
    with pytest.raises(RecordsUnusable, match="in use by another ordertrack"):
        await moved(source, target)
    await store.close()


async def test_missing_source_is_refused(tmp_path: Path, target: DatabaseUrl) -> None:
    with pytest.raises(RecordsUnusable, match="There is no database at"):
        await moved(tmp_path / "elsewhere", target)
    assert not (tmp_path / "elsewhere").exists()


async def test_used_target_is_refused(source: Path, target: DatabaseUrl) -> None:
    await moved(source, target)
    with pytest.raises(RecordsUnusable, match="has orders already"):
        await moved(source, target)
    assert await findings(target) == []


async def test_target_of_another_program_is_refused(source: Path, target: DatabaseUrl) -> None:
    async with connected(target) as connection:
        await connection.execute("CREATE TABLE customers (x int)")
        with pytest.raises(RecordsUnusable, match="tables of another program, such as customers"):
            await moved(source, target)
        assert await connection.fetchval("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == 1


async def test_target_of_a_running_node_is_refused(source: Path, target: DatabaseUrl) -> None:
    node = await asyncpg.connect(target.dsn, server_settings={"application_name": "ordertrack"})
    with pytest.raises(RecordsUnusable, match="A server uses the target"):
        await moved(source, target)
    await node.close()


async def test_damaged_order_prevents_the_copy(source: Path, target: DatabaseUrl) -> None:
    damage_order_2(source)
    with pytest.raises(RecordsUnusable, match=r"damaged orders \(1\): order 2: .*--skip-damaged"):
        await moved(source, target)
    assert await is_empty(target)


async def test_damaged_order_can_be_left_out(source: Path, target: DatabaseUrl) -> None:
    damage_order_2(source)
    copied = await moved(source, target, skip_damaged=True)
    assert [order.id for order in copied.skipped] == [2]
    assert (copied.totals.orders, copied.totals.links) == (2, 0)
    assert await findings(target) == []


async def test_interrupted_copy_leaves_the_target_empty(source: Path, target: DatabaseUrl) -> None:
    def interrupt(kind: str, done: int, total: int) -> None:
        if kind == "orders":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await move(source, target, interrupt, skip_damaged=False)
    assert await is_empty(target)
    assert (await moved(source, target)).totals.orders == 3


def damage_order_2(source: Path) -> None:
    with sqlite3.connect(source / "ordertrack.sqlite3") as database:
        database.execute("UPDATE events SET status = 'eaten' WHERE order_id = 2")
    database.close()


async def is_empty(target: DatabaseUrl) -> bool:
    async with open_target(target.dsn, NOW_MS) as written:
        return not any(await written.totals())


DAMAGES = {
    "event": ("UPDATE events SET event = '[]' WHERE order_id = 3", "order 3: it cannot be read"),
    "gap": ("DELETE FROM events WHERE order_id = 3 AND version = 2", "order 3: it cannot be read"),
    "status": ("UPDATE orders SET status = 'ready' WHERE id = 3", "its row has status ready, its last event preparing"),
    "final status": ("UPDATE orders SET final_status = 'delivered' WHERE id = 3", "order 3: it cannot be read"),
    "steps": ("UPDATE orders SET steps = '[7]' WHERE id = 2", "order 2: it cannot be read"),
    "next step": ("UPDATE orders SET next_step_at_ms = 7 WHERE id = 2", "about the time of the next step"),
    "courier": ("UPDATE orders SET courier_id = 'd1' WHERE id = 3", "order 3: its events give another order"),
    "feed version": (
        "UPDATE events SET customer_version = 1 WHERE order_id = 3 AND version = 3",
        "order 3: its events have the versions [1, 2, 1] of the feed of its customer",
    ),
    "party": ("UPDATE parties SET version = 1 WHERE kind = 'restaurant'", "the feed of restaurant r1 has a lower"),
    "other party": ("UPDATE orders SET customer_id = 'c2' WHERE id = 1", "order 1: its last event is not in the feed"),
    "version twice": (
        "UPDATE events SET restaurant_version = 1 WHERE order_id = 2",
        "two events have the same version of the feed of restaurant",
    ),
    "departure": ("UPDATE departures SET version = 99", "the feed of courier d1 has a lower version"),
    "link": ("UPDATE tracking_links SET order_id = 99", "a tracking link refers to order 99"),
    "key": ("UPDATE idempotency SET order_id = 99", "an idempotency key refers to order 99"),
    "events": ("DELETE FROM orders WHERE id = 1", "an event refers to order 1, which does not exist"),
    "counts": ("UPDATE status_counts SET orders = orders + 1 WHERE status = 'preparing'", "2 orders are counted as"),
    "index": (
        "UPDATE pg_index SET indisvalid = FALSE WHERE indexrelid = 'orders_customer'::regclass",
        "index orders_customer is not valid",
    ),
}
"""A statement, and a part of the finding."""


@pytest.mark.parametrize("what", DAMAGES)
async def test_check_finds_damage_in_postgresql(source: Path, target: DatabaseUrl, what: str) -> None:
    statement, finding = DAMAGES[what]
    await moved(source, target)
    async with connected(target) as connection:
        await connection.execute("SET session_replication_role = replica")  # without foreign keys
        assert await connection.execute(statement) not in ("UPDATE 0", "DELETE 0")
    assert any(finding in text for text in await findings(target)), await findings(target)


async def test_check_of_an_empty_database_is_refused(target: DatabaseUrl) -> None:
    with pytest.raises(RecordsUnusable, match="has no tables of ordertrack"):
        await findings(target)


async def test_unreachable_database_is_named_without_password() -> None:
    with pytest.raises(RecordsUnusable, match=r"127\.0\.0\.1:1 cannot be reached") as caught:
        await findings(parse_database_url("postgresql://shop:hunter2@127.0.0.1:1/orders"))
    assert "hunter2" not in str(caught.value)


async def test_new_epoch_replaces_the_former(source: Path, target: DatabaseUrl) -> None:
    await moved(source, target)
    epoch = await replace_epoch(target, Path("data"))
    async with connected(target) as connection:
        assert await connection.fetchval("SELECT value FROM meta WHERE key = 'epoch'") == epoch


async def test_dump_can_be_restored(
    source: Path, target: DatabaseUrl, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(postgres.programs), prepend=":")
    await moved(source, target)
    copy = source / "orders.dump"
    await copy_to_file(target, Path("data"), copy, ignore)
    assert copy.stat().st_mode & 0o777 == 0o600
    restored = parse_database_url(postgres.create_database("restored"))
    restore = postgres.programs / "pg_restore"
    process = await asyncio.create_subprocess_exec(restore, "--no-owner", f"--dbname={restored.dsn}", copy)
    assert await process.wait() == 0
    assert await findings(restored) == []


async def test_password_of_a_dump_is_in_the_environment(
    tmp_path: Path, target: DatabaseUrl, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "pg_dump"
    program.write_text('#!/bin/sh\necho "$@" "$PGPASSWORD"\n')
    program.chmod(0o700)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    url = parse_database_url("postgresql://shop:h%40ter@127.0.0.1:1/orders")
    await copy_to_file(url, Path("data"), tmp_path / "dump", ignore)
    *_, last, password = (tmp_path / "dump").read_text().split()
    assert (last, password) == ("--dbname=postgresql://shop@127.0.0.1:1/orders", "h@ter")


async def test_failed_dump_leaves_no_file(tmp_path: Path, postgres: Postgres, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(postgres.programs), prepend=":")
    with pytest.raises(RecordsUnusable, match=r"pg_dump failed: .*does not exist"):
        await copy_to_file(
            parse_database_url(postgres.url.replace("/ordertrack", "/missing")), tmp_path, tmp_path / "dump", ignore
        )
    assert not (tmp_path / "dump").exists()
