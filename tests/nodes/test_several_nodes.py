"""Several nodes behave as one server."""

from __future__ import annotations

import select
import time
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from nodes.conftest import Backend, Nodes
from servers.postgres import Postgres
from support.api import ORDERS, Api, eventually

BUSY = "too_many_connections"


@pytest.mark.protocol("8.1")
def test_a_change_is_seen_by_the_next_request_elsewhere(nodes: Nodes):
    first, second, third = nodes.apis
    order = first.create()
    for node, status in ((second, "preparing"), (third, "ready"), (first, "picked_up")):
        node.made(order["id"], status)
        for other in nodes.apis:
            assert other.order(order["id"])["status"] == status


@pytest.mark.protocol("8.1")
@pytest.mark.parametrize("has_cursor", [False, True])
def test_a_change_is_seen_by_the_next_poll_elsewhere(nodes: Nodes, has_cursor: bool):
    """The other node holds a poll of the order, so it remembers the order; the poll that follows is not held."""
    first, second, _ = nodes.apis
    for _ in range(10):  # a signal takes as long as a request, so one attempt may see a state that is remembered
        order_id = first.create()["id"]
        held = second.hold(order_id, timeout=100)
        second.until_held(1)
        query = {"cursor": first.cursor(order_id), "timeout": 0} if has_cursor else {}
        first.made(order_id, "preparing")
        assert second.poll(order_id, **query).json()["data"]["version"] == 2
        held.answer()


@pytest.mark.protocol("8.1")
def test_a_change_is_decided_on_the_newest_state(nodes: Nodes):
    """Each node has decided on the order before, so each remembers an older one."""
    first, second, third = nodes.apis
    order = first.create()
    first.made(order["id"], "preparing")
    second.made(order["id"], "ready")
    answer = first.set(order["id"], "preparing")
    assert (answer.status_code, answer.json()["current_status"]) == (409, "ready")
    third.made(order["id"], "picked_up")
    assert second.set(order["id"], "ready").status_code == 409
    assert [event["version"] for event in first.events(order["id"])] == [1, 2, 3, 4]


@pytest.mark.protocol("8.1")
def test_a_cursor_is_valid_on_every_node(nodes: Nodes):
    first, second, third = nodes.apis
    order = first.create()
    cursor = first.cursor(order["id"])
    second.made(order["id"], "preparing")
    answer = third.poll(order["id"], cursor=cursor, timeout=30).json()
    assert (answer["reason"], answer["data"]["version"], answer["reset"]) == ("changed", 2, False)
    assert first.poll(order["id"], cursor=answer["cursor"], timeout=0).json()["reason"] == "timeout"


@pytest.mark.protocol("8.1")
def test_a_feed_cursor_is_valid_on_every_node(nodes: Nodes):
    first, second, third = nodes.apis
    order = first.create(restaurant_id="feeds")
    path = "/api/v1/restaurants/feeds/track"
    cursor = first.http.get(path).json()["cursor"]
    second.made(order["id"], "preparing")
    news = third.http.get(path, params={"cursor": cursor, "timeout": "30"}).json()
    assert [each["status"] for each in news["data"]["orders"]] == ["preparing"]


@pytest.mark.protocol("8.1")
def test_an_idempotency_key_holds_on_every_node(nodes: Nodes):
    body = {"customer_id": "c", "restaurant_id": "r"}
    made = [
        api.http.post(ORDERS, json=body, headers={"Idempotency-Key": f"key-{id(nodes)}"}).json()["data"]["id"]
        for api in nodes.apis
    ]
    assert len(set(made)) == 1


@pytest.mark.protocol("8.2")
def test_a_poll_is_answered_on_a_change_elsewhere(nodes: Nodes):
    first, second, third = nodes.apis
    order = first.create()
    for status in ("preparing", "ready", "picked_up"):
        held = [api.hold(order["id"], timeout=100) for api in (first, third)]
        first.until_held(2)
        second.made(order["id"], status)
        for connection in held:
            answer = connection.answer().json()
            assert (answer["reason"], answer["data"]["status"]) == ("changed", status)


@pytest.mark.protocol("8.2")
def test_a_feed_poll_is_answered_on_a_change_elsewhere(nodes: Nodes):
    first, second, _ = nodes.apis
    order = first.create(customer_id="feed-poll")
    held = first.connect()
    held.request("GET", "/api/v1/customers/feed-poll/track?timeout=100")
    first.until_held(1)
    second.made(order["id"], "preparing")
    answer = held.answer().json()
    assert (answer["reason"], answer["data"]["orders"][0]["status"]) == ("changed", "preparing")


@pytest.mark.protocol("8.2")
def test_many_polls_on_all_nodes_get_every_change(nodes: Nodes):
    """Each client follows its order by cursor, on another node at each step, while the order changes on all nodes."""
    orders = [nodes.apis[number % 3].create()["id"] for number in range(30)]
    positions = {order_id: nodes.apis[0].cursor(order_id) for order_id in orders}
    for step, status in enumerate(("preparing", "ready", "picked_up", "delivered")):
        held = {
            order_id: nodes.apis[(number + step) % 3].hold(order_id, cursor=positions[order_id], timeout=100)
            for number, order_id in enumerate(orders)
        }
        nodes.apis[0].until_held(len(orders))
        for number, order_id in enumerate(orders):
            nodes.apis[(number + 2 * step + 1) % 3].made(order_id, status)
        for order_id, connection in held.items():
            answer = connection.answer().json()
            assert (answer["reason"], answer["data"]["status"]) == ("changed", status)
            positions[order_id] = answer["cursor"]
    assert nodes.apis[0].stats()["lost_wakeups_total"] == 0


