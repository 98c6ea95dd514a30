"""A full disk: updates are refused, acknowledged ones are kept, and the server recovers.

RLIMIT_FSIZE is how: beyond it a write fails for a real process with a real file, as on a full disk.
"""

from __future__ import annotations

import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from support.api import ORDERS, Api, Json
from support.server import Server

ROOM_BYTES = 64 * 1024


@contextmanager
def _disk_full_soon(server: Server) -> Iterator[Callable[[], None]]:
    """Limit the growth of files to a few updates. The function that this yields leaves no room, not even for an update
    that writes less than the refused one."""
    largest = max(file.stat().st_size for file in server.data_dir.iterdir())
    before = resource.prlimit(server.pid, resource.RLIMIT_FSIZE)

    def limit(room_bytes: int) -> None:
        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (largest + room_bytes, before[1]))

    limit(ROOM_BYTES)
    try:
        yield lambda: limit(0)
    finally:
        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, before)


def _until_refused(api: Api, order_id: int) -> tuple[list[Json], Json]:
    """Return the orders that were updated and the refusal after them."""
    acknowledged: list[Json] = []
    for n in range(400):
        answer = api.set(order_id, "ready" if n % 2 == 0 else "confirmed", undo=n % 2 == 1)
        if answer.status_code != 200:
            assert answer.status_code == 503, answer.text
            assert int(answer.headers["Retry-After"]) >= 1
            return acknowledged, answer.json()
        acknowledged.append(answer.json()["data"])
    raise AssertionError("the disk did not fill up")


@pytest.mark.protocol("2.3", "1.1")
def test_full_disk_refuses_updates_and_keeps_acknowledged_ones(start, api_of):
    server = start()
    api = api_of(server)
    order_id = api.create()["id"]
    with _disk_full_soon(server) as fill:
        acknowledged, refusal = _until_refused(api, order_id)
        fill()
        assert (refusal["error"], refusal["success"]) == ("store_unavailable", False)
        assert acknowledged, "there was room for some"
        last = acknowledged[-1]
        assert api.order(order_id) == last
        held = api.hold(order_id)
        api.until_held(1)
        other = "confirmed" if last["status"] == "ready" else "ready"
        assert api.set(order_id, other, undo=other == "confirmed").status_code == 503
        updates = [{"order_id": order_id, "status": other}, {"order_id": 101, "status": "ready"}]
        assert api.bulk(updates).status_code == 503
        created = api.http.post(ORDERS, json={"customer_id": "full", "restaurant_id": "r"})
        assert (created.status_code, created.json()["error"]) == (503, "store_unavailable")
        assert held.silent(), "news that was not kept is no news"
        assert api.http.get("/healthz").status_code == 200
    changed = api.made(order_id, "cancelled")
    assert changed["version"] == last["version"] + 1
    assert held.answer().json()["data"] == changed
    assert changed["timeline"][:-1] == last["timeline"]
    server.kill()
    api = api_of(start())
    order = api.order(order_id)
    assert order == changed
    assert [event["version"] for event in order["timeline"]] == list(range(1, order["version"] + 1))
    statuses = {event["version"]: event["status"] for event in order["timeline"]}
    assert all(statuses[kept["version"]] == kept["status"] for kept in acknowledged)
    assert api.order(101)["version"] == 1
    assert api.http.get(ORDERS, params={"customer_id": "full"}).json()["data"]["orders"] == []


@pytest.mark.protocol("2.3", "2.15")
def test_simulations_continue_when_the_disk_is_back(start, api_of):
    server = start()
    api = api_of(server)
    cursor = api.cursor(102)
    order_id = api.create()["id"]
    api.http.post(f"{ORDERS}/102/simulate-workflow", json={"timings": {"preparing": 2, "ready": 0, "picked_up": 0}})
    with _disk_full_soon(server) as fill:
        _until_refused(api, order_id)
        fill()
        # Longer than the first step takes: it comes due, and cannot be made.
        assert api.poll(102, cursor=cursor, timeout=3).json()["reason"] == "timeout"
    seen: list[str] = []
    while not seen or seen[-1] != "delivered":
        answer = api.poll(102, cursor=cursor, timeout=30).json()
        seen += [event["status"] for event in answer["events"]]
        cursor = answer["cursor"]
    assert seen == ["ready", "picked_up", "delivered"]
