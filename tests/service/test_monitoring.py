"""The figures an operator sees: PROTOCOL.md section 6."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from ordertrack.adapters.memory.store import MemoryStore
from ordertrack.core.errors import StoreUnavailable
from ordertrack.core.event import Status
from ordertrack.core.feed import FeedKind, order_feed
from ordertrack.core.hub import Caps, Hub
from ordertrack.core.order import NewOrder
from ordertrack.core.order_rules import ChangeStatus
from ordertrack.core.poll import PollRequest, Reason
from ordertrack.ports.process import ProcessView
from ordertrack.service.monitoring.loop_lag import PERIOD_S, LoopLagTimer
from ordertrack.service.monitoring.monitor import MIN_POLLS_TO_MEASURE, Monitor
from ordertrack.service.monitoring.statistics import KEPT_LAGS, KEPT_LATENCIES, Statistics, WakeLatency
from ordertrack.service.tracking.tracking import Tracking

pytestmark = pytest.mark.anyio


class Process:
    """The operating system's figures, as the test wants them."""

    memory = 50_000_000

    def memory_bytes(self) -> int:
        return self.memory

    def cpu_percent(self) -> float:
        return 12.5

    def view(self) -> ProcessView:
        return ProcessView(1.0, 2 * self.memory, self.memory, 10, 1_024, 1_795_342_530.0)


class IgnoringWaiter:
    def answer(self, answer: object, requested_at_s: float | None) -> None: ...

    def refuse(self, error: object) -> None: ...


async def test_the_figures_say_what_is_held_and_what_was_done(clock: Any) -> None:
    store, statistics, process = MemoryStore("a1b2", clock), Statistics(), Process()
    hub: Hub[Any] = Hub(Caps(1_000, 1_000, 1_000), full_retry_after_s=lambda: 7)
    tracking = Tracking(store, hub, clock, statistics, max_timeout_s=120.0, draw=lambda: 0.5)
    await store.open(tracking.committed)
    order = (await store.create(NewOrder("c1", "r1"), clock.now_ms())).order
    monitor = Monitor(store, tracking.hub, tracking.statistics, process, clock, node="node-1", version="1.2.3")
    polls = MIN_POLLS_TO_MEASURE
    for _ in range(polls - 1):
        tracking.poll(order_feed(order.id), PollRequest(timeout_s=30.0), IgnoringWaiter())
    process.memory += polls * 2_000
    assert (await monitor.snapshot(0)).bytes_per_held_poll is None
    tracking.poll(order_feed(order.id), PollRequest(timeout_s=30.0), IgnoringWaiter())
    await asyncio.sleep(12)
    stats = await monitor.snapshot(simulations_running=3)
    assert (stats.active_connections, stats.orders_watched, stats.max_connections_per_order) == (polls, 1, 1_000)
    assert stats.bytes_per_held_poll == 2_000
    assert (stats.uptime_s, stats.cpu_percent, stats.memory_mb) == (12.0, 12.5, 50.2)
    assert (stats.simulations_running, stats.lost_wakeups_total, stats.draining) == (3, 0, False)
    assert (stats.node, stats.nodes, stats.store, stats.version) == ("node-1", ["node-1"], "memory", "1.2.3")

    await store.apply([ChangeStatus(order.id, Status.PREPARING, "cook")], clock.now_ms())
    await tracking.drain()
    stats = await monitor.snapshot(0)
    assert (stats.active_connections, stats.orders_watched, stats.draining) == (0, 0, True)
    assert stats.polls_total == {reason.value: 0 for reason in Reason} | {"changed": polls}
    assert stats.updates_total == 2
    assert stats.orders_by_status == {status.value: 0 for status in Status} | {"preparing": 1}
    await tracking.close()


async def test_a_draining_node_is_not_ready(clock: Any) -> None:
    store = MemoryStore("a1b2", clock)
    hub: Hub[Any] = Hub(Caps(10, 1_000, 10), full_retry_after_s=lambda: 7)
    tracking = Tracking(store, hub, clock, Statistics(), max_timeout_s=120.0, draw=lambda: 0.5)
    monitor = Monitor(store, tracking.hub, tracking.statistics, Process(), clock, node="node-1", version="1")
    assert await monitor.not_ready() is None
    await tracking.drain()
    assert await monitor.not_ready() == "draining"


def test_latencies_that_were_not_measured_are_unknown() -> None:
    assert Statistics().wake_latency_ms() == WakeLatency(None, None, None)


