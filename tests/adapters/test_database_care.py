"""The records of a SQLite database, its check, its backup, its new epoch."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ordertrack.adapters.sqlite.backup import back_up, set_new_epoch
from ordertrack.adapters.sqlite.export import open_records
from ordertrack.adapters.sqlite.store import SqliteStore
from ordertrack.adapters.system.clock import SystemClock
from ordertrack.core.event import Status
from ordertrack.core.order import NewOrder
from ordertrack.core.order_rules import AssignCourier, ChangeStatus
from ordertrack.core.simulation import WorkflowOptions
from ordertrack.ports.commits import Idempotency
from ordertrack.ports.records import RecordsUnusable
from ordertrack.service.maintenance.check_records import check_records

pytestmark = pytest.mark.anyio

NOW_MS, BOUND_S = 1_795_342_530_000, 60
DAMAGES = {
    "status": ("UPDATE events SET status = 'eaten' WHERE order_id = 3", "order 3: it cannot be read"),
    "text": ("UPDATE orders SET reference = CAST(x'ff' AS TEXT) WHERE id = 3", "order 3: it cannot be read"),
    "gap": ("DELETE FROM events WHERE order_id = 3 AND version = 2", "order 3: it cannot be read"),
    "steps": ("UPDATE simulation_steps SET status = 'eaten' WHERE order_id = 2", "order 2: it cannot be read"),
    "first version": ("UPDATE events SET version = version + 9 WHERE order_id = 3", "order 3: it cannot be read"),
    "times": ("UPDATE events SET recorded_at_ms = 7 WHERE order_id = 3 AND version = 3", "order of their times"),
    "courier": ("UPDATE orders SET courier_id = 'd1' WHERE id = 3", "order 3: its events give another order"),
    "first event": ("UPDATE events SET type = 'reverted' WHERE order_id = 1", "order 1: its first event is reverted"),
    "end": ("UPDATE orders SET final_status = 'delivered' WHERE id = 3", "differ about how it ended"),
    "feed version": (
        "UPDATE events SET customer_feed_version = 1 WHERE order_id = 3 AND version = 3",
        "order 3: its events have the versions [4, 5, 1] of the feed of its customer",
    ),
    "feed entry": (
        "DELETE FROM feed_entries WHERE order_id = 3",
        "order 3: its last event is not in the feed of its customer",
    ),
    "no party": ("DELETE FROM parties WHERE id = 'r1'", "its last event is not in the feed of its restaurant"),
    "departure": ("UPDATE departures SET version = 99", "a version that the courier's feed has not reached"),
    "link": ("UPDATE tracking_links SET order_id = 99", "a tracking link refers to order 99"),
    "key": ("UPDATE idempotency SET order_id = 99", "an idempotency key refers to order 99"),
    "events": ("DELETE FROM orders WHERE id = 1", "an event refers to order 1, which does not exist"),
    "index": ("UPDATE sqlite_master SET sql = replace(sql, 'restaurant_id, f', 'customer_id, f')", "file: "),
}
"""A statement, and a part of the finding."""


@pytest.fixture
async def folder(tmp_path: Path) -> AsyncIterator[Path]:
    """A folder with three orders that have everything a store keeps."""
    store = SqliteStore(tmp_path, SystemClock())
    async with asyncio.timeout(BOUND_S):
        await store.open()
        await store.create(NewOrder("c1", "r1"), NOW_MS, idempotency=Idempotency("k", "f"))
        await store.create(NewOrder("c1", "r1", "d1"), NOW_MS)
        await store.start_simulation(2, WorkflowOptions(), NOW_MS)
        await store.create_link(2, bytes(32), "test", NOW_MS)
        await store.apply([ChangeStatus(1, Status.PREPARING, "test")], NOW_MS)
        await store.create(NewOrder("c1", "r1", "d1", "A"), NOW_MS)
        await store.apply([ChangeStatus(3, Status.PREPARING, "test"), AssignCourier(3, "d2", "test")], NOW_MS)
        await store.close()
        yield tmp_path


async def found(path: Path) -> list[str]:
    async with open_records(path) as records:
        return [finding async for finding in check_records(records, lambda *progress: None)]


def database(folder: Path) -> Path:
    return folder / "ordertrack.sqlite3"


async def test_check_finds_nothing_in_a_sound_database(folder: Path) -> None:
    before = database(folder).read_bytes()
    assert await found(database(folder)) == []
    assert database(folder).read_bytes() == before


@pytest.mark.parametrize("what", DAMAGES)
async def test_check_finds_damage(folder: Path, what: str) -> None:
    statement, finding = DAMAGES[what]
    with sqlite3.connect(database(folder)) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        assert connection.execute(statement).rowcount > 0
    connection.close()
    assert any(finding in text for text in await found(database(folder))), await found(database(folder))


async def test_check_reads_while_the_server_writes(folder: Path) -> None:
    store = SqliteStore(folder, SystemClock())
    await store.open()
    async with open_records(database(folder)) as records:
        before = await records.totals()
        await store.apply([ChangeStatus(3, Status.READY, "test")], NOW_MS)
        assert await records.totals() == before
    await store.close()


async def test_other_files_are_refused(tmp_path: Path) -> None:
    sqlite3.connect(tmp_path / "other").execute("CREATE TABLE t (x)").connection.close()
    with pytest.raises(RecordsUnusable, match="is not a database of ordertrack"):
        await found(tmp_path / "other")


async def test_backup_of_a_running_server_is_complete(folder: Path, tmp_path: Path) -> None:
    store = SqliteStore(folder, SystemClock())
    await store.open()
    await store.apply([ChangeStatus(3, Status.READY, "test")], NOW_MS)
    copy = tmp_path / "backup"
    back_up(database(folder), copy, lambda *progress: None)
    await store.close()
    assert copy.stat().st_mode & 0o777 == 0o600
    assert await found(copy) == []
    async with open_records(copy) as copied, open_records(database(folder)) as original:
        assert await copied.totals() == await original.totals()
    assert not any((tmp_path / f"backup{end}").exists() for end in ("-wal", "-shm", "-journal"))


async def test_backup_keeps_an_existing_file(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "backup").write_text("mine")
    with pytest.raises(RecordsUnusable, match="exists already"):
        back_up(database(folder), tmp_path / "backup", lambda *progress: None)
    assert (tmp_path / "backup").read_text() == "mine"


async def test_failed_backup_leaves_no_file(tmp_path: Path) -> None:
    (tmp_path / "other").write_text("no database")
    with pytest.raises(RecordsUnusable, match="cannot be copied"):
        back_up(tmp_path / "other", tmp_path / "backup", lambda *progress: None)
    assert not (tmp_path / "backup").exists()


async def test_new_epoch_needs_a_stopped_server(folder: Path) -> None:
    store = SqliteStore(folder, SystemClock())
    await store.open()
    before = store.epoch
    with pytest.raises(RecordsUnusable, match="is in use by another ordertrack"):
        set_new_epoch(database(folder))
    await store.close()
    epoch = set_new_epoch(database(folder))
    await store.open()
    assert store.epoch == epoch != before
    await store.close()
