"""Section 3: the bytes of an answer, and the connection after it."""

from __future__ import annotations

from datetime import datetime
from email.utils import parsedate_to_datetime
from itertools import pairwise

import pytest

from support.api import ORDERS, PROGRESSION, Api, Json, track

KEYS = {
    "success", "data", "has_update", "next_poll_interval", "battery_tip", "cursor", "reason", "reset", "terminal",
    "events", "events_truncated", "max_timeout", "server_time",
}  # fmt: skip
INTERVALS = {"confirmed": 120, "preparing": 60, "ready": 30, "picked_up": 30, "delivered": 0, "cancelled": 0}


def _toggled(api: Api, order_id: int, times: int) -> Json:
    """Add this many events to the order and return it."""
    steps = [("ready", False), ("confirmed", True)]
    updates = [{"order_id": order_id, "status": steps[n % 2][0], "undo": steps[n % 2][1]} for n in range(times)]
    assert api.bulk(updates).status_code == 200
    return api.order(order_id)


@pytest.mark.protocol("3.19", "3.21", "3.22")
@pytest.mark.parametrize("status", INTERVALS)
def test_an_answer_has_every_key_and_the_interval_of_its_status(api: Api, status: str):
    order = api.at(status)
    interval = INTERVALS[status]
    tip = f"Next poll in {interval} seconds" if interval else "Order complete: stop polling"
    for query in ({}, {"timeout": 0}, {"cursor": "elsewhere.1"}, {"last_update": "2020-01-01T00:00:00"}):
        body = api.poll(order["id"], **query).json()
        assert set(body) == KEYS
        assert body["success"] is True
        assert body["data"] == order
        assert (body["next_poll_interval"], body["battery_tip"]) == (interval, tip)
        assert body["terminal"] is (interval == 0)
        assert body["max_timeout"] >= 1


@pytest.mark.protocol("3.19", "3.21")
@pytest.mark.parametrize(("start", "to"), [*pairwise(PROGRESSION), ("picked_up", "cancelled")])
def test_the_answer_to_a_change_has_every_key(api: Api, start: str, to: str):
    order = api.at(start)
    held = api.hold(order["id"])
    api.until_held(1)
    changed = api.made(order["id"], to, reason="so it is")
    body = held.answer().json()
    assert set(body) == KEYS
    assert (body["data"], body["next_poll_interval"]) == (changed, INTERVALS[to])


@pytest.mark.protocol("3.20")
@pytest.mark.parametrize(("missed", "truncated"), [(49, False), (50, False), (51, True), (120, True)])
def test_events_are_the_newest_50(api: Api, missed: int, truncated: bool):
    id_ = api.create()["id"]
    cursor = api.cursor(id_)
    order = _toggled(api, id_, missed)
    body = api.poll(id_, cursor=cursor, timeout=30).json()
    assert body["events"] == order["timeline"][1:][-50:]
    assert body["events_truncated"] is truncated
    assert body["data"] == order, "the whole log is in the order all the same"
    assert len(order["timeline"]) == missed + 1


@pytest.mark.protocol("3.20", "3.17")
def test_a_held_poll_gets_at_most_50_events(api: Api):
    id_ = api.create()["id"]
    held = api.hold(id_)
    api.until_held(1)
    order = _toggled(api, id_, 60)
    body = held.answer().json()
    assert body["events"] == order["timeline"][-50:]
    assert body["events_truncated"] is True


@pytest.mark.protocol("3.23")
def test_the_headers_of_an_answer(api: Api):
    id_ = api.create()["id"]
    for answer in (api.poll(id_), api.poll(id_, timeout=0), api.poll(id_, cursor="elsewhere.1")):
        assert answer.headers["content-type"] == "application/json"
        assert answer.headers["etag"] == f'W/"{answer.json()["cursor"]}"'
        assert answer.headers["cache-control"] == "no-store"
        assert "connection" not in answer.headers


@pytest.mark.protocol("3.23")
def test_refusals_are_not_cached(api: Api):
    id_ = api.create()["id"]
    for answer in (api.poll(2**62), api.poll(id_, timeout="x")):
        assert answer.headers["cache-control"] == "no-store"


@pytest.mark.protocol("3.23")
def test_the_date_is_that_of_the_answer(api: Api):
    id_ = api.create()["id"]
    asked_at = datetime.fromisoformat(api.poll(id_).json()["server_time"])
    answer = api.poll(id_, timeout=2.2)
    date, answered_at = (
        parsedate_to_datetime(answer.headers["date"]),
        datetime.fromisoformat(answer.json()["server_time"]),
    )
    assert date == answered_at.replace(microsecond=0)
    assert (date - asked_at).total_seconds() > 1


