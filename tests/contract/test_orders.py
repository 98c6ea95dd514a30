"""Orders read, listed and counted (clause 6), and created once (clauses 2 and 7)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from contract.harness import (
    BOUND_S,
    CUSTOMER,
    NOW_MS,
    Listener,
    apply_one,
    apply_refused,
    assign,
    courier,
    create_order,
    new_order,
    set_status,
)
from ordertrack.core.errors import (
    IdempotencyKeyReused,
    OrderNotFound,
    ReferenceTaken,
)
from ordertrack.core.event import Status
from ordertrack.core.feed import FeedChanges, FeedKey, FeedKind
from ordertrack.core.order import Order, evolve
from ordertrack.core.order_rules import AssignCourier
from ordertrack.core.simulation import WorkflowOptions
from ordertrack.ports.commits import IDEMPOTENCY_KEPT_MS, Idempotency
from ordertrack.ports.order_store import History, OrderFilter
from ordertrack.ports.store import Store

pytestmark = pytest.mark.anyio


async def test_a_read_order_is_immutable(store: Store) -> None:
    """Clause 6."""
    order = await create_order(store)
    read = await store.order(order.id)
    now = await apply_one(store, set_status(order, "preparing"))
    assert (read.version, read.status, len(read.timeline)) == (1, "confirmed", 1)
    with pytest.raises(AttributeError):
        read.status = Status.READY  # type: ignore[misc]
    assert evolve(read, now.timeline[-1]) == now == await store.order(order.id)


async def test_a_missing_order_is_not_found(store: Store) -> None:
    """Clause 6."""
    for order_id in (0, -1, 999, 2**63 - 1):
        with pytest.raises(OrderNotFound) as missing:
            await store.order(order_id)
        assert missing.value.order_id == order_id
        assert isinstance(await apply_refused(store, set_status(order_id, "preparing")), OrderNotFound)
        with pytest.raises(OrderNotFound):
            await store.start_simulation(order_id, WorkflowOptions(), NOW_MS)
        with pytest.raises(OrderNotFound):
            await store.stop_simulation(order_id)


async def test_lists_are_newest_first_by_page_and_filter(store: Store) -> None:
    """Clause 6."""
    placed_orders = [
        await create_order(
            store,
            customer_id=f"c{n % 2}",
            restaurant_id=f"r{n % 3}",
            courier_id=f"d{n % 2}" if n % 4 else None,
        )
        for n in range(12)
    ]
    for order in placed_orders[:3]:
        await apply_one(store, set_status(order, "preparing"))
    await apply_one(store, set_status(placed_orders[3], "cancelled"))
    orders = [await store.order(order.id) for order in reversed(placed_orders)]

    async def listed(limit: int = 100, **fields: Any) -> list[Order]:
        return await store.orders(OrderFilter(limit=limit, **fields))

    assert await listed() == orders
    assert await listed(5) == orders[:5]
    assert await listed(5, before_id=orders[4].id) == orders[5:10]
    assert await listed(5, before_id=orders[9].id) == orders[10:]
    assert await listed(5, before_id=orders[-1].id) == []
    assert await listed(customer_id="c1") == [o for o in orders if o.customer_id == "c1"]
    assert await listed(restaurant_id="r2") == [o for o in orders if o.restaurant_id == "r2"]
    assert await listed(courier_id="d1") == [o for o in orders if o.courier_id == "d1"]
    assert await listed(customer_id="c1", restaurant_id="r1") == [
        o for o in orders if (o.customer_id, o.restaurant_id) == ("c1", "r1")
    ]
    assert await listed(statuses=(Status.PREPARING,)) == orders[-3:]
    assert await listed(statuses=(Status.PREPARING, Status.CANCELLED)) == orders[-4:]
    assert await listed(2, statuses=(Status.PREPARING,), before_id=orders[-3].id, customer_id="c0") == [orders[-1]]
    assert await listed(statuses=(Status.DELIVERED,)) == await listed(customer_id="unknown") == []


async def test_hostile_ids_are_plain_values(store: Store) -> None:
    """Clause 6."""
    await create_order(store)
    for id_ in ("' OR 1=1 --", '"; DROP TABLE orders; --', ":id", "%", "é\U0001f6b4", "a\nb"):
        order = await create_order(store, customer_id=id_, restaurant_id=id_, courier_id=id_, reference=id_, actor=id_)
        assert await store.order(order.id) == order
        for field in ("customer_id", "restaurant_id", "courier_id"):
            assert await store.orders(OrderFilter(limit=10, **{field: id_})) == [order]
        for kind in (FeedKind.CUSTOMER, FeedKind.RESTAURANT, FeedKind.COURIER):
            assert await store.feed_changes(FeedKey(kind, id_), 0) == FeedChanges(1, (order,), ())


async def test_orders_are_counted_by_status(store: Store) -> None:
    """Clause 6."""
    assert await store.orders_by_status() == dict.fromkeys(Status, 0)
    one, two, _ = [await create_order(store) for _ in range(3)]
    await store.apply([set_status(one, "preparing"), set_status(one, "ready"), set_status(two, "cancelled")], NOW_MS)
    counts = dict.fromkeys(Status, 0) | {Status.CONFIRMED: 1, Status.READY: 1, Status.CANCELLED: 1}
    assert await store.orders_by_status() == counts
    await store.apply(
        [set_status(one, "preparing", undo=True), set_status(one, "ready"), set_status(one, "preparing", undo=True)],
        NOW_MS,
    )
    counts |= {Status.READY: 0, Status.PREPARING: 1}
    assert await store.orders_by_status() == counts


async def test_ids_increase_beyond_loaded_ones(store: Store) -> None:
    """Clause 6."""
    first = await create_order(store)
    await store.load([History(101, new_order(), NOW_MS)])
    following = await create_order(store)
    assert (first.id, (await store.order(101)).version, following.id) == (1, 1, 102)


async def test_a_history_is_loaded_in_one_commit(store: Store, listener: Listener) -> None:
    """Clauses 2 and 5."""
    changes = [(set_status(101, "preparing"), NOW_MS + 1), (AssignCourier(101, "d1", "test"), NOW_MS + 2)]
    await store.load([History(101, new_order(), NOW_MS, changes), History(102, new_order(), NOW_MS)])
    assert [[(order.id, order.version) for order, *_ in call] for call in listener.calls] == [[(101, 3), (102, 1)]]
    assert await store.orders(OrderFilter(limit=5)) == [await store.order(102), await store.order(101)]
    assert (await store.feed_changes(courier("d1"), 0)).orders == (await store.order(101),)
    assert (await store.feed_version(CUSTOMER)) == 4


async def test_a_repeated_key_returns_the_order_as_created(store: Store, listener: Listener) -> None:
    """Clause 7."""
    key = Idempotency("key", "body")
    first = await store.create(new_order(courier_id="d1", reference="A-1"), NOW_MS, idempotency=key)
    assert first.replayed is False
    await store.apply([set_status(first.order, "preparing"), assign(first.order, "d2")], NOW_MS + 1_000)
    listener.calls.clear()
    again = await store.create(new_order(courier_id="d1", reference="A-1"), NOW_MS + 2_000, idempotency=key)
    assert again == (first.order, True)
    assert listener.calls == []
    assert (await store.order(first.order.id)).version == 3
    assert len(await store.orders(OrderFilter(limit=10))) == 1


async def test_a_key_with_another_body_is_refused(store: Store) -> None:
    """Clause 7."""
    await store.create(new_order(), NOW_MS, idempotency=Idempotency("key", "body"))
    with pytest.raises(IdempotencyKeyReused):
        await store.create(new_order(customer_id="c2"), NOW_MS, idempotency=Idempotency("key", "other body"))
    other = await store.create(new_order(), NOW_MS, idempotency=Idempotency("other key", "body"))
    assert (other.order.id, other.replayed) == (2, False)


async def test_concurrent_creations_with_a_key_create_once(store: Store, listener: Listener) -> None:
    """Clause 7."""
    key = Idempotency("key", "body")
    async with asyncio.timeout(BOUND_S):
        answers = await asyncio.gather(*(store.create(new_order(), NOW_MS + n, idempotency=key) for n in range(25)))
    assert sorted(answer.replayed for answer in answers) == [False] + [True] * 24
    assert len({answer.order.created_at_ms for answer in answers}) == 1
    assert listener.announced == {1: 1}


async def test_a_key_is_kept_for_24_hours_and_no_longer(store: Store) -> None:
    """Clause 7."""
    day_ms = 24 * 60 * 60 * 1000
    assert day_ms == IDEMPOTENCY_KEPT_MS
    key = Idempotency("key", "body")
    await store.create(new_order(), NOW_MS, idempotency=key)
    assert (await store.create(new_order(), NOW_MS + day_ms, idempotency=key)).replayed is True
    fresh = await store.create(new_order(), NOW_MS + day_ms + 1, idempotency=Idempotency("key", "another body"))
    assert (fresh.order.id, fresh.replayed) == (2, False)
    with pytest.raises(IdempotencyKeyReused):
        await store.create(new_order(), NOW_MS + day_ms + 2, idempotency=key)


async def test_a_refused_creation_leaves_its_key_unused(store: Store) -> None:
    """Clauses 2 and 7."""
    await create_order(store, reference="A-1")
    key = Idempotency("key", "body")
    with pytest.raises(ReferenceTaken):
        await store.create(new_order(reference="A-1"), NOW_MS, idempotency=key)
    assert (await store.create(new_order(reference="A-2"), NOW_MS, idempotency=key)).replayed is False


async def test_a_reference_is_unique_for_its_restaurant(store: Store) -> None:
    """Clause 2: references are the restaurant's own ids."""
    first = await create_order(store, reference="A-1")
    with pytest.raises(ReferenceTaken) as taken:
        await create_order(store, reference="A-1", customer_id="c2")
    assert (taken.value.reference, taken.value.restaurant_id) == ("A-1", "r1")
    elsewhere = await create_order(store, reference="A-1", restaurant_id="r2")
    assert [first.reference, elsewhere.reference] == ["A-1", "A-1"]
    assert [(await create_order(store)).reference for _ in range(2)] == [None, None]
    assert len(await store.orders(OrderFilter(limit=10))) == 4


async def test_concurrent_creations_with_a_reference_create_once(store: Store) -> None:
    """Clause 2."""
    async with asyncio.timeout(BOUND_S):
        requests = (store.create(new_order(reference="A-1"), NOW_MS) for _ in range(10))
        answers = await asyncio.gather(*requests, return_exceptions=True)
    assert sum(not isinstance(answer, BaseException) for answer in answers) == 1
    assert sum(isinstance(answer, ReferenceTaken) for answer in answers) == 9


async def test_reads_at_the_same_time_have_their_own_results(store: Store) -> None:
    orders = [await create_order(store) for _ in range(3)]
    ids = [order.id for order in orders]
    reads = [asyncio.ensure_future(store.order(order_id)) for order_id in (*ids, 404, *ids)]
    reads[0].cancel()
    outcomes = await asyncio.gather(*reads[1:], return_exceptions=True)
    assert [outcome for outcome in outcomes if isinstance(outcome, Order)] == [*orders[1:], *orders]
    assert isinstance(outcomes[2], OrderNotFound)
