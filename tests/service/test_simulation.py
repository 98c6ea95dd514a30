"""Simulated workflows, driven through time: PROTOCOL.md section 2, simulated workflows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest

from ordertrack.adapters.memory.store import MemoryStore
from ordertrack.core.errors import (
    OrderEnded,
    OrderNotFound,
    OrdertrackError,
    SimulationNotRunning,
    SimulationRunning,
    StoreUnavailable,
)
from ordertrack.core.event import Status
from ordertrack.core.order import NewOrder
from ordertrack.core.order_rules import MAX_EVENTS, AssignCourier, Change, ChangeStatus
from ordertrack.core.simulation import Step, WorkflowOptions
from ordertrack.ports.clock import Clock
from ordertrack.ports.commits import Applied, Committed
from ordertrack.ports.shared_store import SharedStore
from ordertrack.service.simulator import MAX_SLEEP_S, MAX_STALE_ENTRIES, MAX_STEPS_AT_ONCE, Simulator

pytestmark = pytest.mark.anyio

BOUND_S = 100_000
"""Seconds of virtual time: a simulation takes 33 minutes."""
MINUTE_S = 60
WAY = [("preparing", 3), ("ready", 18), ("picked_up", 23), ("delivered", 33)]


class StoreInHand:
    """A memory store whose changes can be refused because it is overloaded, or held up on their way to it."""

    def __init__(self, inner: MemoryStore) -> None:
        self.inner = inner
        self.failures = 0
        self.failure: Exception = StoreUnavailable(retry_after_s=5)
        self.asked = 0
        self.on_the_way = asyncio.Event()
        self.gate = asyncio.Event()
        self.gate.set()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    async def apply(self, changes: Sequence[Change], now_ms: int) -> list[Applied | OrdertrackError]:
        self.asked += 1
        if self.failures:
            self.failures -= 1
            raise self.failure
        self.on_the_way.set()
        await self.gate.wait()
        return await self.inner.apply(changes, now_ms)


class Kitchen:
    """A store, and a diary of what happened to its orders and when, in seconds since the start."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.memory = MemoryStore("a1b2", clock)
        self.store = StoreInHand(self.memory)
        self.diary: dict[int, list[tuple[str, float]]] = {}
        self.started_s = clock.monotonic_s()
        self.news: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def listen(self, commits: Sequence[Committed]) -> None:
        for order, _, _, requested_at_s in commits:
            at_s = round(requested_at_s - self.started_s, 3)
            self.diary.setdefault(order.id, []).append((order.status.value, at_s))
        self.news.set_result(None)
        self.news = asyncio.get_running_loop().create_future()

    async def place(self) -> int:
        order_id = (await self.memory.create(NewOrder("c1", "r1"), self.clock.now_ms())).order.id
        self.diary[order_id].clear()
        return order_id

    async def change(self, change: Change) -> None:
        (result,) = await self.memory.apply([change], self.clock.now_ms())
        assert isinstance(result, Applied), result

    async def until(self, order_id: int, status: str) -> None:
        async with asyncio.timeout(BOUND_S):
            while (await self.memory.order(order_id)).status != status:
                await self.news

    async def pass_time(self, seconds: float) -> None:
        """Virtual seconds, in which everything due is done."""
        await asyncio.sleep(seconds)

    @asynccontextmanager
    async def simulator(self) -> AsyncIterator[Simulator]:
        simulator = Simulator(self.store, self.clock)
        await self.memory.open(self.listen, simulations=simulator.announced)
        await simulator.open()
        try:
            yield simulator
        finally:
            async with asyncio.timeout(BOUND_S):
                await simulator.close()


@pytest.fixture
async def kitchen(clock: Clock) -> Kitchen:
    kitchen = Kitchen(clock)
    await kitchen.memory.open(kitchen.listen)
    return kitchen


def on_schedule(seconds: float) -> Any:
    """A step is never early, and late by no more than the clocks' resolution."""
    return pytest.approx(seconds, abs=0.01)


