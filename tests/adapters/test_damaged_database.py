"""A damaged database is refused with a message for the operator and without a traceback."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from ordertrack.adapters.sqlite.database import FILE_NAME
from ordertrack.adapters.sqlite.store import SqliteStore
from ordertrack.adapters.system.clock import SystemClock
from ordertrack.core.order import NewOrder
from ordertrack.core.simulation import WorkflowOptions
from ordertrack.ports.store import StoreCannotOpen

pytestmark = pytest.mark.anyio


async def used(folder: Path) -> Path:
    """The file of a store with orders."""
    store = SqliteStore(folder, SystemClock())
    await store.open(lambda committed: None)
    order = (await store.create(NewOrder("c1", "r1"), 0)).order
    await store.start_simulation(order.id, WorkflowOptions(), 0)
    await store.close()
    return folder / FILE_NAME


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE events SET status = 'eaten'",
        "UPDATE orders SET final_status = 'eaten'",
        "DELETE FROM events",
        "UPDATE simulation_steps SET status = 'eaten'",
        "DROP TABLE orders",
    ],
)
async def test_invalid_rows_are_found_at_the_start(tmp_path: Path, damage: str) -> None:
    file = await used(tmp_path)
    with sqlite3.connect(file) as database:
        database.execute("PRAGMA foreign_keys = OFF")
        database.execute("PRAGMA ignore_check_constraints = ON")
        database.execute(damage)
    database.close()
    await refused(tmp_path)


async def test_overwritten_pages_are_found_and_left_unchanged(tmp_path: Path) -> None:
    file = await used(tmp_path)
    content = file.read_bytes()
    damaged = content[:100] + b"\xff" * 4000 + content[4100:]
    file.write_bytes(damaged)
    await refused(tmp_path)
    assert file.read_bytes() == damaged


async def refused(folder: Path) -> None:
    for _ in range(2):  # the folder is not kept locked
        with pytest.raises(StoreCannotOpen, match=r"cannot be opened: .*put a backup in its place"):
            await SqliteStore(folder, SystemClock()).open(lambda committed: None)
