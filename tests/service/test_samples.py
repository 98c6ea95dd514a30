"""The orders an empty store starts with."""

from __future__ import annotations

from typing import Any

import pytest

from ordertrack.adapters.memory.store import MemoryStore
from ordertrack.core.order import NewOrder
from ordertrack.ports.order_store import OrderFilter
from ordertrack.service.samples import load_samples

pytestmark = pytest.mark.anyio


async def test_an_empty_store_gets_three_orders_under_way(clock: Any) -> None:
    store = MemoryStore("a1b2", clock)
    assert await load_samples(store, clock) is True
    orders = [await store.order(order_id) for order_id in (101, 102, 103)]
    assert [(order.status, order.version) for order in orders] == [("confirmed", 1), ("preparing", 2), ("ready", 3)]
    for order in orders:
        assert order.updated_at_ms == clock.now_ms()
        assert order.details.items
        assert [event.version for event in order.timeline] == list(range(1, order.version + 1))
    assert (await store.create(NewOrder("c1", "r1"), clock.now_ms())).order.id == 104


async def test_a_store_that_has_an_order_gets_none(clock: Any) -> None:
    store = MemoryStore("a1b2", clock)
    order = (await store.create(NewOrder("c1", "r1"), clock.now_ms())).order
    assert await load_samples(store, clock) is False
    assert await store.orders(OrderFilter(limit=10)) == [order]


async def test_loading_twice_loads_once(clock: Any) -> None:
    store = MemoryStore("a1b2", clock)
    assert [await load_samples(store, clock), await load_samples(store, clock)] == [True, False]
    assert len(await store.orders(OrderFilter(limit=10))) == 3