async def test_simulated_steps_are_updates_on_schedule(kitchen: Kitchen) -> None:
    order_id = await kitchen.place()
    async with kitchen.simulator() as simulator:
        steps = await simulator.start(order_id, WorkflowOptions())
        assert simulator.running == 1
        await kitchen.until(order_id, "delivered")
        await kitchen.pass_time(MINUTE_S)
        assert simulator.running == 0
    assert kitchen.diary[order_id] == [(status, on_schedule(minutes * MINUTE_S)) for status, minutes in WAY]
    order = await kitchen.memory.order(order_id)
    assert {event.actor for event in order.timeline[1:]} == {"simulator"}
    for event, step in zip(order.timeline[1:], steps, strict=True):
        assert event.recorded_at_ms >= step.due_at_ms
    assert await kitchen.memory.simulations() == {}


async def test_several_orders_follow_each_its_own_schedule(kitchen: Kitchen) -> None:
    ids = [await kitchen.place() for _ in range(3)]
    speeds = [1.0, 10.0, 3_600.0]
    async with kitchen.simulator() as simulator:
        for order_id, speed in zip(ids, speeds, strict=True):
            await simulator.start(order_id, WorkflowOptions(speed=speed))
        for order_id in ids:
            await kitchen.until(order_id, "delivered")
    for order_id, speed in zip(ids, speeds, strict=True):
        expected = [(status, on_schedule(minutes * MINUTE_S / speed)) for status, minutes in WAY]
        assert kitchen.diary[order_id] == expected


async def test_a_simulation_started_while_the_driver_waits_is_on_time(kitchen: Kitchen) -> None:
    order_id = await kitchen.place()
    async with kitchen.simulator() as simulator:
        await kitchen.pass_time(1)
        await simulator.start(order_id, WorkflowOptions(timings_s={Status.CONFIRMED: 2.0}))
        await kitchen.until(order_id, "preparing")
    assert kitchen.diary[order_id] == [("preparing", on_schedule(3))]


async def test_steps_that_take_no_time_at_all_still_happen_one_by_one(kitchen: Kitchen) -> None:
    order_id = await kitchen.place()
    timings = dict.fromkeys((Status.CONFIRMED, Status.PREPARING, Status.READY, Status.PICKED_UP), 0.0)
    async with kitchen.simulator() as simulator:
        await simulator.start(order_id, WorkflowOptions(timings_s=timings))
        await kitchen.until(order_id, "delivered")
    assert [status for status, _ in kitchen.diary[order_id]] == [status for status, _ in WAY]
    assert (await kitchen.memory.order(order_id)).version == 5


async def test_an_order_may_be_cancelled_on_its_way_with_a_reason(kitchen: Kitchen) -> None:
    order_id = await kitchen.place()
    async with kitchen.simulator() as simulator:
        await simulator.start(order_id, WorkflowOptions(cancel_at=Status.PICKED_UP))
        await kitchen.until(order_id, "cancelled")
    cancellation = (await kitchen.memory.order(order_id)).cancellation
    assert cancellation is not None
    assert (cancellation.by, bool(cancellation.reason)) == ("simulator", True)


async def test_a_simulation_goes_on_after_a_restart(kitchen: Kitchen) -> None:
    order_id = await kitchen.place()
    async with kitchen.simulator() as simulator:
        await simulator.start(order_id, WorkflowOptions())
        await kitchen.until(order_id, "preparing")
    await kitchen.pass_time(MINUTE_S)
    async with kitchen.simulator() as simulator:
        assert simulator.running == 1
        await kitchen.until(order_id, "delivered")
    assert kitchen.diary[order_id] == [(status, on_schedule(minutes * MINUTE_S)) for status, minutes in WAY]


async def test_steps_due_during_a_stop_follow_at_once_in_order(kitchen: Kitchen) -> None:
    order_id, other_id = await kitchen.place(), await kitchen.place()
    async with kitchen.simulator() as simulator:
        await simulator.start(order_id, WorkflowOptions())
        await simulator.start(other_id, WorkflowOptions(speed=0.1))
    await kitchen.pass_time(20 * MINUTE_S)
    assert kitchen.diary == {order_id: [], other_id: []}
    async with kitchen.simulator():
        await kitchen.until(order_id, "delivered")
    at_once = on_schedule(20 * MINUTE_S)
    on_time = [("picked_up", on_schedule(23 * MINUTE_S)), ("delivered", on_schedule(33 * MINUTE_S))]
    assert kitchen.diary[order_id] == [("preparing", at_once), ("ready", at_once), *on_time]
    assert kitchen.diary[other_id] == [("preparing", on_schedule(30 * MINUTE_S))]


