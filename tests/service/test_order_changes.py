"""Changing and reading orders through the service: thin, so little can go wrong, and that little is here."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from ordertrack.adapters.memory.store import MemoryStore
from ordertrack.core.errors import IllegalTransition, OrderNotFound
from ordertrack.core.event import Status
from ordertrack.core.order import Details, NewOrder
from ordertrack.core.order_rules import ChangeStatus
from ordertrack.core.principal import ANYONE
from ordertrack.ports.commits import Applied, Idempotency
from ordertrack.ports.order_store import OrderFilter
from ordertrack.service.orders import Orders, sole

pytestmark = pytest.mark.anyio

NEW = NewOrder("c1", "r1")


@pytest.fixture
async def orders(clock: Any) -> Orders:
    return Orders(MemoryStore("a1b2", clock), clock)


def to(order_id: int, status: str) -> ChangeStatus:
    return ChangeStatus(order_id, Status(status), "test")


async def test_what_is_created_and_changed_bears_the_time_of_the_clock(orders: Orders, clock: Any) -> None:
    created_at_ms = clock.now_ms()
    order = (await orders.create(NEW, ANYONE, None)).order
    await asyncio.sleep(60)
    changed = sole(await orders.change(to(order.id, "preparing")))
    assert (order.created_at_ms, changed.order.updated_at_ms) == (created_at_ms, created_at_ms + 60_000)
    assert changed.event == changed.order.timeline[-1]
    assert await orders.get(order.id, ANYONE) == changed.order
    assert await orders.page(OrderFilter(limit=10), ANYONE) == ([changed.order], False)


async def test_page_of_orders_is_bounded_by_bytes_and_number(orders: Orders) -> None:
    large = NewOrder("c1", "r1", details=Details(note="x" * 300_000))
    ids = [(await orders.create(large, ANYONE, None)).order.id for _ in range(5)][::-1]

    async def listed(limit: int, before_id: int | None = None) -> tuple[list[int], bool]:
        page, more = await orders.page(OrderFilter(limit=limit, before_id=before_id), ANYONE)
        return [order.id for order in page], more

    assert await listed(100) == (ids[:3], True)
    assert await listed(100, ids[2]) == (ids[3:], False)
    assert await listed(2) == (ids[:2], True)


async def test_a_refused_change_raises_what_the_store_says(orders: Orders) -> None:
    order = (await orders.create(NEW, ANYONE, None)).order
    await orders.change(to(order.id, "delivered"))
    with pytest.raises(IllegalTransition):
        sole(await orders.change(to(order.id, "preparing")))
    with pytest.raises(OrderNotFound):
        sole(await orders.change(to(404, "preparing")))
    with pytest.raises(OrderNotFound):
        await orders.get(404, ANYONE)


async def test_each_of_many_changes_has_its_own_result(orders: Orders) -> None:
    order = (await orders.create(NEW, ANYONE, None)).order
    results = await orders.change(to(404, "ready"), to(order.id, "ready"), to(order.id, "confirmed"))
    assert isinstance(results[0], OrderNotFound)
    assert isinstance(results[1], Applied)
    assert isinstance(results[2], IllegalTransition)


async def test_creating_twice_with_one_key_creates_once(orders: Orders) -> None:
    key = Idempotency("key", "body")
    first, again = await orders.create(NEW, ANYONE, key), await orders.create(NEW, ANYONE, key)
    assert (first.replayed, again.replayed, again.order) == (False, True, first.order)


async def test_the_epoch_is_the_stores(orders: Orders) -> None:
    assert orders.epoch == "a1b2"
