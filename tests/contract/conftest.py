"""The stores that are checked against the contract of `ports/store.py`. A new store needs a line here.

`sqlite-cold` is the SQLite store with caches of one entry. It reads the file for reads and for changes, which makes the
clauses about commits and reads hard to keep.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from contract.harness import BOUND_S, STORES, Listener, new_store, shrink_caches
from ordertrack.ports.store import Store


@pytest.fixture
def listener() -> Listener:
    return Listener()


@pytest.fixture(params=[*STORES, "sqlite-cold"])
async def store(
    request: pytest.FixtureRequest, tmp_path: Path, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Store]:
    if request.param == "sqlite-cold":
        shrink_caches(monkeypatch)
    opened = new_store(request.param.removesuffix("-cold"), tmp_path)
    async with asyncio.timeout(BOUND_S):
        await opened.open(listener)
    yield opened
    async with asyncio.timeout(BOUND_S):
        await opened.close()