@pytest.mark.parametrize("status", ["preparing", "ready", "cancelled"])
async def test_another_change_of_status_ends_the_simulation(kitchen: Kitchen, status: str) -> None:
    order_id = await kitchen.place()
    async with kitchen.simulator() as simulator:
        await simulator.start(order_id, WorkflowOptions())
        await kitchen.pass_time(MINUTE_S)
        await kitchen.change(ChangeStatus(order_id, Status(status), "cook"))
        await kitchen.pass_time(60 * MINUTE_S)
        assert simulator.running == 0
    assert [seen for seen, _ in kitchen.diary[order_id]] == [status]


async def test_a_courier_who_is_assigned_does_not_end_it(kitchen: Kitchen) -> None:
    order_id = await kitchen.place()
    async with kitchen.simulator() as simulator:
        await simulator.start(order_id, WorkflowOptions())
        await kitchen.pass_time(MINUTE_S)
        await kitchen.change(AssignCourier(order_id, "d1", "shop"))
        await kitchen.until(order_id, "delivered")
    assert (await kitchen.memory.order(order_id)).version == 6


async def test_a_stopped_simulation_takes_no_more_steps(kitchen: Kitchen) -> None:
    order_id = await kitchen.place()
    async with kitchen.simulator() as simulator:
        steps = await simulator.start(order_id, WorkflowOptions())
        await kitchen.until(order_id, "preparing")
        assert await simulator.stop(order_id) == steps[1:]
        assert simulator.running == 0
        with pytest.raises(SimulationNotRunning):
            await simulator.stop(order_id)
        await kitchen.pass_time(60 * MINUTE_S)
    assert [status for status, _ in kitchen.diary[order_id]] == ["preparing"]


@pytest.mark.parametrize("by", ["stop", "cook"])
async def test_a_new_simulation_ignores_steps_of_the_earlier_one(kitchen: Kitchen, by: str) -> None:
    """The earlier one's steps were due a minute before the new one's, with the same numbers."""
    order_id = await kitchen.place()
    async with kitchen.simulator() as simulator:
        await simulator.start(order_id, WorkflowOptions())
        await kitchen.pass_time(MINUTE_S)
        if by == "stop":
            await simulator.stop(order_id)
        else:
            await kitchen.change(ChangeStatus(order_id, Status.PREPARING, "cook"))
            await kitchen.change(ChangeStatus(order_id, Status.CONFIRMED, "cook", undo=True))
            kitchen.diary[order_id].clear()
        await simulator.start(order_id, WorkflowOptions())
        assert simulator.running == 1
        await kitchen.until(order_id, "delivered")
    assert kitchen.diary[order_id] == [(status, on_schedule((minutes + 1) * MINUTE_S)) for status, minutes in WAY]


async def test_a_simulation_restarted_at_once_takes_each_step_once(kitchen: Kitchen) -> None:
    order_id = await kitchen.place()
    async with kitchen.simulator() as simulator:
        for _ in range(5):
            await simulator.start(order_id, WorkflowOptions())
            await simulator.stop(order_id)
        await simulator.start(order_id, WorkflowOptions())
        await kitchen.until(order_id, "delivered")
    assert kitchen.diary[order_id] == [(status, on_schedule(minutes * MINUTE_S)) for status, minutes in WAY]


async def test_a_late_step_of_a_replaced_simulation_is_refused(
    kitchen: Kitchen,
) -> None:
    order_id = await kitchen.place()
    async with kitchen.simulator() as simulator:
        await simulator.start(order_id, WorkflowOptions())
        kitchen.store.gate.clear()
        async with asyncio.timeout(BOUND_S):
            await kitchen.store.on_the_way.wait()
        await simulator.stop(order_id)
        await simulator.start(order_id, WorkflowOptions())
        kitchen.store.gate.set()
        await kitchen.until(order_id, "delivered")
        assert simulator.running == 0
    assert kitchen.diary[order_id] == [(status, on_schedule((minutes + 3) * MINUTE_S)) for status, minutes in WAY]


