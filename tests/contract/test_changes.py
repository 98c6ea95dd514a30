"""Changes: durable, atomic and versioned (clauses 1 to 3), the epoch (9) and the queue (10)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from contract.harness import (
    BOUND_S,
    CUSTOMER,
    NOW_MS,
    RESTAURANT,
    Listener,
    apply_one,
    apply_refused,
    assign,
    courier,
    create_order,
    set_status,
)
from ordertrack.core.errors import (
    IllegalTransition,
    OrderEnded,
    OrderNotFound,
    ReferenceTaken,
    SimulationNotRunning,
    SimulationRunning,
    VersionConflict,
)
from ordertrack.core.event import Status
from ordertrack.core.feed import FeedKey
from ordertrack.core.order import Details, Item
from ordertrack.core.order_rules import AssignCourier, ChangeStatus
from ordertrack.core.simulation import WorkflowOptions
from ordertrack.ports.commits import Applied
from ordertrack.ports.order_store import OrderFilter
from ordertrack.ports.store import Store

pytestmark = pytest.mark.anyio


async def test_reads_return_all_fields_of_a_change(store: Store) -> None:
    """Clause 1. tests/adapters/test_sqlite.py proves that it survives the process."""
    details = Details(items=(Item("Pho", 2, 9.5, "no chilli"), Item("Bánh mì")), total=19, currency="EUR", note="🔔 2×")
    order = await create_order(store, reference="A-1", courier_id="d1", details=details, actor="shop")
    assert order == await store.order(order.id)
    assert order.details == details
    assert (order.version, order.created_at_ms, order.updated_at_ms) == (1, NOW_MS, NOW_MS)
    assert (order.timeline[0].actor, order.timeline[0].courier_id) == ("shop", "d1")
    order = await apply_one(
        store, set_status(order, "picked_up", reason="in a hurry", occurred_at_ms=NOW_MS - 5_000), NOW_MS + 9_000
    )
    assert order == await store.order(order.id)
    assert order.timeline[-1].skipped == ("preparing", "ready")
    assert (order.timeline[-1].at_ms, order.timeline[-1].recorded_at_ms) == (NOW_MS - 5_000, NOW_MS + 9_000)
    order = await apply_one(store, set_status(order, "ready", undo=True))
    assert order.timeline[-1].undoes == 2
    assert [order] == await store.orders(OrderFilter(limit=10))


async def test_events_keep_the_client_address(store: Store) -> None:
    """Clause 1, for the audit trail."""
    order = await create_order(store, origin="203.0.113.9")
    order = await apply_one(store, set_status(order, "preparing", origin="2001:db8::7"))
    order = await apply_one(store, set_status(order, "ready"))
    order = await apply_one(store, AssignCourier(order.id, "d1", "test", origin="198.51.100.1"))
    await create_order(store)  # the cold store forgets the first order
    order = await store.order(order.id)
    assert [event.origin for event in order.timeline] == ["203.0.113.9", "2001:db8::7", None, "198.51.100.1"]
    assert [order] == (await store.orders(OrderFilter(limit=1, before_id=2)))


async def test_close_commits_accepted_changes(store: Store, listener: Listener) -> None:
    """Clause 1, and `close`."""
    orders = [await create_order(store) for _ in range(20)]
    async with asyncio.timeout(BOUND_S), asyncio.TaskGroup() as tasks:
        pending = [tasks.create_task(apply_one(store, set_status(order, "preparing"))) for order in orders]
        await asyncio.sleep(0)  # each of them has begun
        tasks.create_task(store.close())
    assert [task.result().status for task in pending] == ["preparing"] * len(orders)
    assert set(listener.announced.values()) == {2}


async def test_a_batch_has_one_commit_and_a_result_per_change(store: Store, listener: Listener) -> None:
    """Clause 2."""
    one, two = await create_order(store), await create_order(store)
    listener.calls.clear()
    results = await store.apply(
        [
            set_status(one, "preparing"),
            set_status(999, "preparing"),
            set_status(two, "confirmed"),
            set_status(two, "ready"),
            set_status(two, "preparing"),
            set_status(one, "ready", expected_version=1),
            set_status(one, "delivered", expected_version=2),
            assign(one, "d1"),
        ],
        NOW_MS,
    )
    kinds = [result.order.version if isinstance(result, Applied) else type(result) for result in results]
    assert kinds == [2, OrderNotFound, 1, 2, IllegalTransition, VersionConflict, 3, OrderEnded]
    assert [result.event is None for result in results if isinstance(result, Applied)] == [False, True, False, False]
    assert len(listener.calls) == 1
    assert (await store.order(one.id)).status == "delivered"
    assert (await store.order(two.id)).status == "ready"


async def test_a_change_builds_on_earlier_ones_of_its_batch(store: Store, listener: Listener) -> None:
    """Clause 2."""
    order, other = await create_order(store), await create_order(store)
    listener.calls.clear()
    results = await store.apply(
        [
            set_status(order, "preparing"),
            set_status(other, "preparing"),
            assign(order, "d1"),
            set_status(order, "ready", expected_version=3),
            set_status(order, "ready"),
            assign(order, "d2"),
        ],
        NOW_MS,
    )
    assert [result.order.version for result in results if isinstance(result, Applied)] == [2, 2, 3, 4, 4, 5]
    assert {(c.order.id, c.order.version) for c in listener.commits} == {(order.id, 5), (other.id, 2)}
    assert await store.order(order.id) == results[-1].order  # type: ignore[union-attr]


async def read_all(store: Store, order_ids: Sequence[int], feeds: Sequence[FeedKey]) -> list[Any]:
    """Return all reads of these orders and feeds."""
    return [
        [await store.order(order_id) for order_id in order_ids],
        await store.orders(OrderFilter(limit=100)),
        [await store.feed_changes(feed, after) for feed in feeds for after in (None, 0)],
        await store.orders_by_status(),
        await store.simulations(),
    ]


async def test_a_refused_change_leaves_no_trace(store: Store, listener: Listener) -> None:
    """Clause 2."""
    order = await create_order(store, reference="A-1", courier_id="d1")
    ended = await apply_one(store, set_status(await create_order(store), "cancelled"))
    await store.start_simulation(order.id, WorkflowOptions(), NOW_MS)
    seen = [[order.id, ended.id], [CUSTOMER, RESTAURANT, courier("d1"), courier("d2")]]
    before = await read_all(store, *seen)
    listener.calls.clear()
    assert isinstance(await apply_refused(store, set_status(ended, "preparing")), IllegalTransition)
    assert isinstance(await apply_refused(store, set_status(order, "preparing", expected_version=7)), VersionConflict)
    assert isinstance(await apply_refused(store, assign(ended, "d2")), OrderEnded)
    assert isinstance(
        await apply_refused(store, set_status(order, "preparing", simulated=(3, 0))), SimulationNotRunning
    )
    with pytest.raises(ReferenceTaken):
        await create_order(store, reference="A-1")
    with pytest.raises(SimulationRunning):
        await store.start_simulation(order.id, WorkflowOptions(), NOW_MS)
    assert await read_all(store, *seen) == before
    assert listener.calls == []


async def test_a_batch_without_changes_announces_nothing(store: Store, listener: Listener) -> None:
    """Clauses 2 and 5."""
    order = await create_order(store)
    listener.calls.clear()
    assert await store.apply([], NOW_MS) == []
    assert await store.apply([set_status(order, "confirmed")], NOW_MS) == [Applied(order, None)]
    assert listener.calls == []
    assert (await store.feed_changes(CUSTOMER, None)).version == 1


async def test_versions_and_times_increase_without_the_clock(store: Store) -> None:
    """Clause 3."""
    order = await create_order(store)
    for n, change in enumerate(
        [set_status(order, "preparing"), assign(order, "d1"), set_status(order, "ready")], start=1
    ):
        order = await apply_one(store, change, NOW_MS - 1_000 * n)
    order = (await store.apply([assign(order, "d2"), set_status(order, "picked_up")], NOW_MS))[-1].order  # type: ignore[union-attr]
    assert [event.version for event in order.timeline] == [1, 2, 3, 4, 5, 6]
    assert [event.recorded_at_ms - NOW_MS for event in order.timeline] == [0, 1, 2, 3, 4, 5]
    assert order.updated_at_ms == NOW_MS + 5


async def test_concurrent_changes_of_one_order_share_no_version(store: Store) -> None:
    """Clause 3."""
    order = await create_order(store)
    async with asyncio.timeout(BOUND_S):
        orders = await asyncio.gather(*(apply_one(store, assign(order, f"d{n}")) for n in range(100)))
    assert sorted(o.version for o in orders) == list(range(2, 102))
    assert [event.version for event in (await store.order(order.id)).timeline] == list(range(1, 102))


async def test_one_of_concurrent_conditional_changes_succeeds(store: Store) -> None:
    """Clauses 2 and 3."""
    order = await create_order(store)
    changes = [ChangeStatus(order.id, s, "test", expected_version=1) for s in (Status.PREPARING, Status.READY) * 5]
    async with asyncio.timeout(BOUND_S):
        results = await asyncio.gather(*(store.apply([change], NOW_MS) for change in changes))
    events = [result.event for (result,) in results if isinstance(result, Applied) and result.event is not None]
    assert len(events) == 1
    assert (await store.order(order.id)).version == 2


async def test_the_epoch_fits_a_cursor_and_stays(store: Store) -> None:
    """Clause 9."""
    epoch = store.epoch
    assert 1 <= len(epoch) <= 32
    assert epoch == "".join(c for c in epoch if c in "0123456789abcdefghijklmnopqrstuvwxyz")
    await apply_one(store, set_status(await create_order(store), "preparing"))
    assert store.epoch == epoch


async def test_nothing_waits_after_the_last_result(store: Store) -> None:
    """Clause 10: StoreBusy depends on `waiting`."""
    order = await create_order(store)
    async with asyncio.timeout(BOUND_S):
        await asyncio.gather(*(store.apply([assign(order, f"d{n}")], NOW_MS) for n in range(50)))
    assert store.waiting == 0
