"""Section 3: a change answers every poll that waits for it once, and no other poll."""

from __future__ import annotations

import random
import selectors
from concurrent.futures import ThreadPoolExecutor

import pytest

from support.api import Api
from support.http1 import Connection

ORDERS_HELD, POLLS_EACH = 200, 5


class Silence:
    """Watch connections that must not receive anything."""

    def __init__(self, connections: list[Connection]) -> None:
        self._selector = selectors.DefaultSelector()
        for connection in connections:
            self._selector.register(connection, selectors.EVENT_READ)

    def __enter__(self) -> Silence:
        return self

    def __exit__(self, *_: object) -> None:
        self._selector.close()

    def expect_answers(self, connections: list[Connection]) -> None:
        for connection in connections:
            self._selector.unregister(connection)

    @property
    def broken(self) -> bool:
        return bool(self._selector.select(timeout=0))


@pytest.mark.protocol("3.11", "3.17")
def test_an_update_answers_exactly_the_polls_of_its_order(api: Api, many_files: None):
    orders = [api.create() for _ in range(ORDERS_HELD)]
    held = {order["id"]: [api.hold(order["id"], timeout=100) for _ in range(POLLS_EACH)] for order in orders}
    api.until_held(ORDERS_HELD * POLLS_EACH)
    assert api.stats()["orders_watched"] == ORDERS_HELD
    before = api.stats()
    all_held = [connection for connections in held.values() for connection in connections]
    random.Random(7).shuffle(orders)
    with Silence(all_held) as silence:
        for order in orders:
            connections = held[order["id"]]
            silence.expect_answers(connections)
            changed = api.made(order["id"], "preparing")
            for connection in connections:
                answer = connection.answer()
                assert (answer.status, answer.json()["reason"]) == (200, "changed")
                assert answer.json()["data"] == changed
                assert [event["version"] for event in answer.json()["events"]] == [2]
            assert not silence.broken
    assert all(connection.silent() for connection in all_held), "no poll was answered twice"
    after = api.stats()
    assert (after["active_connections"], after["orders_watched"]) == (0, 0)
    assert after["lost_wakeups_total"] == 0
    assert after["polls_total"]["changed"] - before["polls_total"]["changed"] == ORDERS_HELD * POLLS_EACH
    assert after["updates_total"] - before["updates_total"] == ORDERS_HELD
    assert after["wake_latency_ms"]["max"] >= after["wake_latency_ms"]["p50"] > 0


@pytest.mark.protocol("2.8", "3.17")
def test_a_bulk_update_answers_all_polls_of_its_orders(api: Api, many_files: None):
    orders = [api.create() for _ in range(ORDERS_HELD)]
    held = [(order["id"], api.hold(order["id"], timeout=100)) for order in orders for _ in range(POLLS_EACH)]
    api.until_held(ORDERS_HELD * POLLS_EACH)
    results = api.bulk([{"order_id": order["id"], "status": "ready"} for order in orders]).json()["data"]["results"]
    assert all(result["changed"] for result in results)
    for order_id, connection in held:
        body = connection.answer().json()
        assert (body["data"]["id"], body["data"]["status"], body["data"]["version"]) == (order_id, "ready", 2)
    assert all(connection.silent() for _, connection in held)
    assert api.held() == 0


@pytest.mark.protocol("3.8", "3.11", "3.17", "3.20", "1.1")
def test_polling_clients_see_every_version_once_in_order(api: Api):
    """Polls arrive at every moment between decision, commit and answer; none may miss a version."""
    id_ = api.create()["id"]
    cursor, last = api.cursor(id_), 301

    def follow(_: int) -> list[int]:
        seen: list[int] = []
        at = cursor
        with Connection(api.url) as connection:
            while not seen or seen[-1] < last:
                body = connection.ask("GET", f"/api/v1/orders/{id_}/track?cursor={at}&timeout=30").json()
                assert (body["reason"], body["events_truncated"]) == ("changed", False)
                seen += [event["version"] for event in body["events"]]
                at = body["cursor"]
        return seen

    with ThreadPoolExecutor(6) as clients:
        followed = [clients.submit(follow, n) for n in range(6)]
        for n in range(300):
            assert api.set(id_, "ready" if n % 2 == 0 else "confirmed", undo=n % 2 == 1).status_code == 200
        for client in followed:
            assert client.result(timeout=60) == list(range(2, last + 1))
    assert api.stats()["lost_wakeups_total"] == 0