async def test_a_start_is_refused_when_it_makes_no_sense(kitchen: Kitchen) -> None:
    order_id, ended_id = await kitchen.place(), await kitchen.place()
    await kitchen.change(ChangeStatus(ended_id, Status.CANCELLED, "cook"))
    async with kitchen.simulator() as simulator:
        await simulator.start(order_id, WorkflowOptions())
        with pytest.raises(SimulationRunning):
            await simulator.start(order_id, WorkflowOptions())
        with pytest.raises(OrderEnded):
            await simulator.start(ended_id, WorkflowOptions())
        with pytest.raises(OrderNotFound):
            await simulator.start(404, WorkflowOptions())
        with pytest.raises(OrderNotFound):
            await simulator.stop(404)
        assert simulator.running == 1


async def test_a_wall_clock_put_forward_is_noticed_within_a_minute(kitchen: Kitchen, clock: Any) -> None:
    order_id = await kitchen.place()
    async with kitchen.simulator() as simulator:
        await simulator.start(order_id, WorkflowOptions())
        await kitchen.pass_time(1)
        clock.jump_ms += 10 * MINUTE_S * 1000
        await kitchen.until(order_id, "preparing")
    ((_, at_s),) = kitchen.diary[order_id]
    assert at_s <= 1 + MAX_SLEEP_S


async def test_a_wall_clock_put_back_delays_the_steps_and_loses_none(kitchen: Kitchen, clock: Any) -> None:
    order_id = await kitchen.place()
    async with kitchen.simulator() as simulator:
        await simulator.start(order_id, WorkflowOptions())
        await kitchen.pass_time(1)
        clock.jump_ms -= 10 * MINUTE_S * 1000
        await kitchen.until(order_id, "delivered")
    assert kitchen.diary[order_id] == [(status, on_schedule((minutes + 10) * MINUTE_S)) for status, minutes in WAY]


@pytest.mark.parametrize("failure", [StoreUnavailable(retry_after_s=5), RuntimeError("unexpected")])
async def test_a_store_that_fails_for_a_while_only_delays_the_steps(kitchen: Kitchen, failure: Exception) -> None:
    order_id = await kitchen.place()
    async with kitchen.simulator() as simulator:
        await simulator.start(order_id, WorkflowOptions())
        kitchen.store.failure = failure
        kitchen.store.failures = 30
        await kitchen.until(order_id, "delivered")
        assert kitchen.store.asked == 34
    first, *others = WAY
    assert kitchen.diary[order_id][0] == (first[0], on_schedule(first[1] * MINUTE_S + 30))
    assert kitchen.diary[order_id][1:] == [(status, on_schedule(minutes * MINUTE_S)) for status, minutes in others]


async def test_a_simulation_stopped_under_overload_stays_stopped(kitchen: Kitchen) -> None:
    order_id = await kitchen.place()
    async with kitchen.simulator() as simulator:
        await simulator.start(order_id, WorkflowOptions())
        kitchen.store.failures = 3
        await kitchen.pass_time(3 * MINUTE_S + 1.5)
        assert kitchen.store.failures == 1
        await simulator.stop(order_id)
        await kitchen.pass_time(60 * MINUTE_S)
    assert kitchen.diary[order_id] == []


async def test_a_refused_step_ends_its_simulation_only(kitchen: Kitchen) -> None:
    full_id, order_id = await kitchen.place(), await kitchen.place()
    for n in range(MAX_EVENTS - 1):
        await kitchen.change(AssignCourier(full_id, f"d{n}", "shop"))
    kitchen.diary[full_id].clear()
    async with kitchen.simulator() as simulator:
        await simulator.start(full_id, WorkflowOptions())
        await simulator.start(order_id, WorkflowOptions())
        await kitchen.until(order_id, "preparing")
        await kitchen.pass_time(1)
        assert simulator.running == 1
        assert list(await kitchen.memory.simulations()) == [order_id]
        await kitchen.until(order_id, "delivered")
    assert kitchen.diary[full_id] == []


async def test_closing_ends_the_driver_at_each_wait(kitchen: Kitchen) -> None:
    await Simulator(kitchen.store, kitchen.clock).close()
    async with kitchen.simulator():
        await kitchen.pass_time(1)
    order_id = await kitchen.place()
    async with kitchen.simulator() as simulator:
        await simulator.start(order_id, WorkflowOptions())
        kitchen.store.failures = 1_000
        await kitchen.pass_time(4 * MINUTE_S)
    assert kitchen.diary[order_id] == []


