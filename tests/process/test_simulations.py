"""Simulated workflows continue after a restart."""

from __future__ import annotations

import pytest

from support.api import ORDERS, PROGRESSION, Api, Json


def _start(api: Api, order_id: int, **options: object) -> list[Json]:
    answer = api.http.post(f"{ORDERS}/{order_id}/simulate-workflow", json=options)
    assert answer.status_code == 202, answer.text
    steps: list[Json] = answer.json()["data"]["steps"]
    return steps


def _watched(api: Api, order_id: int, cursor: str, until: str) -> list[Json]:
    """Return the events after the cursor, once one has this status."""
    events: list[Json] = []
    while until not in {event["status"] for event in events}:  # one answer may have more than one step
        answer = api.poll(order_id, cursor=cursor, timeout=30).json()
        assert answer["reason"] == "changed"
        events += answer["events"]
        cursor = answer["cursor"]
    return events


@pytest.mark.protocol("2.15", "2.3")
@pytest.mark.parametrize("how", ["kill", "stop"])
def test_late_steps_follow_at_once_and_in_order_after_a_restart(start, api_of, how: str):
    server = start()
    api = api_of(server)
    cursor = api.cursor(101)
    soon = {"confirmed": 0.4, "preparing": 0.05, "ready": 0.05, "picked_up": 3600}
    steps = _start(api, 101, timings=soon)
    assert api.order(101)["version"] == 1
    getattr(server, how)()
    api = api_of(start())
    events = _watched(api, 101, cursor, until="picked_up")
    assert [event["status"] for event in events] == list(PROGRESSION[1:4])
    assert {event["actor"] for event in events} == {"simulator"}
    assert [event["version"] for event in events] == [2, 3, 4]
    assert all(event["recorded_at"] >= step["at"] for event, step in zip(events, steps, strict=False))
    assert api.stats()["simulations_running"] == 1
    left = api.http.delete(f"{ORDERS}/101/simulate-workflow").json()["data"]["steps"]
    assert left == steps[3:], "what was not due yet is due when it was"


@pytest.mark.protocol("2.15")
def test_restart_does_not_make_steps_early(start, api_of):
    server = start()
    api = api_of(server)
    steps = _start(api, 101, timings={"confirmed": 2.5, "preparing": 0, "ready": 0, "picked_up": 0})
    cursor = api.cursor(101)
    server.kill()
    api = api_of(start())
    events = _watched(api, 101, cursor, until="delivered")
    assert [event["status"] for event in events] == list(PROGRESSION[1:])
    assert events[0]["recorded_at"] >= steps[0]["at"]


@pytest.mark.protocol("2.15", "2.3")
def test_killed_simulations_resume_without_lost_or_double_steps(start, api_of):
    server = start()
    api = api_of(server)
    ids = [api.create()["id"] for _ in range(30)]
    for n, id_ in enumerate(ids):
        _start(api, id_, timings=dict.fromkeys(PROGRESSION[:-1], 0.1 + n / 100))
    _watched(api, ids[5], api.cursor(ids[5]).split(".")[0] + ".1", until="preparing")
    server.kill()
    api = api_of(start())
    for id_ in ids:
        epoch = api.cursor(id_).split(".")[0]
        assert [event["status"] for event in _watched(api, id_, f"{epoch}.1", until="delivered")] == list(
            PROGRESSION[1:]
        )
        assert api.order(id_)["version"] == 5
    assert api.stats()["simulations_running"] == 0


@pytest.mark.protocol("2.15")
def test_stopped_simulation_stays_stopped_after_a_restart(start, api_of):
    server = start()
    api = api_of(server)
    _start(api, 101, timings={"confirmed": 1})
    _start(api, 102, timings={"preparing": 1})
    assert api.http.delete(f"{ORDERS}/101/simulate-workflow").status_code == 200
    api.made(102, "ready")
    server.kill()
    api = api_of(start())
    assert api.stats()["simulations_running"] == 0
    assert api.order(101)["version"] == 1
    assert api.order(102)["status"] == "ready"