def test_latencies_are_told_in_milliseconds_as_percentiles() -> None:
    statistics = Statistics()
    for milliseconds in range(100, 0, -1):
        statistics.record_wake_latency(milliseconds / 1000)
    assert statistics.wake_latency_ms() == WakeLatency(p50=51.0, p99=100.0, max=100.0)


def test_a_single_latency_is_every_percentile() -> None:
    statistics = Statistics()
    statistics.record_wake_latency(0.0015)
    assert statistics.wake_latency_ms() == WakeLatency(1.5, 1.5, 1.5)


def test_old_latencies_are_forgotten() -> None:
    statistics = Statistics()
    statistics.record_wake_latency(99.0)
    for _ in range(KEPT_LATENCIES):
        statistics.record_wake_latency(0.001)
    assert statistics.wake_latency_ms().max == 1.0


async def test_figures_count_held_polls_until_they_are_answered(clock: Any) -> None:
    store = MemoryStore("a1b2", clock)
    hub: Hub[Any] = Hub(Caps(10, 1_000, 20), full_retry_after_s=lambda: 7)
    tracking = Tracking(store, hub, clock, Statistics(), max_timeout_s=120.0, draw=lambda: 0.5)
    await store.open(tracking.committed)
    monitor = Monitor(store, tracking.hub, tracking.statistics, Process(), clock, node="node-1", version="1.2.3")
    order = (await store.create(NewOrder("c1", "r1"), clock.now_ms())).order
    for _ in range(3):
        tracking.poll(order_feed(order.id), PollRequest(timeout_s=30.0), IgnoringWaiter())
    figures = await monitor.figures(simulations_running=2)
    assert figures.polls_held == dict.fromkeys(FeedKind, 0) | {FeedKind.ORDER: 3}
    assert (figures.feeds_watched, figures.max_polls_held, figures.simulations_running) == (1, 20, 2)
    assert figures.orders_by_status[Status.CONFIRMED] == 1
    await tracking.drain()
    figures = await monitor.figures(0)
    assert figures.polls_held == dict.fromkeys(FeedKind, 0)
    assert figures.draining
    assert figures.statistics is tracking.statistics
    await tracking.close()


class FailingStore(MemoryStore):
    async def orders_by_status(self) -> dict[Status, int]:
        raise StoreUnavailable(retry_after_s=5)


async def test_a_store_in_trouble_does_not_take_the_other_figures_away(clock: Any) -> None:
    store = FailingStore("a1b2", clock)
    hub: Hub[Any] = Hub(Caps(10, 1_000, 20), full_retry_after_s=lambda: 7)
    tracking = Tracking(store, hub, clock, Statistics(), max_timeout_s=120.0, draw=lambda: 0.5)
    monitor = Monitor(store, tracking.hub, tracking.statistics, Process(), clock, node="node-1", version="1.2.3")
    figures = await monitor.figures(0)
    assert (figures.orders_by_status, figures.process.open_files) == ({}, 10)


def _busy(seconds: float) -> None:
    """Keep the event loop from everything else for so long."""
    asyncio.get_running_loop()._jumping.now_s += seconds  # type: ignore[attr-defined]


async def test_a_busy_event_loop_is_measured_as_its_lag() -> None:
    lags: list[float] = []
    watch = LoopLagTimer(lags.append)
    watch.start()
    await asyncio.sleep(2.1 * PERIOD_S)
    _busy(3.0)
    await asyncio.sleep(0.5 * PERIOD_S)
    watch.stop()
    assert lags == pytest.approx([0.0, 0.0, 3.0 - 0.9 * PERIOD_S], abs=1e-6)


async def test_a_watch_that_was_stopped_looks_no_more() -> None:
    lags: list[float] = []
    watch = LoopLagTimer(lags.append)
    watch.start()
    await asyncio.sleep(1.5 * PERIOD_S)
    watch.stop()
    watch.stop()
    await asyncio.sleep(10 * PERIOD_S)
    assert len(lags) == 1


def test_the_longest_lag_is_of_the_latest_looks() -> None:
    statistics = Statistics()
    assert statistics.max_loop_lag_s() == 0.0
    statistics.record_loop_lag(2.0)
    assert statistics.max_loop_lag_s() == 2.0
    for _ in range(KEPT_LAGS):
        statistics.record_loop_lag(0.25)
    assert statistics.max_loop_lag_s() == 0.25