async def test_a_simulation_that_a_change_ended_is_not_running(kitchen: Kitchen) -> None:
    order_id = await kitchen.place()
    async with kitchen.simulator() as simulator:
        await simulator.start(order_id, WorkflowOptions())
        await kitchen.pass_time(3 * MINUTE_S + 1)
        assert simulator.running == 1, "its own steps do not end it"
        await kitchen.change(AssignCourier(order_id, "7", "kitchen"))
        assert simulator.running == 1, "a courier does not end it"
        await kitchen.change(ChangeStatus(order_id, Status.READY, "kitchen"))
        assert simulator.running == 0


async def test_a_start_that_races_another_change_leaves_no_false_count(kitchen: Kitchen) -> None:
    """The start's own caller is told last, when another change has ended the simulation already."""
    order_id = await kitchen.place()
    start = kitchen.memory.start_simulation

    async def started(*arguments: Any) -> tuple[Step, ...]:
        steps = await start(*arguments)
        await kitchen.change(ChangeStatus(order_id, Status.READY, "kitchen"))
        return steps

    kitchen.store.start_simulation = started  # type: ignore[attr-defined]
    async with kitchen.simulator() as simulator:
        await simulator.start(order_id, WorkflowOptions())
        assert simulator.running == len(await kitchen.memory.simulations()) == 0


async def test_a_stop_that_races_a_new_start_leaves_the_new_one(kitchen: Kitchen) -> None:
    order_id = await kitchen.place()
    stop = kitchen.memory.stop_simulation

    async def stopped(order_id: int) -> tuple[Step, ...]:
        steps = await stop(order_id)
        await kitchen.memory.start_simulation(order_id, WorkflowOptions(), kitchen.clock.now_ms())
        return steps

    kitchen.store.stop_simulation = stopped  # type: ignore[attr-defined]
    async with kitchen.simulator() as simulator:
        await simulator.start(order_id, WorkflowOptions())
        await simulator.stop(order_id)
        assert simulator.running == 1
        await kitchen.until(order_id, "delivered")


async def test_simulations_that_are_over_take_no_room(kitchen: Kitchen) -> None:
    running_id, order_id = await kitchen.place(), await kitchen.place()
    async with kitchen.simulator() as simulator:
        await simulator.start(running_id, WorkflowOptions())
        for _ in range(3 * MAX_STALE_ENTRIES):
            await simulator.start(order_id, WorkflowOptions(speed=0.1))
            await simulator.stop(order_id)
        assert len(simulator._heap) <= MAX_STALE_ENTRIES + 2
        assert simulator.running == 1
        await kitchen.until(running_id, "delivered")
    assert [status for status, _ in kitchen.diary[running_id]] == [status for status, _ in WAY]


async def test_more_steps_than_go_into_a_commit_are_all_taken(kitchen: Kitchen) -> None:
    ids = [await kitchen.place() for _ in range(MAX_STEPS_AT_ONCE + 1)]
    async with kitchen.simulator() as simulator:
        for order_id in ids:
            await simulator.start(order_id, WorkflowOptions())
        await kitchen.pass_time(40 * MINUTE_S)
        assert simulator.running == 0
    assert (await kitchen.memory.orders_by_status())[Status.DELIVERED] == len(ids)


class FailingOnce:
    """A shared store of which the first look for overdue steps fails."""

    def __init__(self) -> None:
        self.failures: list[Exception] = [KeyError("a fault")]
        self.looked = asyncio.Event()

    async def overdue(self, late_ms: int, limit: int) -> dict[int, tuple[Step, ...]]:
        if self.failures:
            raise self.failures.pop()
        self.looked.set()
        return {}


async def test_a_fault_does_not_end_the_look_for_overdue_steps(clock: Clock) -> None:
    shared = FailingOnce()
    simulator = Simulator(MemoryStore("a1b2", clock), clock, cast(SharedStore, shared))
    await simulator.open()
    async with asyncio.timeout(BOUND_S):
        await shared.looked.wait()
    await simulator.close()
