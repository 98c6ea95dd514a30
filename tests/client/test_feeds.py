"""Following all orders of a customer, a restaurant or a courier: the requests, and what is delivered."""

from __future__ import annotations

import asyncio
import signal
from contextlib import aclosing
from pathlib import Path

import pytest

from client.drivers import Driver
from client.servers import WAIT_S, answers, real_server, resets, scripted
from client.wire_answers import feed, order
from ordertrack.client import (
    AccessDenied,
    AsyncOrdertrackClient,
    FeedUpdate,
    InvalidRequest,
    OrdertrackClient,
    Pace,
    Status,
)

FIRST = order(1, id=101)
QUICK_RETRIES = Pace(backoff_base_s=0.05, backoff_cap_s=0.05, drain_spread_s=0.0)


def ids(update: FeedUpdate) -> list[int]:
    return [each.id for each in update.orders]


@pytest.mark.parametrize("party", ["customer", "restaurant", "courier"])
def test_feed_is_followed_by_cursor(driver: Driver, party: str) -> None:
    changed = feed(2, "changed", order(2, "delivered", id=101), left=[7])
    with scripted(answers(200, feed(1, "snapshot", FIRST)), answers(200, feed(1, "timeout")),
                  answers(200, changed)) as server:  # fmt: skip
        first, second = driver.take(2, server.url, f"track_{party}", "a/b c")
    assert (ids(first), first.reason, ids(second), second.left) == ([101], "snapshot", [101], (7,))
    assert second.orders[0].ended
    assert {each.path for each in server.requests} == {f"/api/v1/{party}s/a%2Fb%20c/track"}
    asked = [(each.get("cursor"), each.get("timeout")) for each in server.queries]
    assert asked == [(None, None), ("e.1", "0.2"), ("e.1", "0.4")]


def test_an_empty_feed_is_an_update_too(driver: Driver) -> None:
    with scripted(answers(200, feed(0, "snapshot"))) as server:
        (update,) = driver.take(1, server.url, "track_customer", 5)
    assert (update.orders, update.cursor) == ((), "e.0")


def test_pages_follow_at_once_in_both_modes(driver: Driver) -> None:
    pages = [feed(1, "snapshot", FIRST, more=True), feed(2, "changed", order(1, id=102), more=True),
             feed(3, "changed", order(1, id=103))]  # fmt: skip
    for mode in ("live", "saver"):
        with scripted(*(answers(200, page) for page in pages)) as server:
            found = driver.take(3, server.url, "track_restaurant", 2, mode=mode)
        assert [ids(update) for update in found] == [[101], [102], [103]]
    assert driver.slept == []


def test_saver_mode_waits_as_advised(driver: Driver) -> None:
    with scripted(answers(200, feed(1, "snapshot", FIRST)), answers(200, feed(2))) as server:
        driver.take(2, server.url, "track_courier", 7, mode="saver")
    assert (driver.slept, server.queries[1]["timeout"]) == ([120.0], "0")


def test_lost_poll_of_a_feed_is_repeated_from_its_cursor(driver: Driver) -> None:
    with scripted(answers(200, feed(4, "snapshot")), resets, answers(200, feed(9, "changed", FIRST))) as server:
        assert driver.take(2, server.url, "track_customer", 1)[1].cursor == "e.9"
    assert [each.get("cursor") for each in server.queries] == [None, "e.4", "e.4"]
    assert [each.online for each in driver.connections] == [False, True]


def test_an_invalid_party_is_refused(tmp_path: Path, driver: Driver) -> None:
    with real_server(tmp_path) as server, pytest.raises(InvalidRequest):
        driver.take(1, server.url, "track_customer", "x" * 65)


def test_feed_of_another_principal_is_denied(tmp_path: Path, driver: Driver) -> None:
    with real_server(tmp_path, "--token-secret", "s" * 32) as server, pytest.raises(AccessDenied):
        driver.take(1, server.url, "track_customer", 1)


def test_courier_feed_names_the_orders_that_left(tmp_path: Path) -> None:
    with real_server(tmp_path) as server, OrdertrackClient(server.url) as client:
        created = client.create(customer_id=1, restaurant_id=1, courier_id=7)
        updates = client.track_courier(7)
        assert ids(next(updates)) == [created.id]
        client.assign_courier(created.id, 8)
        assert next(updates).left == (created.id,)


@pytest.mark.anyio
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL], ids=["stopped", "killed"])
async def test_feed_has_no_gap_over_a_restart_and_many_pages(tmp_path: Path, how: signal.Signals) -> None:
    many = 130  # more than one page
    with real_server(tmp_path) as server:
        async with AsyncOrdertrackClient(server.url) as client, asyncio.timeout(2 * WAIT_S):
            updates = client.track_restaurant("pages", pace=QUICK_RETRIES)
            async with aclosing(updates):
                assert (await anext(updates)).orders == ()
                waiting = asyncio.create_task(anext(updates))
                await asyncio.to_thread(server.stop, how)
                await asyncio.to_thread(server.start)
                created = [(await client.create(customer_id=1, restaurant_id="pages")).id for _ in range(many)]
                await client.set_status(created[0], Status.CANCELLED)
                update = await waiting
                seen = {each.id: each for each in update.orders}
                while len(seen) < many or not seen[created[0]].ended:
                    update = await anext(updates)
                    seen |= {each.id: each for each in update.orders}
            again = client.track_restaurant("pages", cursor=update.cursor)
            async with aclosing(again):
                assert (await anext(again)).orders == ()
    assert sorted(seen) == created
