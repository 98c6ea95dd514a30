"""Simulations: steps (clause 8) and their announcements (clause 17)."""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress

import pytest

from contract.harness import NOW_MS, Listener, apply_one, apply_refused, assign, create_order, set_status, step_change
from ordertrack.core.errors import (
    InvalidInput,
    OrderEnded,
    OrdertrackError,
    SimulationNotRunning,
    SimulationRunning,
)
from ordertrack.core.event import Status
from ordertrack.core.order_rules import AssignCourier, ChangeStatus
from ordertrack.core.simulation import Step, WorkflowOptions
from ordertrack.ports.commits import Applied
from ordertrack.ports.store import Store

pytestmark = pytest.mark.anyio


async def test_a_simulation_is_kept_until_its_last_step(store: Store) -> None:
    """Clause 8."""
    order = await create_order(store)
    steps = await store.start_simulation(order.id, WorkflowOptions(cancel_at=Status.READY), NOW_MS)
    assert [step.status for step in steps] == ["preparing", "ready", "cancelled"]
    for n, step in enumerate(steps):
        assert await store.simulations() == {order.id: steps[n:]}
        assert (await apply_one(store, step_change(step))).status == step.status
    assert await store.simulations() == {}
    assert (await store.order(order.id)).cancellation is not None


async def test_one_order_has_one_simulation(store: Store) -> None:
    """Clause 8."""
    order, other = await create_order(store), await create_order(store)
    steps = await store.start_simulation(order.id, WorkflowOptions(), NOW_MS)
    with pytest.raises(SimulationRunning) as running:
        await store.start_simulation(order.id, WorkflowOptions(), NOW_MS)
    assert running.value.order == order
    other_steps = await store.start_simulation(other.id, WorkflowOptions(speed=2), NOW_MS)
    assert await store.simulations() == {order.id: steps, other.id: other_steps}


async def test_a_stop_returns_the_cancelled_steps(store: Store) -> None:
    """Clause 8."""
    order = await create_order(store)
    steps = await store.start_simulation(order.id, WorkflowOptions(), NOW_MS)
    await apply_one(store, step_change(steps[0]))
    assert await store.stop_simulation(order.id) == steps[1:]
    assert await store.simulations() == {}
    with pytest.raises(SimulationNotRunning) as stopped:
        await store.stop_simulation(order.id)
    assert stopped.value.order_id == order.id
    assert isinstance(await apply_refused(store, step_change(steps[1])), SimulationNotRunning)
    again = await store.start_simulation(order.id, WorkflowOptions(), NOW_MS + 1)
    assert [step.status for step in again] == ["ready", "picked_up", "delivered"]
    assert await store.simulations() == {order.id: again}


@pytest.mark.parametrize("status", ["preparing", "cancelled"])
async def test_another_status_ends_the_simulation(store: Store, status: str) -> None:
    """Clause 8."""
    order = await create_order(store)
    steps = await store.start_simulation(order.id, WorkflowOptions(), NOW_MS)
    results = await store.apply([set_status(order, status), step_change(steps[0])], NOW_MS)
    assert isinstance(results[1], SimulationNotRunning)
    assert await store.simulations() == {}
    assert (await store.order(order.id)).status == status


async def test_an_assignment_does_not_end_a_simulation(store: Store) -> None:
    """Clause 8."""
    order = await create_order(store)
    steps = await store.start_simulation(order.id, WorkflowOptions(), NOW_MS)
    await store.apply([assign(order, "d1"), set_status(order, "confirmed")], NOW_MS)
    assert await store.simulations() == {order.id: steps}


