"""`ordertrack migrate`: clients of a SQLite server continue on servers that use PostgreSQL."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

from support.api import JSON, ORDERS, Api, Json, track
from support.http1 import Connection
from support.server import run

ENDED_STEPS = ("preparing", "ready", "picked_up", "delivered")
KEY = {"Idempotency-Key": "k1"}
PARTIES = (("customers", "c"), ("restaurants", "r"), ("couriers", "d1"), ("couriers", "d2"))
MORE_THAN_A_PAGE = 130


def feed(party: tuple[str, str], **query: object) -> str:
    return f"/api/v1/{party[0]}/{party[1]}/track" + (f"?{urlencode(query)}" if query else "")


def ask(api: Api, target: str) -> Json:
    """Return an answer without its time."""
    answer: Json = api.http.get(target).raise_for_status().json()
    answer.pop("server_time", None)
    return answer


def replayed(api: Api) -> Json:
    body = json.dumps({"customer_id": "c", "restaurant_id": "r", "reference": "A1"})
    answer: Json = api.http.post(ORDERS, content=body, headers={**JSON, **KEY}).raise_for_status().json()["data"]
    return answer


def positions_in_orders(api: Api, ids: list[int], epoch: str) -> Iterator[str]:
    """Yield a poll from every version of the orders: by its cursor, and by its time."""
    for order_id in ids:
        yield track(order_id, cursor=f"{epoch}.0", timeout=0)
        for event in api.events(order_id):
            yield track(order_id, cursor=f"{epoch}.{event['version']}", timeout=0)
            yield track(order_id, last_update=event["recorded_at"], timeout=0)


def positions_in_feeds(api: Api) -> Iterator[str]:
    """Yield a poll of every party from the beginning, from each page of a snapshot, and from some versions."""
    for party in PARTIES:
        yield feed(party)
        answer = ask(api, feed(party))
        while answer["more"]:
            yield feed(party, cursor=answer["cursor"], timeout=0)
            answer = ask(api, feed(party, cursor=answer["cursor"], timeout=0))
        epoch, version = answer["cursor"].split(".")[:2]
        for behind in range(min(30, int(version)) + 1):
            yield feed(party, cursor=f"{epoch}.{int(version) - behind}", timeout=0)


def test_every_client_continues_and_misses_nothing(start, api_of, tmp_path: Path, database_url: str):
    server = start("--no-sample-orders")
    api = api_of(server)
    changing, ended, simulated = api.create(courier_id="d1")["id"], api.create()["id"], replayed(api)["id"]
    for _ in range(MORE_THAN_A_PAGE):
        api.create()
    api.made(changing, "preparing")
    api.assign(changing, "d2")
    for status in ENDED_STEPS:
        api.made(ended, status)
    link = api.http.post(f"{ORDERS}/{changing}/links").json()["data"]["path"]
    epoch = api.cursor(changing).split(".")[0]
    targets = [
        *positions_in_orders(api, [changing, ended], epoch),
        *positions_in_feeds(api),
        *(f"{path}?timeout=0&cursor=zzzz.7" for path in (track(changing), feed(PARTIES[0]))),
        *(f"{link}/track?timeout=0&cursor={epoch}.{version}" for version in range(4)),
    ]
    before = {target: ask(api, target) for target in targets}
    later = {"confirmed": 3600, "preparing": 3600, "ready": 3600, "picked_up": 3600}
    steps = api.http.post(f"{ORDERS}/{simulated}/simulate-workflow", json={"timings": later}).json()["data"]["steps"]
    assert server.stop() == 0

    moved = run("migrate", "--from", f"sqlite://{tmp_path}/data", "--to", database_url, "--json")
    assert moved.returncode == 0, moved.stderr
    assert json.loads(moved.stdout)["data"]["orders"] == MORE_THAN_A_PAGE + 3
    api = api_of(start("--database-url", database_url, data_dir=tmp_path / "unused"))

    assert {target: ask(api, target) for target in targets} == before
    assert replayed(api)["id"] == simulated
    assert api.http.delete(f"{ORDERS}/{simulated}/simulate-workflow").json()["data"]["steps"] == steps
    newest = [track(changing, cursor=f"{epoch}.3"), f"{link}/track?cursor={epoch}.3"]
    newest += [
        feed(party, cursor=ask(api, feed(party, cursor=f"{epoch}.0", timeout=0))["cursor"]) for party in PARTIES[3:]
    ]
    held: list[Connection] = []
    for target in newest:
        held.append(api.connect())
        held[-1].request("GET", target)
    api.until_held(len(held))
    api.made(changing, "ready")
    answers = [connection.answer().json() for connection in held]
    assert [answer["reason"] for answer in answers] == ["changed"] * len(held)
    assert [event["version"] for event in answers[0]["events"]] == [4]
    assert api.create()["id"] == MORE_THAN_A_PAGE + 4


def test_simulation_continues_after_the_move(start, api_of, tmp_path: Path, database_url: str):
    server = start()
    api = api_of(server)
    cursor = api.cursor(101)
    soon = {"confirmed": 0.4, "preparing": 0.05, "ready": 0.05, "picked_up": 3600}
    assert api.http.post(f"{ORDERS}/101/simulate-workflow", json={"timings": soon}).status_code == 202
    server.kill()
    moved = run("migrate", "--from", f"sqlite://{tmp_path}/data", "--to", database_url)
    assert moved.returncode == 0, moved.stderr
    api = api_of(start("--database-url", database_url))
    versions: list[int] = []
    while 4 not in versions:
        answer = api.poll(101, cursor=cursor, timeout=30).json()
        assert answer["reason"] == "changed"
        versions += [event["version"] for event in answer["events"]]
        cursor = answer["cursor"]
    assert versions == [2, 3, 4]


def test_new_epoch_resets_clients_of_postgresql(start, api_of, tmp_path: Path, database_url: str):
    server = start("--database-url", database_url)
    api = api_of(server)
    api.made(101, "preparing")
    cursor = api.cursor(101)
    assert server.stop() == 0
    assert run("db", "new-epoch", "--database-url", database_url).returncode == 0
    assert run("db", "check", "--database-url", database_url).returncode == 0
    api = api_of(start("--database-url", database_url))
    assert api.poll(101, cursor=cursor, timeout=30).json()["reason"] == "reset"
