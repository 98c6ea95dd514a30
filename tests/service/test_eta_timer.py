"""Windows that move while nothing is heard of an order, and the history that the estimator learns from."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any

import pytest
from structlog.testing import capture_logs

from ordertrack.adapters.memory.store import MemoryStore
from ordertrack.core.errors import OrdertrackError, StoreUnavailable
from ordertrack.core.eta.rules import EtaRules
from ordertrack.core.event import Status
from ordertrack.core.order import NewOrder, Order
from ordertrack.core.order_rules import Change, ChangeStatus
from ordertrack.ports.clock import Clock
from ordertrack.ports.commits import Applied
from ordertrack.service import eta_timer
from ordertrack.service.eta_timer import LEARN_EVERY_S, LEARN_IDLE_S, MAX_PAUSE_S, PAGE_ORDERS, EtaTimer
from ordertrack.service.monitoring.statistics import Statistics
from support.stage_times import StageTimes

pytestmark = pytest.mark.anyio

MINUTE_S = 60.0


class LearningTimes(StageTimes):
    """Fixed times, and the ids of the orders that were learned."""

    def __init__(self) -> None:
        super().__init__()
        self.learned: list[int] = []

    def learn(self, order: Order) -> None:
        self.learned.append(order.id)


class Kitchen:
    """A memory store that can fail, with the sizes of the batches it was given."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.times = LearningTimes()
        self.rules = EtaRules(self.times)
        self.store = MemoryStore("a1b2", clock, self.rules)
        self.failures = 0
        self.statistics = Statistics()
        self.batches: list[int] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)

    async def apply(self, changes: Sequence[Change], now_ms: int) -> list[Applied | OrdertrackError]:
        self.batches.append(len(changes))
        if self.failures:
            self.failures -= 1
            raise StoreUnavailable(retry_after_s=1)
        return await self.store.apply(changes, now_ms)

    async def place(self, status: str = "confirmed") -> int:
        order_id = (await self.store.create(NewOrder("c1", "r1"), self.clock.now_ms())).order.id
        if status != "confirmed":
            await self.store.apply([ChangeStatus(order_id, Status(status), "test")], self.clock.now_ms())
        return order_id

    @asynccontextmanager
    async def timer(
        self, nodes: Callable[[], int] | None = None, may_move: Callable[[], bool] = lambda: True
    ) -> AsyncIterator[None]:
        timer = EtaTimer(self, self.clock, self.rules, self.statistics, nodes, may_move)  # type: ignore[arg-type]
        await self.store.open(timer.committed)
        timer.open()
        try:
            yield
        finally:
            await timer.close()

    async def types(self, order_id: int) -> list[str]:
        return [event.type.value for event in (await self.store.order(order_id)).timeline]


@pytest.fixture
def kitchen(clock: Clock) -> Kitchen:
    return Kitchen(clock)


async def test_a_silent_order_gets_a_later_window(kitchen: Kitchen) -> None:
    order_id = await kitchen.place()
    async with kitchen.timer():
        await asyncio.sleep(8 * MINUTE_S)
        assert await kitchen.types(order_id) == ["created"]
        await asyncio.sleep(MINUTE_S)
        assert await kitchen.types(order_id) == ["created", "eta_changed"]
        await asyncio.sleep(20 * MINUTE_S)
        assert await kitchen.types(order_id) == ["created", *["eta_changed"] * 4]
        assert kitchen.statistics.eta_changes == 4
    order = await kitchen.store.order(order_id)
    assert order.status == "confirmed"
    ends = [event.eta.window.to_ms for event in order.timeline if event.eta is not None]
    assert all(later - end > kitchen.rules.threshold_ms for end, later in pairwise(ends))


async def test_ended_orders_keep_their_events(kitchen: Kitchen) -> None:
    ids = [await kitchen.place(status) for status in ("delivered", "cancelled")]
    async with kitchen.timer():
        await asyncio.sleep(120 * MINUTE_S)
    assert [await kitchen.types(order_id) for order_id in ids] == [["created", "status_changed"]] * 2


async def test_nodes_move_a_window_once(kitchen: Kitchen) -> None:
    order_id = await kitchen.place()
    async with kitchen.timer(lambda: 2), kitchen.timer(lambda: 2):
        await asyncio.sleep(10 * MINUTE_S)
        assert kitchen.statistics.eta_changes == 1
    assert await kitchen.types(order_id) == ["created", "eta_changed"]


async def test_windows_move_when_they_may(kitchen: Kitchen) -> None:
    order_id = await kitchen.place()
    allowed: list[bool] = []
    async with kitchen.timer(may_move=lambda: bool(allowed)):
        await asyncio.sleep(30 * MINUTE_S)
        assert await kitchen.types(order_id) == ["created"]
        allowed.append(True)
        await asyncio.sleep(2)
    assert await kitchen.types(order_id) == ["created", "eta_changed"]


async def test_a_later_timer_finds_what_is_due(kitchen: Kitchen) -> None:
    order_id = await kitchen.place()
    async with kitchen.timer():
        await asyncio.sleep(MINUTE_S)
    await asyncio.sleep(30 * MINUTE_S)
    async with kitchen.timer():
        await asyncio.sleep(1)
    assert await kitchen.types(order_id) == ["created", "eta_changed"]


async def test_many_windows_move_in_bounded_batches(kitchen: Kitchen) -> None:
    ids = [await kitchen.place() for _ in range(2 * PAGE_ORDERS + 1)]
    await asyncio.sleep(30 * MINUTE_S)
    async with kitchen.timer():
        await asyncio.sleep(MAX_PAUSE_S)
        assert kitchen.statistics.eta_changes == len(ids)
    assert kitchen.batches == [PAGE_ORDERS, PAGE_ORDERS, 1]


async def test_a_failure_is_logged_once_and_retried(kitchen: Kitchen) -> None:
    order_id = await kitchen.place()
    await asyncio.sleep(30 * MINUTE_S)
    kitchen.failures = 5
    with capture_logs() as logs:
        async with kitchen.timer():
            await asyncio.sleep(2 * MINUTE_S)
    assert [(entry["event"], entry["log_level"]) for entry in logs] == [
        ("windows could not be checked, trying again", "warning")
    ]
    assert await kitchen.types(order_id) == ["created", "eta_changed"]


async def test_deliveries_are_learned_from_commits(kitchen: Kitchen) -> None:
    async with kitchen.timer():
        await asyncio.sleep(1)
        delivered = await kitchen.place("delivered")
        await kitchen.place("cancelled")
        await asyncio.sleep(LEARN_IDLE_S)
        assert kitchen.times.learned == [delivered]


async def test_the_newest_deliveries_are_learned_at_start(kitchen: Kitchen, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(eta_timer, "LEARNED_ORDERS", 2 * PAGE_ORDERS)
    ids = []
    for _ in range(3 * PAGE_ORDERS):
        ids.append(await kitchen.place("delivered"))
        await asyncio.sleep(0.001)
    async with kitchen.timer():
        await asyncio.sleep(2 * LEARN_EVERY_S)
    assert kitchen.times.learned == ids[PAGE_ORDERS:]


async def test_a_node_learns_what_others_deliver(kitchen: Kitchen) -> None:
    async with kitchen.timer(lambda: 2):
        await asyncio.sleep(1)
        await kitchen.store.open()  # nothing is announced here
        delivered = await kitchen.place("delivered")
        await asyncio.sleep(LEARN_EVERY_S + LEARN_IDLE_S)
        assert kitchen.times.learned == [delivered]
