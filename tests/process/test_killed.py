"""The process is killed under load, and acknowledged changes are kept."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from typing import NamedTuple

import pytest

from support.api import BULK, JSON, ORDERS, PROGRESSION, Api, Json, encoded, track
from support.http1 import Connection
from support.server import Server

ORDER_COUNT, ROUNDS, BULK_SIZE = 24, 3, 20


class Acknowledged(NamedTuple):
    order_id: int
    version: int
    status: str
    updated_at: str


class Storm:
    """Clients that update as fast as they are answered, until the server ends. `acknowledged` has its answers."""

    def __init__(self, url: str, order_ids: list[int], seed: int) -> None:
        self.acknowledged: list[Acknowledged] = []
        self._url = url
        self._order_ids = order_ids
        self._enough = threading.Condition()
        work = [self._single, self._single, self._single, self._bulk, self._bulk, self._couriers]
        self._threads = [
            threading.Thread(target=self._until_cut, args=(kind, random.Random(f"{seed} {n}")), daemon=True)
            for n, kind in enumerate(work)
        ]
        for thread in self._threads:
            thread.start()

    def wait_for(self, count: int) -> None:
        with self._enough:
            assert self._enough.wait_for(lambda: len(self.acknowledged) >= count, timeout=30)

    def join(self) -> None:
        for thread in self._threads:
            thread.join(timeout=20)
            assert not thread.is_alive()

    def _until_cut(self, kind: Callable[[Connection, random.Random], list[Json]], chance: random.Random) -> None:
        try:
            with Connection(self._url) as connection:
                while True:
                    made = kind(connection, chance)
                    with self._enough:
                        self.acknowledged += [
                            Acknowledged(order["order_id"], order["version"], order["status"], order["updated_at"])
                            for order in made
                        ]
                        self._enough.notify_all()
        except (OSError, EOFError):
            return

    def _change(self, chance: random.Random) -> Json:
        return {"status": chance.choice(PROGRESSION), "undo": chance.random() < 0.6}

    def _single(self, connection: Connection, chance: random.Random) -> list[Json]:
        target = f"{ORDERS}/{chance.choice(self._order_ids)}/status"
        return self._made(connection.ask("PUT", target, JSON, encoded(self._change(chance))).json())

    def _couriers(self, connection: Connection, chance: random.Random) -> list[Json]:
        target = f"{ORDERS}/{chance.choice(self._order_ids)}/courier"
        body = encoded({"courier_id": chance.randrange(1000)})
        return self._made(connection.ask("PUT", target, JSON, body).json())

    def _bulk(self, connection: Connection, chance: random.Random) -> list[Json]:
        updates = [{"order_id": chance.choice(self._order_ids), **self._change(chance)} for _ in range(BULK_SIZE)]
        body = connection.ask("POST", BULK, JSON, encoded({"updates": updates})).json()
        results: list[Json] = body["data"]["results"]
        return [result for result in results if result["success"] and result["changed"]]

    def _made(self, body: Json) -> list[Json]:
        return [{"order_id": body["data"]["id"], **body["data"]}] if body["success"] and body["changed"] else []


def _chain_is_whole(order: Json, events: list[Json]) -> None:
    assert [event["version"] for event in events] == list(range(1, order["version"] + 1))
    times = [event["recorded_at"] for event in events]
    assert times == sorted(set(times))
    assert (order["status"], order["updated_at"]) == (events[-1]["status"], times[-1])
    assert order["timeline"] == events
    couriers = [event["courier_id"] for event in events if event["type"] == "courier_assigned"]
    assert order["courier_id"] == (couriers[-1] if couriers else None)


@pytest.mark.protocol("2.3", "1.1", "1.2", "2.8", "3.24")
def test_killed_server_keeps_every_acknowledged_update(start, api_of):
    acknowledged: list[Acknowledged] = []
    cursors: dict[int, tuple[str, int]] = {}
    server: Server = start()
    api: Api = api_of(server)
    order_ids = [api.create()["id"] for _ in range(ORDER_COUNT)]
    for round_ in range(ROUNDS):
        for order_id in order_ids:
            answer = api.poll(order_id).json()
            cursors[order_id] = answer["cursor"], answer["data"]["version"]
        storm = Storm(server.url, order_ids, round_)
        storm.wait_for(400 + 150 * round_)
        server.kill()
        storm.join()
        acknowledged += storm.acknowledged

        server = start()
        api = api_of(server)
        orders = {order_id: api.order(order_id) for order_id in order_ids}
        for order_id, order in orders.items():
            _chain_is_whole(order, api.events(order_id))
            cursor, version = cursors[order_id]
            answer = api.poll(order_id, cursor=cursor, timeout=0).json()
            assert answer["reset"] is False, "the cursor is as good as before"
            assert answer["has_update"] is (order["version"] > version)
            assert answer["data"] == order
            assert answer["cursor"].split(".")[0] == cursor.split(".")[0]
        kept = {
            (order_id, event["version"]): (event["status"], event["recorded_at"])
            for order_id, order in orders.items()
            for event in order["timeline"]
        }
        lost = [a for a in acknowledged if kept.get((a.order_id, a.version)) != (a.status, a.updated_at)]
        assert lost == []
        assert len({(a.order_id, a.version) for a in acknowledged}) == len(acknowledged), "no version was given twice"
    assert server.stop() == 0


@pytest.mark.protocol("2.3", "2.7")
def test_orders_and_idempotency_keys_survive_a_restart(start, api_of):
    server = start()
    api = api_of(server)
    body, headers = {"customer_id": "c", "restaurant_id": "r", "reference": "A-1"}, {"Idempotency-Key": "key"}
    first = api.http.post(ORDERS, json=body, headers=headers)
    server.kill()
    api = api_of(start())
    again = api.http.post(ORDERS, json=body, headers=headers)
    assert (again.status_code, again.content) == (201, first.content)
    assert api.http.post(ORDERS, json=body).json()["error"] == "reference_taken"
    assert api.create()["id"] > first.json()["data"]["id"]


@pytest.mark.protocol("2.3", "3.17")
def test_update_delivered_to_a_poll_survives_a_kill(start, api_of):
    server = start()
    api = api_of(server)
    order = api.create()
    held = api.hold(order["id"])
    api.until_held(1)
    connection = api.connect()
    connection.request("PUT", f"{ORDERS}/{order['id']}/status", JSON, encoded({"status": "preparing"}))
    told = held.answer().json()["data"]
    server.kill()
    assert api_of(start()).order(order["id"]) == told


@pytest.mark.protocol("3.24")
@pytest.mark.parametrize("how", ["stop", "kill"])
def test_cursors_and_etags_stay_valid_across_a_restart(start, api_of, how: str):
    server = start()
    api = api_of(server)
    order = api.at("ready")
    first = api.poll(order["id"])
    cursor, etag = first.json()["cursor"], first.headers["etag"]
    getattr(server, how)()
    api = api_of(start())
    assert api.poll(order["id"], cursor=cursor, timeout=0).json()["reason"] == "timeout"
    assert api.poll(order["id"], {"If-None-Match": etag}, timeout=0).status == 304
    assert api.poll(order["id"], last_update=order["updated_at"], timeout=0).json()["reason"] == "timeout"
    assert api.http.get(f"{ORDERS}/{order['id']}", headers={"If-None-Match": etag}).status_code == 304
    held = api.hold(order["id"], cursor=cursor)
    api.until_held(1)
    changed = api.made(order["id"], "picked_up", expected_version=3)
    assert held.answer().json()["data"] == changed


@pytest.mark.protocol("3.7")
def test_another_data_folder_is_another_history(start, api_of, tmp_path):
    api = api_of(start())
    cursor = api.cursor(101)
    other = api_of(start(data_dir=tmp_path / "other"))
    answer = other.poll(101, cursor=cursor, timeout=30).json()
    assert (answer["reason"], answer["reset"]) == ("reset", True)


@pytest.mark.protocol("3.17")
def test_polls_of_a_killed_server_end_without_an_answer(start, api_of):
    server = start()
    api = api_of(server)
    held = [api.hold(101) for _ in range(5)]
    api.until_held(5)
    server.kill()
    assert all(connection.closed_by_peer() for connection in held)


def test_sample_orders_are_loaded_once(start, api_of):
    server = start()
    api = api_of(server)
    assert [api.order(id_)["status"] for id_ in (101, 102, 103)] == ["confirmed", "preparing", "ready"]
    api.made(101, "delivered")
    server.kill()
    api = api_of(start())
    assert api.order(101)["status"] == "delivered"
    assert api.http.get(track(104)).status_code == 404
