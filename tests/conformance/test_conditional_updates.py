"""Section 1: conditional updates, and couriers."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from support.api import ORDERS, Api, Json


def _if_match(api: Api, order: Json, tag: str, status: str) -> httpx.Response:
    return api.http.put(f"{ORDERS}/{order['id']}/status", json={"status": status}, headers={"If-Match": tag})


def _etag(api: Api, order: Json) -> str:
    return api.http.get(f"{ORDERS}/{order['id']}").headers["ETag"]


@pytest.mark.protocol("1.11")
def test_an_update_that_names_the_current_version_is_made(api: Api):
    order = api.create()
    assert api.made(order["id"], "preparing", expected_version=1)["version"] == 2
    assert api.made(order["id"], "ready", expected_version=2)["version"] == 3


@pytest.mark.protocol("1.11")
@pytest.mark.parametrize("version", [1, 3, 4, 2**63 - 1])
def test_an_update_of_another_version_is_a_conflict(api: Api, version: int):
    order = api.at("preparing")
    answer = api.set(order["id"], "ready", expected_version=version)
    problem = answer.json()
    assert (answer.status_code, problem["error"]) == (409, "version_conflict")
    assert (problem["current_status"], problem["current_version"]) == ("preparing", 2)
    assert api.order(order["id"]) == order


@pytest.mark.protocol("1.11", "2.9")
def test_if_match_with_the_current_etag_gets_the_next_etag(api: Api):
    order = api.create()
    answer = _if_match(api, order, _etag(api, order), "preparing")
    assert answer.status_code == 200
    assert answer.headers["ETag"] == _etag(api, order)
    assert _if_match(api, order, answer.headers["ETag"], "ready").json()["data"]["version"] == 3


@pytest.mark.protocol("1.11")
@pytest.mark.parametrize("tag", ['"of-another-server"', "garbage", '""', '"0.1"'])
def test_if_match_with_an_unknown_etag_is_412(api: Api, tag: str):
    order = api.create()
    answer = _if_match(api, order, tag, "preparing")
    problem = answer.json()
    assert (answer.status_code, problem["error"]) == (412, "precondition_failed")
    assert (problem["current_status"], problem["current_version"]) == ("confirmed", 1)
    assert api.order(order["id"]) == order


@pytest.mark.protocol("1.11")
def test_if_match_needs_the_current_etag_in_its_list(api: Api):
    order = api.create()
    old = _etag(api, order)
    api.made(order["id"], "preparing")
    assert _if_match(api, order, old, "ready").status_code == 412
    assert _if_match(api, order, f'"other", {_etag(api, order)}', "ready").status_code == 200


@pytest.mark.protocol("1.11")
def test_if_match_star_needs_only_an_existing_order(api: Api):
    order = api.at("preparing")
    assert _if_match(api, order, "*", "ready").status_code == 200
    assert _if_match(api, {"id": 2**62}, "*", "ready").status_code == 404


@pytest.mark.protocol("1.11", "1.6")
def test_repeating_a_conditional_update_is_not_a_conflict(api: Api):
    """A client whose answer was lost sends the same request again."""
    order = api.create()
    tag = _etag(api, order)
    made = _if_match(api, order, tag, "preparing").json()["data"]
    again = _if_match(api, order, tag, "preparing")
    assert (again.status_code, again.json()["changed"], again.json()["data"]) == (200, False, made)
    again = api.set(order["id"], "preparing", expected_version=1)
    assert (again.status_code, again.json()["changed"], again.json()["data"]) == (200, False, made)


@pytest.mark.protocol("1.11")
def test_one_of_many_updates_of_a_version_succeeds(api: Api):
    order = api.create()
    with ThreadPoolExecutor(8) as clients:
        answers = list(
            clients.map(
                lambda status: api.set(order["id"], status, expected_version=1),
                ["preparing", "ready", "picked_up", "delivered"] * 2,
            )
        )
    changed = [answer for answer in answers if answer.status_code == 200 and answer.json()["changed"]]
    assert len(changed) == 1
    assert {answer.status_code for answer in answers} == {200, 409}
    assert api.order(order["id"])["version"] == 2


@pytest.mark.protocol("1.12")
@pytest.mark.parametrize("status", ["confirmed", "preparing", "ready", "picked_up"])
def test_assigning_a_courier_is_news_and_keeps_the_status(api: Api, status: str):
    order = api.at(status)
    held = api.hold(order["id"])
    api.until_held(1)
    answer = api.assign(order["id"], "seven")
    assert (answer.status_code, answer.json()["changed"]) == (200, True)
    assigned = answer.json()["data"]
    event = assigned["timeline"][-1]
    assert (assigned["status"], assigned["courier_id"], assigned["version"]) == (status, "seven", order["version"] + 1)
    assert (event["type"], event["courier_id"], event["status"]) == ("courier_assigned", "seven", status)
    assert held.answer().json()["events"] == [event]


@pytest.mark.protocol("1.12", "1.6")
def test_the_same_courier_again_changes_nothing(api: Api):
    order = api.create(courier_id="seven")
    answer = api.assign(order["id"], "seven")
    assert (answer.status_code, answer.json()["changed"], answer.json()["data"]) == (200, False, order)


@pytest.mark.protocol("1.12")
@pytest.mark.parametrize("status", ["delivered", "cancelled"])
def test_an_ended_order_gets_no_courier(api: Api, status: str):
    order = api.at(status)
    answer = api.assign(order["id"], "seven")
    assert (answer.status_code, answer.json()["error"]) == (409, "order_ended")
    assert api.order(order["id"]) == order


@pytest.mark.protocol("1.11", "1.12")
def test_a_courier_can_be_assigned_conditionally(api: Api):
    order = api.create()
    tag = _etag(api, order)
    api.made(order["id"], "preparing")
    assert api.assign(order["id"], "seven", {"If-Match": tag}).status_code == 412
    assert api.assign(order["id"], "seven", {"If-Match": _etag(api, order)}).status_code == 200
