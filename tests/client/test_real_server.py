"""Both clients against the real server, in a separate process."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from client.servers import WAIT_S, RealServer, real_server
from ordertrack.client import (
    AsyncOrdertrackClient,
    Conflict,
    Connection,
    InvalidRequest,
    Item,
    NotFound,
    Order,
    OrdertrackClient,
    Pace,
    Status,
    StatusUpdate,
    Update,
)

QUICK_RETRIES = Pace(backoff_base_s=0.05, backoff_cap_s=0.05, drain_spread_s=0.0)


@pytest.fixture
def order(client: OrdertrackClient) -> Order:
    return client.create(customer_id=1, restaurant_id=2, items=[Item("Margherita", 2)], total=23.5, currency="EUR")


def deliver(client: OrdertrackClient, order: Order) -> None:
    for status in (Status.PREPARING, Status.READY, Status.PICKED_UP, Status.DELIVERED):
        client.set_status(order.id, status)


async def until(updates: AsyncIterator[Update], status: str) -> Update:
    async with asyncio.timeout(WAIT_S):
        async for update in updates:
            if update.order.status == status:
                return update
    raise AssertionError(f"the order never became {status}")


def test_created_order_can_be_read(client: OrdertrackClient, order: Order) -> None:
    assert order == client.order(order.id)
    assert (order.status, order.version, order.items) == ("confirmed", 1, (Item("Margherita", 2),))
    assert [event.type for event in order.timeline] == ["created"]
    assert order.id in [each.id for each in client.all_orders(restaurant_id="2", status=["confirmed", "ready"])]
    assert client.orders(limit=1).next_cursor is not None


def test_a_creation_with_the_same_key_is_the_same_order(client: OrdertrackClient) -> None:
    first = client.create(customer_id=1, restaurant_id=2, idempotency_key="cart-7")
    assert client.create(customer_id=1, restaurant_id=2, idempotency_key="cart-7") == first
    with pytest.raises(Conflict) as raised:
        client.create(customer_id=3, restaurant_id=2, idempotency_key="cart-7")
    assert raised.value.code == "idempotency_key_reused"


def test_status_is_set_repeated_refused_and_undone(client: OrdertrackClient, order: Order) -> None:
    earlier = datetime.now(UTC) - timedelta(minutes=5)
    first = client.set_status(order.id, Status.READY, occurred_at=earlier, reason="fast", expected_version=1)
    assert (first.changed, first.order.version, first.order.timeline[-1].skipped) == (True, 2, ("preparing",))
    assert abs(first.order.timeline[-1].at - earlier) < timedelta(milliseconds=2)
    assert not client.set_status(order.id, Status.READY).changed
    with pytest.raises(Conflict) as raised:
        client.set_status(order.id, Status.CONFIRMED)
    assert raised.value.problem["legal_next"] == ["picked_up", "delivered", "cancelled"]
    assert client.set_status(order.id, Status.CONFIRMED, undo=True).order.timeline[-1].type == "reverted"
    assert [event.version for event in client.events(order.id, after=1).events] == [2, 3]


def test_many_statuses_are_set_at_once_and_each_has_its_result(client: OrdertrackClient, order: Order) -> None:
    results = client.set_statuses([StatusUpdate(order.id, "ready"), StatusUpdate(order.id, "preparing"),
                                   StatusUpdate(987654, "ready")])  # fmt: skip
    assert [(each.success, each.error) for each in results] == [
        (True, None), (False, "illegal_transition"), (False, "order_not_found")
    ]  # fmt: skip
    assert results[1].current_status == "ready"


def test_a_courier_is_assigned(client: OrdertrackClient, order: Order) -> None:
    assert client.assign_courier(order.id, 7).order.courier_id == "7"
    assert not client.assign_courier(order.id, "7").changed
    assert [each.id for each in client.orders(courier_id=7).orders] == [order.id]


def test_a_simulation_is_started_and_stopped(client: OrdertrackClient, order: Order) -> None:
    steps = client.simulate(order.id, timings={"confirmed": 100, "preparing": 100}, cancel_at="preparing")
    assert [step.status for step in steps] == ["preparing", "cancelled"]
    assert steps[1].at - steps[0].at == timedelta(seconds=100)
    with pytest.raises(Conflict):
        client.simulate(order.id)
    assert client.stop_simulation(order.id) == steps
    with pytest.raises(NotFound):
        client.stop_simulation(order.id)


def test_figures_are_there(client: OrdertrackClient, order: Order) -> None:
    figures = client.stats()
    assert figures.orders_by_status["confirmed"] >= 1
    assert (figures.lost_wakeups_total, figures.store) == (0, "sqlite")
    assert figures.uptime_s > 0


def test_errors_have_types(client: OrdertrackClient) -> None:
    with pytest.raises(NotFound, match="no such order"):
        client.order(987654)
    with pytest.raises(NotFound):
        next(client.track(987654))
    with pytest.raises(InvalidRequest) as raised:
        client.create(customer_id="", restaurant_id=1)
    assert raised.value.problem["field"] == "customer_id"


def test_raw_poll_is_held_only_with_a_cursor(client: OrdertrackClient, order: Order) -> None:
    snapshot = client.poll(order.id)
    assert (snapshot.reason, snapshot.has_update) == ("snapshot", True)
    assert client.poll(order.id, cursor=snapshot.cursor, timeout_s=0).reason == "timeout"


def test_the_blocking_client_follows_an_order_to_its_end(client: OrdertrackClient, order: Order) -> None:
    updates = client.track(order.id)
    seen = [next(updates)]
    kitchen = threading.Thread(target=deliver, args=(client, order))
    kitchen.start()
    seen += updates
    kitchen.join(WAIT_S)
    assert [event.status for update in seen for event in update.events] == [
        "confirmed", "preparing", "ready", "picked_up", "delivered"
    ]  # fmt: skip
    assert seen[-1].terminal


@pytest.mark.anyio
async def test_one_client_tracks_more_orders_than_a_default_pool(server: RealServer) -> None:
    many = 120
    async with AsyncOrdertrackClient(server.url) as client, asyncio.timeout(2 * WAIT_S):
        orders = [await client.create(customer_id=5, restaurant_id=5) for _ in range(many)]
        following = 0
        all_follow = asyncio.Event()

        async def follow(order_id: int) -> str:
            nonlocal following
            status = ""
            async for update in client.track(order_id):
                following += update.reason == "snapshot"
                if following == many:
                    all_follow.set()
                status = update.order.status
            return status

        tasks = [asyncio.create_task(follow(order.id)) for order in orders]
        await all_follow.wait()
        await client.set_statuses([StatusUpdate(order.id, "delivered") for order in orders])
        assert await asyncio.gather(*tasks) == ["delivered"] * many


@pytest.mark.anyio
async def test_cancelling_the_task_ends_the_poll(server: RealServer) -> None:
    async with AsyncOrdertrackClient(server.url) as client, asyncio.timeout(WAIT_S):
        order = await client.create(customer_id=1, restaurant_id=1)
        greeted = asyncio.Event()

        async def follow() -> None:
            async for _ in client.track(order.id):
                greeted.set()

        task = asyncio.create_task(follow())
        await greeted.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


@pytest.mark.anyio
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL], ids=["stopped", "killed"])
async def test_tracking_survives_a_restart_of_the_server_without_a_gap(tmp_path: Path, how: signal.Signals) -> None:
    with real_server(tmp_path) as server:
        lines: list[Connection] = []
        async with AsyncOrdertrackClient(server.url) as client:
            updates = client.track(101, on_connection=lines.append, pace=QUICK_RETRIES)
            async with aclosing(updates):
                await until(updates, "confirmed")
                waiting = asyncio.create_task(until(updates, "preparing"))
                await asyncio.to_thread(server.stop, how)
                await asyncio.to_thread(server.start)
                await client.set_status(101, Status.PREPARING)
                update = await waiting
                assert (update.reset, [event.version for event in update.events]) == (False, [2])
                if how is signal.SIGKILL:
                    assert [line.online for line in lines][-1:] == [True]
                await client.set_status(101, Status.DELIVERED)
                await until(updates, "delivered")
