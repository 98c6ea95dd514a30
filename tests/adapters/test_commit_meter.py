"""The commit meter of the SQLite store."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ordertrack.adapters.sqlite.store import SqliteStore
from ordertrack.adapters.system.clock import SystemClock
from ordertrack.core.errors import StoreUnavailable
from ordertrack.core.order import NewOrder

pytestmark = pytest.mark.anyio

NOW_MS = 1_795_342_530_000
Readings = list[tuple[int, float]]


async def _store(folder: Path, readings: Readings) -> SqliteStore:
    store = SqliteStore(folder, SystemClock(), lambda requests, took_s: readings.append((requests, took_s)))
    await store.open(lambda committed: None)
    return store


async def test_the_meter_gets_the_requests_of_each_commit(tmp_path: Path) -> None:
    readings: Readings = []
    store = await _store(tmp_path, readings)
    await asyncio.gather(*(store.create(NewOrder("c1", "r1"), NOW_MS) for _ in range(50)))
    assert sum(requests for requests, _ in readings) == 50
    assert len(readings) < 50
    assert all(took_s > 0 for _, took_s in readings)
    await store.close()


async def test_the_meter_ignores_a_failed_commit(tmp_path: Path) -> None:
    readings: Readings = []
    store = await _store(tmp_path, readings)

    def fail(_: Any) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    job: Callable[[Any], Any] = fail
    with pytest.raises(StoreUnavailable):
        await store._opened().writer.submit(job)
    assert readings == []
    await store.close()
