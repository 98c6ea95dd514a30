"""Section 2: many updates in one request, one durable commit, one result each."""

from __future__ import annotations

import pytest

from support.api import BULK, JSON, PROGRESSION, Api, Json

RESULT_KEYS = {"order_id", "success", "changed", "status", "version", "updated_at"}


def _results(api: Api, updates: list[Json]) -> list[Json]:
    answer = api.bulk(updates)
    assert answer.status_code == 200, answer.text
    results: list[Json] = answer.json()["data"]["results"]
    return results


@pytest.mark.protocol("2.8")
def test_each_update_has_its_result_in_the_order_of_the_request(api: Api):
    ids = [api.create()["id"] for _ in range(5)]
    ids.reverse()
    results = _results(api, [{"order_id": id_, "status": "preparing"} for id_ in ids])
    assert [result["order_id"] for result in results] == ids
    for id_, result in zip(ids, results, strict=True):
        order = api.order(id_)
        assert set(result) == RESULT_KEYS
        assert (result["success"], result["changed"]) == (True, True)
        assert [result[key] for key in ("status", "version", "updated_at")] == ["preparing", 2, order["updated_at"]]


@pytest.mark.protocol("2.8", "1.9", "1.8")
def test_a_refused_update_does_not_stop_the_others(api: Api):
    delivered, on_its_way, fresh = api.at("delivered"), api.at("picked_up"), api.create()
    results = _results(
        api,
        [
            {"order_id": delivered["id"], "status": "ready"},
            {"order_id": 2**62, "status": "ready"},
            {"order_id": on_its_way["id"], "status": "cancelled"},
            {"order_id": fresh["id"], "status": "ready", "expected_version": 9},
            {"order_id": delivered["id"], "status": "delivered"},
            {"order_id": fresh["id"], "status": "ready"},
        ],
    )
    assert [result.get("error") for result in results] == [
        "illegal_transition", "order_not_found", "reason_required", "version_conflict", None, None,
    ]  # fmt: skip
    assert [result["success"] for result in results] == [False] * 4 + [True] * 2
    assert [result.get("changed") for result in results] == [None] * 4 + [False, True]
    assert (results[0]["current_status"], results[0]["current_version"]) == ("delivered", 5)
    assert results[0]["legal_next"] == []
    assert all(result["message"] for result in results[:4])
    assert api.order(delivered["id"]) == delivered
    assert api.order(on_its_way["id"]) == on_its_way
    assert api.order(fresh["id"])["status"] == "ready"


@pytest.mark.protocol("2.8", "1.1")
def test_updates_of_one_order_are_made_in_sequence(api: Api):
    id_ = api.create()["id"]
    held = api.hold(id_)
    api.until_held(1)
    results = _results(api, [{"order_id": id_, "status": status} for status in PROGRESSION[1:]])
    assert [(result["status"], result["version"]) for result in results] == list(
        zip(PROGRESSION[1:], range(2, 6), strict=True)
    )
    answer = held.answer().json()
    assert answer["data"] == api.order(id_)
    assert [event["status"] for event in answer["events"]] == list(PROGRESSION[1:]), (
        "one commit, one answer, nothing left out"
    )


@pytest.mark.protocol("2.8")
def test_a_bulk_update_has_all_fields_of_a_single_one(api: Api):
    ready, on_its_way = api.at("ready"), api.at("picked_up")
    _results(
        api,
        [
            {"order_id": ready["id"], "status": "preparing", "undo": True, "reason": "cold", "expected_version": 3},
            {"order_id": on_its_way["id"], "status": "cancelled", "reason": "lost", "occurred_at": "2026-01-01T10:00Z"},
        ],
    )
    event = api.order(ready["id"])["timeline"][-1]
    assert (event["type"], event["reason"], event["undoes"]) == ("reverted", "cold", 3)
    event = api.order(on_its_way["id"])["timeline"][-1]
    assert (event["status"], event["reason"], event["at"]) == ("cancelled", "lost", "2026-01-01T10:00:00.000Z")


@pytest.mark.protocol("2.8")
def test_1000_updates_are_accepted_and_1001_refused(api: Api):
    id_ = api.create()["id"]
    steps = [("ready", False), ("confirmed", True)]
    updates: list[Json] = [
        {"order_id": id_ if n < 400 else 2**62, "status": steps[n % 2][0], "undo": steps[n % 2][1]} for n in range(1000)
    ]
    answer = api.bulk([*updates, updates[0]])
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_body")
    assert api.order(id_)["version"] == 1
    results = _results(api, updates)
    assert [result.get("version") for result in results] == [*range(2, 402), *[None] * 600]
    assert {result["error"] for result in results[400:]} == {"order_not_found"}
    assert api.order(id_)["version"] == 401


@pytest.mark.protocol("2.8")
@pytest.mark.parametrize("updates", [[], None, {}, "all", [1], [{"order_id": 101}], [{"status": "ready"}]])
def test_a_body_without_valid_updates_is_refused(api: Api, updates: object):
    answer = api.http.post(BULK, json={"updates": updates})
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_body")


@pytest.mark.protocol("2.8")
@pytest.mark.parametrize(
    "broken",
    [
        {"order_id": "101", "status": "ready"},
        {"order_id": 0, "status": "ready"},
        {"order_id": 2**63, "status": "ready"},
        {"order_id": 1.5, "status": "ready"},
        {"order_id": 101, "status": "eaten"},
        {"order_id": 101, "status": "ready", "occurred_at": "soon"},
    ],
)
def test_one_malformed_update_refuses_all(api: Api, broken: Json):
    order = api.create()
    good = {"order_id": order["id"], "status": "preparing"}
    assert api.bulk([good, broken]).status_code == 400
    assert api.http.post(BULK, content=b'{"updates": [{"order_id"', headers=JSON).status_code == 400
    assert api.order(order["id"]) == order