@pytest.mark.protocol("3.23")
def test_every_answer_has_one_date(api: Api):
    id_ = api.create()["id"]
    with api.connect() as connection:
        for path in (f"{ORDERS}/{id_}", track(id_), "/healthz", "/nothing", track(2**62), "/apidocs/"):
            parsedate_to_datetime(connection.ask("GET", path).headers["date"])


@pytest.mark.protocol("3.12", "3.18")
def test_a_connection_continues_after_a_held_poll(api: Api):
    id_ = api.create()["id"]
    connection = api.hold(id_, timeout=0.15)
    assert connection.answer().json()["reason"] == "timeout"
    assert connection.ask("GET", f"{ORDERS}/{id_}").status == 200
    for step in PROGRESSION[1:4]:
        connection.request("GET", track(id_, timeout=30))
        api.until_held(1)
        api.made(id_, step)
        assert connection.answer().json()["data"]["status"] == step
    assert connection.ask("GET", track(id_), {"If-None-Match": "*", "Prefer": "wait=0"}).status == 304
    assert connection.ask("GET", "/healthz").status == 200
    assert connection.silent()


@pytest.mark.protocol("3.12", "3.11")
def test_requests_behind_a_poll_are_answered_in_order(api: Api):
    id_ = api.create()["id"]
    connection = api.connect()
    connection.send(
        connection.written("GET", track(id_, timeout=0.3))
        + connection.written("GET", f"{ORDERS}/{id_}")
        + connection.written("GET", track(id_, timeout=0))
        + connection.written("GET", f"{ORDERS}/{2**62}")
        + connection.written("GET", "/healthz")
    )
    answers = [connection.answer() for _ in range(5)]
    assert [answer.status for answer in answers] == [200, 200, 200, 404, 200]
    assert [answer.json().get("reason") for answer in answers] == ["timeout", None, "timeout", None, None]
    assert connection.silent()


@pytest.mark.protocol("3.17", "3.11")
def test_pipelined_polls_are_held_one_after_the_other(api: Api):
    id_ = api.create()["id"]
    connection = api.connect()
    poll = connection.written("GET", track(id_, timeout=30))
    connection.send(poll + connection.written("GET", track(id_, timeout=30)))
    for step in ("preparing", "ready"):
        api.until_held(1)
        assert connection.silent()
        api.made(id_, step)
        assert connection.answer().json()["data"]["status"] == step


@pytest.mark.protocol("3.11")
def test_connection_close_ends_the_connection_of_a_poll(api: Api):
    id_ = api.create()["id"]
    connection = api.hold(id_, {"Connection": "close"}, timeout=0.15)
    answer = connection.answer()
    assert (answer.status, answer.headers["connection"]) == (200, "close")
    assert connection.closed_by_peer()


@pytest.mark.protocol("3.11")
def test_a_poll_may_arrive_byte_by_byte(api: Api):
    id_ = api.create()["id"]
    connection = api.connect()
    for byte in connection.written("GET", track(id_, timeout=30)):
        connection.send(bytes([byte]))
    api.until_held(1)
    api.made(id_, "preparing")
    assert connection.answer().json()["reason"] == "changed"


@pytest.mark.protocol("3.11", "3.17")
def test_a_poll_with_a_body_is_held(api: Api):
    id_ = api.create()["id"]
    connection = api.connect()
    connection.request("GET", track(id_, timeout=30), body=b"x" * 1000)
    api.until_held(1)
    api.made(id_, "preparing")
    assert connection.answer().json()["reason"] == "changed"
    assert connection.ask("GET", "/healthz").status == 200


@pytest.mark.protocol("3.15", "3.11")
@pytest.mark.parametrize("how", ["close", "reset", "end_of_sending"])
def test_a_disconnected_client_frees_its_place(api: Api, how: str):
    order = api.create()
    limit = api.stats()["max_connections_per_order"]
    held = [api.hold(order["id"]) for _ in range(limit)]
    api.until_held(limit)
    for left in range(limit - 1, -1, -1):
        getattr(held.pop(), how)()
        api.until_held(left)
    assert api.stats()["orders_watched"] == 0
    api.made(order["id"], "preparing")


@pytest.mark.protocol("3.18")
def test_no_answer_is_ever_408(api: Api):
    id_ = api.create()["id"]
    assert {api.poll(id_, timeout=timeout).status for timeout in (0, 0.01, 0.1)} == {200}
    assert api.poll(id_, {"If-None-Match": "*"}, timeout=0.1).status == 304


@pytest.mark.protocol("2.13", "3.18")
def test_head_of_a_poll_has_its_headers_and_is_never_held(api: Api):
    id_ = api.create()["id"]
    with api.connect() as connection:
        head = connection.ask("HEAD", track(id_, cursor=api.cursor(id_), timeout=30))
        get = connection.ask("GET", track(id_))
    assert (head.status, head.body) == (200, b"")
    assert head.headers["etag"] == get.headers["etag"]
    assert head.headers["content-length"] == get.headers["content-length"]
