"""What the SQLite store tells of its commits."""

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
Told = list[tuple[int, float]]


async def _store(folder: Path, told: Told) -> SqliteStore:
    store = SqliteStore(folder, SystemClock(), lambda requests, took_s: told.append((requests, took_s)))
    await store.open(lambda committed, committed_at_s: None)
    return store


async def test_a_commit_is_told_with_the_requests_that_shared_it(tmp_path: Path) -> None:
    told: Told = []
    store = await _store(tmp_path, told)
    await asyncio.gather(*(store.create(NewOrder("c1", "r1"), NOW_MS) for _ in range(50)))
    assert sum(requests for requests, _ in told) == 50
    assert len(told) < 50
    assert all(took_s > 0 for _, took_s in told)
    await store.close()


async def test_a_commit_that_failed_is_not_told_as_one(tmp_path: Path) -> None:
    told: Told = []
    store = await _store(tmp_path, told)

    def fail(_: Any) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    job: Callable[[Any], Any] = fail
    with pytest.raises(StoreUnavailable):
        await store._opened().writer.submit(job)
    assert told == []
    await store.close()
