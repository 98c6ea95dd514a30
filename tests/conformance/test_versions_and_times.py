"""Section 1: an order is the fold of its events, and its versions and times only go forward."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor

import pytest

from support.api import Api, Json

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
TIME_KEYS = {"at", "recorded_at", "created_at", "updated_at", "server_time", "from", "to"}
ORDER_KEYS = {
    "id", "reference", "customer_id", "restaurant_id", "courier_id", "status", "items", "total", "currency", "address",
    "note", "version", "created_at", "updated_at", "timeline", "cancellation",
    "restaurant_name", "eta",
}  # fmt: skip
EVENT_KEYS = {"version", "type", "status", "at", "recorded_at", "actor", "reason"}


def _lively(api: Api) -> Json:
    """Create an order with every kind of event: a skip, an undo, two couriers, a cancellation and its undo."""
    id_ = api.create(courier_id="first")["id"]
    api.made(id_, "ready", reason="was quick")
    api.made(id_, "preparing", undo=True)
    assert api.assign(id_, "second").status_code == 200
    api.made(id_, "cancelled", reason="burnt")
    api.made(id_, "preparing", undo=True)
    return api.made(id_, "ready", occurred_at="2026-01-01T10:00:00Z")


def _times(value: object) -> list[str]:
    if isinstance(value, list):
        return [time for item in value for time in _times(item)]
    if isinstance(value, dict):
        own = [time for key, time in value.items() if key in TIME_KEYS]
        return own + [time for item in value.values() for time in _times(item)]
    return []


@pytest.mark.protocol("1.1")
def test_every_event_raises_the_version_by_exactly_one(api: Api):
    order = _lively(api)
    assert [event["version"] for event in order["timeline"]] == list(range(1, 8))
    assert order["version"] == 7


@pytest.mark.protocol("1.1")
def test_concurrent_updates_have_consecutive_versions(api: Api):
    id_ = api.create()["id"]
    with ThreadPoolExecutor(8) as clients:
        answers = list(clients.map(lambda n: api.assign(id_, f"courier-{n}"), range(40)))
    versions = sorted(answer.json()["data"]["version"] for answer in answers)
    assert versions == list(range(2, 42))
    assert [event["version"] for event in api.events(id_)] == list(range(1, 42))


@pytest.mark.protocol("1.2")
def test_updates_within_a_millisecond_have_increasing_times(api: Api):
    id_ = api.create()["id"]
    steps = ["preparing", "ready", "picked_up", "delivered"]
    assert api.bulk([{"order_id": id_, "status": status} for status in steps]).status_code == 200
    order = api.order(id_)
    times = [event["recorded_at"] for event in order["timeline"]]
    assert len(times) == 5
    assert times == sorted(set(times))
    assert order["updated_at"] == times[-1]


@pytest.mark.protocol("1.3")
def test_every_time_has_three_decimals_and_z(api: Api):
    id_ = _lively(api)["id"]
    times = [*_times(api.order(id_)), *_times(api.poll(id_).json()), *_times(api.events(id_))]
    assert len(times) > 20
    assert [time for time in times if not TIME.fullmatch(time)] == []


@pytest.mark.protocol("1.3")
def test_a_time_survives_the_date_of_javascript(api: Api):
    """`Date` keeps milliseconds: it writes back the position that it parsed."""
    order = api.at("ready")
    milliseconds = order["updated_at"].removesuffix("Z")[-3:]
    echoed = order["updated_at"][:19] + f".{int(milliseconds):03d}Z"
    assert api.poll(order["id"], last_update=echoed, timeout=0).json()["has_update"] is False


@pytest.mark.protocol("1.4")
def test_snapshot_and_later_events_give_the_current_order(api: Api):
    id_ = api.create(courier_id="first")["id"]
    snapshots = [api.order(id_)]
    snapshots.append(api.made(id_, "ready"))
    snapshots.append(api.made(id_, "confirmed", undo=True))
    snapshots.append(api.assign(id_, 7).json()["data"])
    snapshots.append(api.made(id_, "picked_up"))
    snapshots.append(api.made(id_, "delivered"))
    for snapshot in snapshots:
        order = dict(snapshot)
        for event in api.events(id_, after=snapshot["version"]):
            assert event["version"] == order["version"] + 1
            order |= {"version": event["version"], "status": event["status"], "updated_at": event["recorded_at"]}
            order["courier_id"] = event.get("courier_id", order["courier_id"])
            current = None if event["status"] == "delivered" else event.get("eta", order["eta"]["current"])
            order["eta"] = {**order["eta"], "current": current}
            order["timeline"] = [*order["timeline"], event]
        assert order == snapshots[-1]


@pytest.mark.protocol("1.1", "1.3")
def test_a_new_order_is_confirmed_at_version_1_with_one_event(api: Api):
    order = api.create()
    assert set(order) == ORDER_KEYS
    assert (order["status"], order["version"]) == ("confirmed", 1)
    (created,) = order["timeline"]
    assert set(created) == EVENT_KEYS | {"eta"}
    assert (created["type"], created["status"], created["version"]) == ("created", "confirmed", 1)
    assert order["created_at"] == order["updated_at"] == created["recorded_at"] == created["at"]


@pytest.mark.protocol("1.5")
def test_only_a_cancelled_order_has_a_cancellation(api: Api):
    order = api.at("preparing")
    assert order["cancellation"] is None
    cancelled = api.made(order["id"], "cancelled", reason="sold out")
    assert cancelled["cancellation"] == {"by": cancelled["timeline"][-1]["actor"], "reason": "sold out"}
    assert api.made(order["id"], "preparing", undo=True)["cancellation"] is None


@pytest.mark.protocol("1.10")
def test_an_earlier_occurred_at_is_the_time_of_the_event(api: Api):
    id_ = api.create()["id"]
    event = api.made(id_, "preparing", occurred_at="2026-01-01T11:00:00+01:00")["timeline"][-1]
    assert event["at"] == "2026-01-01T10:00:00.000Z"
    assert event["recorded_at"] > event["at"]


@pytest.mark.protocol("1.10")
def test_a_future_occurred_at_becomes_the_recording_time(api: Api):
    id_ = api.create()["id"]
    event = api.made(id_, "preparing", occurred_at="9999-12-31T23:59:59Z")["timeline"][-1]
    assert event["at"] == event["recorded_at"]


@pytest.mark.protocol("1.10", "2.4")
@pytest.mark.parametrize("text", ["yesterday", "", "2026-13-01T00:00:00Z", "2026-01-01", "1769904000"])
def test_a_malformed_occurred_at_is_refused(api: Api, text: str):
    order = api.create()
    answer = api.set(order["id"], "preparing", occurred_at=text)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_parameter")
    assert api.order(order["id"]) == order
