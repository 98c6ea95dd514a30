"""The client of the original contract, unmodified, and a client that polls again at once, from start to end."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from support import missing
from support.api import BOUND_S, ORDERS, PROGRESSION, Api, Json, track

INTERVALS = {"confirmed": 120, "preparing": 60, "ready": 30, "picked_up": 30}
SCRIPT = Path(__file__).with_name("original_client.mjs")


class OrderTracker:
    """The class of the original contract, line by line. `sleep` gets seconds."""

    def __init__(self, http: httpx.Client, order_id: int, sleep: Callable[[float], None]) -> None:
        self.order_id = order_id
        self.last_update: str | None = None
        self.is_tracking = False
        self.shown: list[Json] = []
        self.urls: list[str] = []
        self.errors: list[Json] = []
        self.intervals: list[int] = []
        self._http = http
        self._sleep = sleep

    def start_tracking(self) -> None:
        self.is_tracking = True
        while self.is_tracking:
            url = f"{ORDERS}/{self.order_id}/track"
            if self.last_update:
                url += f"?last_update={self.last_update}&timeout=30"
            self.urls.append(url)
            data = self._http.get(url).json()
            if not data["success"]:
                self.errors.append(data)  # the original asks again at once and for ever
                if len(self.errors) == 3:
                    return
                continue
            if data["has_update"]:
                self.shown.append(data["data"])
                self.last_update = data["data"]["updated_at"]
            self.intervals.append(data["next_poll_interval"])
            if data["next_poll_interval"] == 0:
                self.is_tracking = False
                return
            self._sleep(data["next_poll_interval"])


def _simulate(api: Api, **options: object) -> Json:
    order = api.create()
    answer = api.http.post(f"{ORDERS}/{order['id']}/simulate-workflow", json=options)
    assert answer.status_code == 202, answer.text
    return order


@pytest.mark.protocol("3.5", "3.2", "3.11", "3.21")
def test_the_original_client_follows_an_order_to_its_end(api: Api):
    order = _simulate(api, speed=3600)
    slept: list[float] = []
    tracker = OrderTracker(api.http, order["id"], slept.append)
    tracker.start_tracking()
    statuses = [shown["status"] for shown in tracker.shown]
    assert statuses == [status for status in PROGRESSION if status in statuses], "in order, none twice"
    assert statuses[-1] == "delivered"
    assert "?" not in tracker.urls[0]
    assert all("last_update=" in url and "timeout=30" in url for url in tracker.urls[1:])
    assert tracker.intervals[-1] == 0
    assert slept == tracker.intervals[:-1]
    assert tracker.intervals == [INTERVALS.get(status, 0) for status in statuses]


@pytest.mark.protocol("3.5", "3.8", "3.21")
def test_the_original_client_may_miss_steps(api: Api):
    """Steps are made while it sleeps: it never waits, and never goes back to an old status."""
    order = api.create()
    way = iter([("preparing", "ready"), ("picked_up",), ("delivered",)])

    def sleep(seconds: float) -> None:
        for status in next(way):
            api.made(order["id"], status)

    tracker = OrderTracker(api.http, order["id"], sleep)
    tracker.start_tracking()
    assert [shown["status"] for shown in tracker.shown] == ["confirmed", "ready", "picked_up", "delivered"]
    assert tracker.intervals == [120, 30, 30, 0]


@pytest.mark.protocol("3.10", "3.21")
@pytest.mark.parametrize("end", ["delivered", "cancelled"])
def test_the_original_client_polls_an_ended_order_once(api: Api, end: str):
    order = api.at(end)
    tracker = OrderTracker(api.http, order["id"], lambda seconds: pytest.fail("there is nothing to wait for"))
    tracker.start_tracking()
    assert (tracker.shown, tracker.intervals) == ([order], [0])


@pytest.mark.protocol("2.2")
def test_the_original_client_can_read_an_error(api: Api):
    tracker = OrderTracker(api.http, 2**62, lambda seconds: pytest.fail("nothing to wait for"))
    tracker.start_tracking()
    assert {(error["success"], error["error"]) for error in tracker.errors} == {(False, "order_not_found")}
    assert tracker.shown == []


@pytest.mark.protocol("3.5", "3.2", "3.11", "3.21")
def test_the_original_javascript_follows_an_order_to_its_end(api: Api):
    missing.needs("node")
    order = _simulate(api, speed=3600, timings={"confirmed": 900})
    ran = subprocess.run(
        ["node", str(SCRIPT), api.url, str(order["id"])], capture_output=True, text=True, timeout=BOUND_S, check=True
    )
    told = json.loads(ran.stdout)
    *shown, last = told["shown"]
    assert last == "🔋 Stopped tracking - battery optimized!"
    statuses = [line.removeprefix(f"📱 Order {order['id']}: ") for line in shown]
    assert statuses == [status for status in PROGRESSION if status in statuses]
    assert statuses[-1] == "delivered"
    assert set(told["pauses"]) <= set(INTERVALS.values())


@pytest.mark.protocol("3.8", "3.11", "3.17", "3.20")
def test_a_client_that_polls_at_once_sees_every_status_once(api: Api):
    order = _simulate(api, speed=3600, timings={"confirmed": 600})
    first = api.poll(order["id"]).json()
    seen = [(event["version"], event["status"]) for event in first["events"]]
    cursor, reasons = first["cursor"], []
    connection = api.connect()
    while seen[-1][1] != "delivered":
        answer = connection.ask("GET", track(order["id"], cursor=cursor, timeout=first["max_timeout"])).json()
        seen += [(event["version"], event["status"]) for event in answer["events"]]
        reasons.append(answer["reason"])
        cursor = answer["cursor"]
    assert seen == list(enumerate(PROGRESSION, start=1))
    assert set(reasons) == {"changed"}
    assert connection.ask("GET", track(order["id"], cursor=cursor, timeout=30)).json()["reason"] == "terminal"


@pytest.mark.protocol("3.8", "3.14", "3.20", "1.4")
def test_a_client_that_changes_its_network_misses_nothing(api: Api):
    """Each poll is abandoned unread while the next one is sent on a new connection: the cursor is enough."""
    order = api.create()
    cursor = api.cursor(order["id"])
    seen: list[str] = []
    for step in PROGRESSION[1:]:
        lost = api.hold(order["id"], cursor=cursor, client_id="phone")
        api.until_held(1)
        following = api.hold(order["id"], cursor=cursor, client_id="phone")
        assert lost.answer().json()["reason"] == "superseded"
        api.until_held(1)
        api.made(order["id"], step)
        following.reset()
        answer = api.poll(order["id"], cursor=cursor, client_id="phone", timeout=30).json()
        seen += [event["status"] for event in answer["events"]]
        cursor = answer["cursor"]
    assert seen == list(PROGRESSION[1:])