@pytest.mark.protocol("8.3")
def test_the_cap_of_an_order_holds_over_all_nodes(nodes: Nodes):
    order = nodes.apis[0].create()
    for number in range(10):
        nodes.apis[number % 3].hold(order["id"], timeout=100)
        nodes.apis[0].until_held(number + 1)

    def is_refused(api: Api) -> bool:
        """Poll with all places taken. Of two polls at the same moment the older one may have yielded."""
        if nodes.apis[0].held() < 10:
            nodes.apis[0].hold(order["id"], timeout=100)
        return api.poll(order["id"], timeout=0.5).json().get("error") == BUSY

    for api in nodes.apis:
        eventually(lambda api=api: is_refused(api), "the poll is refused")
    assert nodes.apis[0].held() == 10


@pytest.mark.protocol("8.3")
def test_polls_beyond_the_cap_are_refused_soon(nodes: Nodes):
    """Each node accepts ten at once, before it knows of the others."""
    order = nodes.apis[0].create()
    held = [api.hold(order["id"], timeout=100) for api in nodes.apis for _ in range(10)]
    eventually(lambda: len(select.select(held, [], [], 1)[0]) >= 20, "twenty polls are answered")
    refused = [connection.answer() for connection in select.select(held, [], [], 0)[0]]
    assert {answer.json()["error"] for answer in refused} == {BUSY}


@pytest.mark.protocol("8.4")
def test_each_simulated_step_is_taken_once(nodes: Nodes):
    orders = [api.create()["id"] for api in nodes.apis]
    for api, order_id in zip(nodes.apis, orders, strict=True):
        assert api.http.post(f"{ORDERS}/{order_id}/simulate-workflow", json={"speed": 3600}).status_code == 202
    for order_id in orders:
        eventually(lambda order_id=order_id: nodes.apis[0].order(order_id)["status"] == "delivered", "it is delivered")
        assert [event["version"] for event in nodes.apis[1].events(order_id)] == [1, 2, 3, 4, 5]


@pytest.mark.protocol("8.4")
def test_a_simulation_is_stopped_by_another_node(nodes: Nodes):
    first, second, third = nodes.apis
    order = first.create()
    path = f"{ORDERS}/{order['id']}/simulate-workflow"
    assert first.http.post(path).status_code == 202
    assert third.http.post(path).status_code == 409
    assert second.http.delete(path).status_code == 200
    assert first.http.delete(path).json()["error"] == "simulation_not_running"


@pytest.mark.protocol("8.5")
def test_a_revoked_link_is_refused_by_every_node(nodes: Nodes):
    first, second, third = nodes.apis
    order = first.create()
    link = first.http.post(f"{ORDERS}/{order['id']}/links").json()["data"]
    token = {"Authorization": f"Bearer {link['token']}"}
    for api in nodes.apis:
        assert api.poll(order["id"], token, timeout=0).status == 200
    held = third.hold(order["id"], token, timeout=100)
    third.until_held(1)
    assert second.http.delete(f"{ORDERS}/{order['id']}/links/{link['id']}").status_code == 200
    assert second.poll(order["id"], token, timeout=0).status == 401
    assert held.answer().status == 401
    for api in (first, third):
        eventually(lambda api=api: api.poll(order["id"], token, timeout=0).status == 401, "the link is refused")


@pytest.mark.protocol("8.6")
def test_statistics_are_sums_over_all_nodes(nodes: Nodes):
    order = nodes.apis[0].create()
    for api in nodes.apis:
        api.hold(order["id"], timeout=100)
    for api in nodes.apis:
        api.until_held(3)
        stats = api.stats()
        assert sorted(stats["nodes"]) == ["node-0", "node-1", "node-2"]
        assert [node["active_connections"] for node in stats["by_node"]] == [1, 1, 1]


def test_a_node_that_is_ahead_is_caught_up_with(nodes: Nodes):
    """A node remembers an order; a cursor of another node is newer: it reads the store instead of answering `reset`."""
    first, second, _ = nodes.apis
    order = first.create()
    held = first.hold(order["id"], timeout=100)
    first.until_held(1)
    for status in ("preparing", "ready", "picked_up"):
        second.made(order["id"], status)
        cursor = second.cursor(order["id"])
        began = time.monotonic()
        answer = first.poll(order["id"], cursor=cursor, timeout=0.1).json()
        assert (answer["reason"], answer["reset"]) == ("timeout", False), time.monotonic() - began
    assert held.answer().json()["data"]["status"] == "preparing"


@pytest.mark.protocol("8.7")
def test_a_node_without_its_store_keeps_its_polls(postgres: Postgres, tmp_path: Path):
    with (
        TemporaryDirectory(prefix="ordertrack-") as folder,
        closing(Postgres(Path(folder), version=postgres.version, durable=False)) as server,
        closing(Nodes(Backend(server.url, None), tmp_path, count=1)) as nodes,
    ):
        (api,) = nodes.apis
        order = api.create()
        held = api.hold(order["id"], timeout=100)
        api.until_held(1)
        server.stop()
        eventually(lambda: api.set(order["id"], "preparing").status_code == 503, "the change is refused")
        read = api.http.get(f"{ORDERS}/{order['id']}")
        assert (read.status_code, read.json()["error"]) == (503, "store_unavailable")
        assert int(read.headers["Retry-After"]) > 0
        assert api.http.get("/readyz").status_code == 503
        assert held.silent()
        server.start()
        eventually(lambda: api.set(order["id"], "preparing").status_code == 200, "the change is made")
        assert held.answer().json()["data"]["status"] == "preparing"
