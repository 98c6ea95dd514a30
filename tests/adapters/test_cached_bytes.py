"""The memory that the stores say their orders take, beside what Python allocated."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest

from ordertrack.adapters.memory.store import MemoryStore
from ordertrack.adapters.shared.memory_estimate import SAMPLED
from ordertrack.adapters.sqlite.store import SqliteStore
from ordertrack.adapters.system.clock import SystemClock
from ordertrack.core.event import Status
from ordertrack.core.order import Details, Item, NewOrder
from ordertrack.core.order_rules import ChangeStatus
from ordertrack.ports.order_store import History
from ordertrack.ports.store import Store

pytestmark = pytest.mark.anyio

NOW_MS = 1_795_342_530_000
ORDERS = 20 * SAMPLED


def histories() -> list[History]:
    """Return orders of several sizes; ids of parties are distinct, as those of requests are."""
    return [
        History(
            n,
            NewOrder(
                f"customer-{n}", f"r-{n}", None, None, Details((Item(f"Pizza {n}"),) * (n % 3), 9.5, "EUR"), "api"
            ),
            NOW_MS,
            [(ChangeStatus(n, Status.PREPARING, f"shop:{n}"), NOW_MS + n)] * (n % 2),
        )
        for n in range(1, ORDERS + 1)
    ]


@pytest.fixture(params=["memory", "sqlite"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "memory":
        return MemoryStore("a1b2", SystemClock())
    return SqliteStore(tmp_path, SystemClock())


async def test_an_empty_cache_takes_nearly_nothing(store: Store) -> None:
    assert store.cached_orders == 0
    assert store.cached_bytes < 2_000


async def test_the_estimate_is_near_what_was_allocated(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path, SystemClock())
    await store.open()
    await store.load(histories())
    await store.close()
    store = SqliteStore(tmp_path, SystemClock())
    await store.open()
    tracemalloc.start()
    try:
        before = tracemalloc.take_snapshot()
        for n in range(1, ORDERS + 1):
            await store.order(n)
        growth = tracemalloc.take_snapshot().compare_to(before, "filename")
    finally:
        tracemalloc.stop()
        await store.close()
    allocated = sum(each.size_diff for each in growth if "ordertrack" in each.traceback[0].filename)
    assert store.cached_orders == ORDERS
    assert store.cached_bytes == pytest.approx(allocated, rel=0.25)
