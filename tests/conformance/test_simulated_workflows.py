"""Section 2: simulated workflows. `tests/process` restarts the server within one."""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise

import httpx
import pytest

from support.api import ORDERS, PROGRESSION, Api, Json

DEFAULT_S = {"confirmed": 180, "preparing": 900, "ready": 300, "picked_up": 600}
FAST = {"speed": 3600}


def _start(api: Api, order_id: int, body: Json | None = None) -> httpx.Response:
    return api.http.post(f"{ORDERS}/{order_id}/simulate-workflow", json=body)


def _stop(api: Api, order_id: int) -> httpx.Response:
    return api.http.delete(f"{ORDERS}/{order_id}/simulate-workflow")


def _pauses_s(since: datetime, steps: list[Json]) -> list[float]:
    """Seconds before each step. The first is measured from `since`, which is a little before the start."""
    times = [since, *(datetime.fromisoformat(step["at"]) for step in steps)]
    return [(later - earlier).total_seconds() for earlier, later in pairwise(times)]


def _followed(api: Api, order: Json) -> Json:
    """Poll until the order has ended, and return it."""
    cursor = api.cursor(order["id"])
    while True:
        answer = api.poll(order["id"], cursor=cursor, timeout=30).json()
        cursor = answer["cursor"]
        if answer["terminal"]:
            ended: Json = answer["data"]
            return ended


@pytest.mark.protocol("2.14")
@pytest.mark.parametrize("status", PROGRESSION[:-1])
def test_a_simulation_continues_from_the_current_status(api: Api, status: str):
    order = api.at(status)
    since = datetime.fromisoformat(api.poll(order["id"]).json()["server_time"])
    answer = _start(api, order["id"])
    assert answer.status_code == 202
    steps = answer.json()["data"]["steps"]
    to_come = PROGRESSION[PROGRESSION.index(status) :]
    assert [step["status"] for step in steps] == list(to_come[1:])
    first, *others = _pauses_s(since, steps)
    assert others == [DEFAULT_S[step] for step in to_come[1:-1]]
    assert DEFAULT_S[status] <= first < DEFAULT_S[status] + 20
    assert _stop(api, order["id"]).json()["data"]["steps"] == steps
    assert api.order(order["id"]) == order


@pytest.mark.protocol("2.14")
@pytest.mark.parametrize("speed", [0.1, 1, 2.5, 60])
def test_speed_divides_the_times(api: Api, speed: float):
    id_ = api.create()["id"]
    answer = _start(api, id_, {"speed": speed})
    _, *others = _pauses_s(datetime.now().astimezone(), answer.json()["data"]["steps"])
    assert others == pytest.approx([seconds / speed for seconds in (900, 300, 600)], abs=0.002)
    assert _stop(api, id_).status_code == 200


@pytest.mark.protocol("2.14")
def test_timings_replace_default_times(api: Api):
    id_ = api.create()["id"]
    answer = _start(api, id_, {"timings": {"ready": 7, "preparing": 1.5}, "speed": 0.5})
    _, *others = _pauses_s(datetime.now().astimezone(), answer.json()["data"]["steps"])
    assert others == [3.0, 14.0, 1200.0]
    _stop(api, id_)


@pytest.mark.protocol("2.14")
@pytest.mark.parametrize("status", PROGRESSION[:-1])
def test_cancel_at_cancels_at_the_end_of_that_status(api: Api, status: str):
    order = api.create()
    steps = _start(api, order["id"], {**FAST, "cancel_at": status}).json()["data"]["steps"]
    expected = [*PROGRESSION[1 : PROGRESSION.index(status) + 1], "cancelled"]
    assert [step["status"] for step in steps] == expected
    ended = _followed(api, order)
    assert [event["status"] for event in ended["timeline"][1:]] == expected
    assert ended["cancellation"]["by"] == "simulator"
    assert ended["cancellation"]["reason"]


