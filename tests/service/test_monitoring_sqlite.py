"""The memory of held polls over the store that caches their orders, in real time: it has threads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ordertrack.adapters.sqlite.store import SqliteStore
from ordertrack.adapters.system.clock import SystemClock
from ordertrack.core.feed import order_feed
from ordertrack.core.hub import Caps, Hub
from ordertrack.core.order import NewOrder
from ordertrack.core.poll import PollRequest
from ordertrack.service.monitoring.monitor import MIN_POLLS_TO_MEASURE, Monitor
from ordertrack.service.monitoring.statistics import Statistics
from ordertrack.service.tracking.tracking import Tracking
from service.test_monitoring import IgnoringWaiter, Process

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_orders_that_polls_load_are_no_memory_of_polls(tmp_path: Path) -> None:
    clock, process = SystemClock(), Process()
    store = SqliteStore(tmp_path, clock)
    hub: Hub[Any] = Hub(Caps(10, 1_000, 1_000), full_retry_after_s=lambda: 7)
    tracking = Tracking(store, hub, clock, Statistics(), max_timeout_s=120.0, draw=lambda: 0.5)
    await store.open(tracking.committed)
    polls = MIN_POLLS_TO_MEASURE
    for _ in range(polls):
        await store.create(NewOrder("c1", "r1"), clock.now_ms())
    store._orders._cache.clear()
    monitor = Monitor(store, tracking.hub, tracking.statistics, process, clock, node="node-1", version="1.2.3")
    await monitor.snapshot(0)
    idle_bytes = store.cached_bytes
    for order_id in range(1, polls + 1):
        await tracking.poll(order_feed(order_id), PollRequest(timeout_s=120.0), IgnoringWaiter())
    grown_bytes = store.cached_bytes - idle_bytes
    assert grown_bytes > polls * 500, "each poll has loaded its order"
    process.memory += polls * 2_000 + grown_bytes
    assert (await monitor.snapshot(0)).bytes_per_held_poll == 2_000

    await tracking.drain()
    await store.close()
