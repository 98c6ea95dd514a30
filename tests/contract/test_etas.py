"""Expected arrivals: windows in events (clause 26), and the orders whose window has to be checked (clause 25)."""

from __future__ import annotations

import asyncio

import pytest

from contract.harness import ETA_RULES, NOW_MS, apply_one, assign, create_order, set_status
from ordertrack.core.errors import OrdertrackError
from ordertrack.core.order_rules import MoveEta
from ordertrack.core.window import Window
from ordertrack.ports.commits import Applied
from ordertrack.ports.store import Store

pytestmark = pytest.mark.anyio

MINUTE_MS = 60_000
LATER_MS = NOW_MS + 60 * MINUTE_MS


async def _due(store: Store, now_ms: int, limit: int) -> list[list[int]]:
    """Return the ids that are due, page by page."""
    pages: list[list[int]] = []
    after_id: int | None = 0
    while after_id is not None:
        page = await store.etas_to_check(now_ms, after_id, limit)
        pages.append([order.id for order in page.due])
        after_id = page.last_id
    return pages


async def test_events_have_the_window_of_the_rules(store: Store) -> None:
    """Clause 26."""
    order = await create_order(store)
    assert order.eta == ETA_RULES.promise("r1", NOW_MS)
    ready = await apply_one(store, set_status(order, "ready"), NOW_MS + MINUTE_MS)
    estimated = ETA_RULES.estimator.window("r1", ready.status, NOW_MS + MINUTE_MS, NOW_MS + MINUTE_MS)
    assert ready.eta is not None
    assert ready.eta.window == estimated
    assert ready.promised == order.promised
    assert (await apply_one(store, assign(order, "d1"))).eta == ready.eta
    arrived_ms = NOW_MS + 2 * MINUTE_MS
    delivered = await apply_one(store, set_status(order, "delivered"), arrived_ms)
    assert delivered.eta is not None
    assert (delivered.eta.window, delivered.eta.late) == (Window(arrived_ms, arrived_ms), False)
    assert await store.order(order.id) == delivered


async def test_requests_at_once_move_a_window_once(store: Store) -> None:
    """Clause 26."""
    order = await create_order(store)
    requests = [store.apply([MoveEta(order.id)], LATER_MS) for _ in range(5)]
    results = [result for (result,) in await asyncio.gather(*requests)]
    assert sum(isinstance(result, Applied) and result.event is not None for result in results) == 1
    assert [event.type for event in (await store.order(order.id)).timeline] == ["created", "eta_changed"]
    assert await apply_one(store, MoveEta(order.id), LATER_MS + MINUTE_MS) == await store.order(order.id)


async def test_pages_have_all_orders_to_check(store: Store) -> None:
    """Clause 25."""
    orders = [await create_order(store) for _ in range(6)]
    ids = [order.id for order in orders]
    await apply_one(store, set_status(orders[1], "delivered"))
    await apply_one(store, set_status(orders[2], "cancelled"))
    await apply_one(store, MoveEta(ids[3]), LATER_MS)
    await apply_one(store, assign(orders[4], "d1"))
    due = [ids[0], ids[4], ids[5]]
    assert [id_ for page in await _due(store, LATER_MS, 100) for id_ in page] == due
    assert await _due(store, LATER_MS, 2) == [[ids[0]], due[1:], []]
    assert [id_ for page in await _due(store, NOW_MS + MINUTE_MS, 100) for id_ in page] == []


async def test_an_unknown_order_has_no_window_to_move(store: Store) -> None:
    """Clause 26."""
    (result,) = await store.apply([MoveEta(99)], NOW_MS)
    assert isinstance(result, OrdertrackError)