@pytest.mark.protocol("2.15")
def test_simulated_steps_are_updates_that_answer_polls(api: Api):
    order = api.create()
    assert _start(api, order["id"], FAST).status_code == 202
    seen = [order["status"]]
    cursor = api.cursor(order["id"]).split(".")[0] + ".1"
    while seen[-1] != "delivered":
        answer = api.poll(order["id"], cursor=cursor, timeout=30).json()
        assert answer["reason"] == "changed"
        seen += [event["status"] for event in answer["events"]]
        assert {event["actor"] for event in answer["events"]} == {"simulator"}
        cursor = answer["cursor"]
    assert seen == list(PROGRESSION)
    assert api.order(order["id"])["version"] == 5
    assert _stop(api, order["id"]).status_code == 404


@pytest.mark.protocol("2.14")
def test_a_second_simulation_is_refused(api: Api):
    order = api.create()
    assert _start(api, order["id"]).status_code == 202
    before = api.stats()["simulations_running"]
    again = _start(api, order["id"], FAST)
    assert (again.status_code, again.json()["error"]) == (409, "simulation_running")
    assert api.stats()["simulations_running"] == before
    _stop(api, order["id"])
    assert _start(api, order["id"], FAST).status_code == 202
    assert _followed(api, order)["status"] == "delivered"


@pytest.mark.protocol("2.14")
@pytest.mark.parametrize("end", ["delivered", "cancelled"])
def test_an_ended_order_cannot_be_simulated(api: Api, end: str):
    order = api.at(end)
    answer = _start(api, order["id"], FAST)
    assert (answer.status_code, answer.json()["error"]) == (409, "order_ended")


@pytest.mark.protocol("2.14", "2.4")
@pytest.mark.parametrize(
    "body",
    [
        {"speed": 0},
        {"speed": 0.09},
        {"speed": 3600.5},
        {"speed": "fast"},
        {"speed": None},
        {"timings": {"ready": -1}},
        {"timings": {"ready": 86_401}},
        {"timings": {"ready": "1"}},
        {"cancel_at": "delivered"},
        {"cancel_at": "cancelled"},
        {"cancel_at": "soon"},
        [],
        "fast",
    ],
    ids=str,
)
def test_options_out_of_bounds_start_nothing(api: Api, body: Json):
    order = api.create()
    assert _start(api, order["id"], body).status_code == 400
    assert _stop(api, order["id"]).json()["error"] == "simulation_not_running"


@pytest.mark.protocol("2.14")
def test_cancel_at_cannot_be_a_past_status(api: Api):
    order = api.at("ready")
    assert _start(api, order["id"], {"cancel_at": "preparing"}).status_code == 400
    assert _start(api, order["id"], {"cancel_at": "ready"}).status_code == 202
    _stop(api, order["id"])


@pytest.mark.protocol("2.15")
@pytest.mark.parametrize(("to", "undo"), [("ready", False), ("cancelled", False), ("confirmed", True)])
def test_another_change_of_status_ends_a_simulation(api: Api, to: str, undo: bool):
    order = api.at("preparing")
    _start(api, order["id"])
    api.made(order["id"], to, undo=undo)
    assert _stop(api, order["id"]).json()["error"] == "simulation_not_running"


@pytest.mark.protocol("2.15")
def test_other_changes_leave_a_simulation_running(api: Api):
    order = api.at("preparing")
    _start(api, order["id"])
    api.assign(order["id"], "seven")
    api.made(order["id"], "preparing")
    assert api.set(order["id"], "confirmed").status_code == 409
    assert _stop(api, order["id"]).status_code == 200


@pytest.mark.protocol("2.15")
def test_delete_ends_a_simulation_and_returns_its_steps(api: Api):
    order = api.create()
    # The first step comes at once, the second not within this test.
    _start(api, order["id"], {"timings": {"confirmed": 0}})
    first = api.poll(order["id"], cursor=api.cursor(order["id"]).split(".")[0] + ".1", timeout=30).json()
    assert first["data"]["status"] == "preparing"
    left = _stop(api, order["id"])
    assert (left.status_code, [step["status"] for step in left.json()["data"]["steps"]]) == (200, list(PROGRESSION[2:]))
    assert _stop(api, order["id"]).json()["error"] == "simulation_not_running"
    assert api.order(order["id"])["status"] == "preparing"