async def test_a_step_that_is_not_the_next_is_refused(store: Store) -> None:
    """Clause 8."""
    order = await create_order(store)
    earlier = await store.start_simulation(order.id, WorkflowOptions(), NOW_MS)
    assert isinstance(await apply_refused(store, step_change(earlier[1])), SimulationNotRunning)
    await store.stop_simulation(order.id)
    steps = await store.start_simulation(order.id, WorkflowOptions(), NOW_MS + 60_000)
    assert isinstance(await apply_refused(store, step_change(earlier[0])), SimulationNotRunning)
    assert await store.simulations() == {order.id: steps}
    assert await store.order(order.id) == order


async def test_an_order_past_its_simulation_starts_none(store: Store) -> None:
    """Clause 8, and what `core.simulation.plan_steps` raises."""
    order = await apply_one(store, set_status(await create_order(store), "ready"))
    with pytest.raises(InvalidInput):
        await store.start_simulation(order.id, WorkflowOptions(cancel_at=Status.PREPARING), NOW_MS)
    await apply_one(store, set_status(order, "delivered"))
    with pytest.raises(OrderEnded):
        await store.start_simulation(order.id, WorkflowOptions(), NOW_MS)
    assert await store.simulations() == {}


async def test_a_batch_takes_several_steps(store: Store) -> None:
    """Clauses 2 and 8."""
    order = await create_order(store)
    steps = await store.start_simulation(order.id, WorkflowOptions(), NOW_MS)
    results = await store.apply([step_change(step) for step in steps[:3]], NOW_MS)
    assert [result.order.status for result in results if isinstance(result, Applied)] == [
        "preparing",
        "ready",
        "picked_up",
    ]
    assert await store.simulations() == {order.id: steps[3:]}


async def test_steps_are_announced_with_each_commit(store: Store, listener: Listener) -> None:
    """Clause 17: of a start, a step, a stop, and an end by another change; not of a courier."""
    announced: list[tuple[int, tuple[Step, ...]]] = []
    await store.close()
    await store.open(listener, simulations=lambda order_id, steps: announced.append((order_id, steps)))
    order = await create_order(store)
    steps = await store.start_simulation(order.id, WorkflowOptions(), NOW_MS)
    assert announced == [(order.id, steps)]
    simulated = ChangeStatus(order.id, steps[0].status, "simulator", simulated=(steps[0].seq, steps[0].due_at_ms))
    await store.apply([simulated, AssignCourier(order.id, "d1", "test")], NOW_MS)
    assert announced[1:] == [(order.id, steps[1:])]
    assert await store.stop_simulation(order.id) == steps[1:]
    assert announced[2:] == [(order.id, ())]
    again = await store.start_simulation(order.id, WorkflowOptions(), NOW_MS)
    await store.apply([set_status(order, "ready")], NOW_MS)
    assert announced[3:] == [(order.id, again), (order.id, ())]


async def test_announced_steps_equal_the_stored_ones_in_a_race(store: Store, listener: Listener) -> None:
    """Clause 17."""
    announced: dict[int, tuple[Step, ...]] = {}
    await store.close()
    await store.open(listener, simulations=announced.__setitem__)
    ids = [(await create_order(store)).id for _ in range(5)]
    dice = random.Random(7)

    async def change_at_random(order_id: int) -> None:
        for _ in range(20):
            match dice.randrange(4):
                case 0:
                    await store.start_simulation(order_id, WorkflowOptions(), NOW_MS)
                case 1:
                    await store.stop_simulation(order_id)
                case 2:
                    await store.apply(
                        [set_status(order_id, "preparing"), set_status(order_id, "confirmed", undo=True)], NOW_MS
                    )
                case 3 if steps := announced.get(order_id):
                    step = steps[0]
                    change = ChangeStatus(order_id, step.status, "x", simulated=(step.seq, step.due_at_ms))
                    await store.apply([change], NOW_MS)

    async def change_until_refused(order_id: int) -> None:
        with suppress(OrdertrackError):
            await change_at_random(order_id)

    await asyncio.gather(*(change_until_refused(order_id) for order_id in ids for _ in range(20)))
    assert {order_id: steps for order_id, steps in announced.items() if steps} == await store.simulations()
