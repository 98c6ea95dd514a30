"""Section 3: the decision table of the long poll, row by row."""

from __future__ import annotations

import os

import pytest

from support.api import PROGRESSION, Api, Json

ENDS = ("delivered", "cancelled")
ACTIVE = PROGRESSION[:-1]


NEEDS_A_PROXY = pytest.mark.skipif(
    "ORDERTRACK_CONFORMANCE_URL" in os.environ, reason="the server has to trust this machine as a proxy"
)


def _via_proxy(address: str) -> dict[str, str]:
    """Return the header that a proxy adds for a client at this address."""
    return {"X-Forwarded-For": address}


def _cursor(api: Api, order: Json, version: int | None = None) -> str:
    """The cursor of any version of an order."""
    epoch = api.cursor(order["id"]).split(".")[0]
    return f"{epoch}.{order['version'] if version is None else version}"


@pytest.mark.protocol("3.5", "3.20")
@pytest.mark.parametrize("status", [*PROGRESSION, "cancelled"])
def test_a_poll_without_position_and_timeout_is_a_snapshot(api: Api, status: str):
    order = api.at(status)
    answer = api.poll(order["id"]).json()
    assert (answer["has_update"], answer["reason"], answer["reset"]) == (True, "snapshot", False)
    assert answer["data"] == order
    assert answer["events"] == order["timeline"]
    assert answer["terminal"] is (status in ENDS)


@pytest.mark.protocol("3.5", "3.3")
def test_an_empty_position_is_ignored(api: Api):
    id_ = api.create()["id"]
    for query in ({"cursor": ""}, {"last_update": ""}, {"cursor": "", "last_update": ""}):
        assert api.poll(id_, **query).json()["reason"] == "snapshot"


@pytest.mark.protocol("3.6", "3.11")
@pytest.mark.parametrize("status", ACTIVE)
def test_a_poll_with_only_a_timeout_waits_for_the_next_change(api: Api, status: str):
    order = api.at(status)
    held = api.hold(order["id"])
    api.until_held(1)
    assert held.silent()
    changed = api.assign(order["id"], "seven").json()["data"]
    answer = held.answer().json()
    assert (answer["has_update"], answer["reason"], answer["data"]) == (True, "changed", changed)
    assert answer["events"] == changed["timeline"][-1:]


@pytest.mark.protocol("3.6", "3.12")
def test_a_poll_with_only_a_timeout_of_0_has_nothing_new(api: Api):
    order = api.at("preparing")
    answer = api.poll(order["id"], timeout=0).json()
    assert (answer["has_update"], answer["reason"], answer["data"]) == (False, "timeout", order)


@pytest.mark.protocol("3.7")
@pytest.mark.parametrize("query", [{}, {"timeout": 30}, {"timeout": 0}])
@pytest.mark.parametrize("version", [0, 1, 2, 2**63 - 1])
def test_a_cursor_of_another_epoch_is_a_reset_with_all_events(api: Api, query: Json, version: int):
    order = api.at("ready")
    epoch = _cursor(api, order).split(".")[0]
    answer = api.poll(order["id"], cursor=f"{epoch[::-1]}x.{version}", **query).json()
    assert (answer["has_update"], answer["reason"], answer["reset"]) == (True, "reset", True)
    assert (answer["data"], answer["events"]) == (order, order["timeline"])


@pytest.mark.protocol("3.7")
@pytest.mark.parametrize("tag", ['"a1b2"', 'W/"x.y"', "garbage", '""', '"0.1"'])
def test_an_unknown_etag_is_a_reset(api: Api, tag: str):
    order = api.at("ready")
    answer = api.poll(order["id"], {"If-None-Match": tag}, timeout=30).json()
    assert (answer["reason"], answer["reset"], answer["data"]) == ("reset", True, order)


@pytest.mark.protocol("3.7")
def test_an_ended_order_is_reset_for_another_epoch(api: Api):
    order = api.at("delivered")
    answer = api.poll(order["id"], cursor="elsewhere.5", timeout=30).json()
    assert (answer["reason"], answer["reset"], answer["terminal"]) == ("reset", True, True)
    assert (answer["next_poll_interval"], answer["events"]) == (0, order["timeline"])


@pytest.mark.protocol("3.8", "3.20")
@pytest.mark.parametrize("status", [*PROGRESSION[1:], "cancelled"])
@pytest.mark.parametrize("query", [{}, {"timeout": 30}, {"timeout": 0}])
def test_a_poll_that_is_behind_is_answered_at_once(api: Api, status: str, query: Json):
    order = api.at(status)
    for position in range(order["version"]):
        answer = api.poll(order["id"], cursor=_cursor(api, order, position), **query).json()
        assert (answer["has_update"], answer["reason"], answer["reset"]) == (True, "changed", False)
        assert answer["data"] == order
        assert answer["events"] == order["timeline"][position:]
        assert answer["terminal"] is (status in ENDS)


@pytest.mark.protocol("3.8")
def test_all_forms_of_an_old_position_get_the_same_news(api: Api):
    order = api.at("ready")
    cursor = _cursor(api, order, 1)
    first = order["timeline"][0]["recorded_at"]
    answers = [
        api.poll(order["id"], cursor=cursor, timeout=30),
        api.poll(order["id"], {"If-None-Match": f'W/"{cursor}"'}, timeout=30),
        api.poll(order["id"], {"If-None-Match": f'"{cursor}"'}),
        api.poll(order["id"], last_update=first, timeout=30),
        api.poll(order["id"], last_update=first),
    ]
    for answer in answers:
        assert answer.status == 200
        assert (answer.json()["reason"], answer.json()["events"]) == ("changed", order["timeline"][1:])


@pytest.mark.protocol("3.9")
def test_a_poll_ahead_of_the_server_is_reset_after_2_s(api: Api):
    order = api.at("preparing")
    held = api.hold(order["id"], cursor=_cursor(api, order, 7))
    api.until_held(1)
    answer = held.answer().json()
    assert (answer["has_update"], answer["reason"], answer["reset"]) == (True, "reset", True)
    assert (answer["data"], answer["events"]) == (order, order["timeline"])
    assert answer["cursor"] == _cursor(api, order)


@pytest.mark.protocol("3.9")
def test_a_poll_ahead_with_timeout_0_is_reset_at_once(api: Api):
    order = api.create()
    for version in (2, 2**63 - 1):
        answer = api.poll(order["id"], cursor=_cursor(api, order, version), timeout=0).json()
        assert (answer["reason"], answer["reset"]) == ("reset", True)


@pytest.mark.protocol("3.9", "3.15")
def test_polls_ahead_of_an_ended_order_take_no_place(api: Api):
    order = api.at("cancelled")
    limit = api.stats()["max_connections_per_order"]
    polls = [api.hold(order["id"], cursor=_cursor(api, order, 9)) for _ in range(limit + 1)]
    for poll in polls:
        answer = poll.answer().json()
        assert (answer["reason"], answer["terminal"], answer["next_poll_interval"]) == ("reset", True, 0)


@pytest.mark.protocol("3.9", "3.10")
def test_a_poll_that_is_ahead_gets_the_end(api: Api):
    order = api.create()
    held = api.hold(order["id"], cursor=_cursor(api, order, 2))
    api.until_held(1)
    api.made(order["id"], "delivered")
    assert held.answer().json()["reason"] == "terminal"


@pytest.mark.protocol("3.9", "3.17")
def test_a_poll_ahead_is_held_once_the_server_catches_up(api: Api):
    order = api.create()
    held = api.hold(order["id"], cursor=_cursor(api, order, 2))
    api.until_held(1)
    api.made(order["id"], "preparing")
    assert held.silent(), "version 2 is what the client has"
    changed = api.made(order["id"], "ready")
    answer = held.answer().json()
    assert (answer["reason"], answer["reset"], answer["data"]) == ("changed", False, changed)
    assert [event["version"] for event in answer["events"]] == [3]


@pytest.mark.protocol("3.10", "3.21")
@pytest.mark.parametrize("status", ENDS)
def test_an_ended_order_is_never_held(api: Api, status: str):
    order = api.at(status)
    cursor = _cursor(api, order)
    answers = [
        api.poll(order["id"], timeout=30),
        api.poll(order["id"], cursor=cursor, timeout=30),
        api.poll(order["id"], cursor=cursor),
        api.poll(order["id"], {"If-None-Match": f'W/"{cursor}"'}, timeout=30),
        api.poll(order["id"], last_update=order["updated_at"], timeout=30),
        api.poll(order["id"], last_update="9999-01-01T00:00:00Z", timeout=30),
    ]
    for answer in answers:
        assert answer.status == 200
        body = answer.json()
        assert (body["reason"], body["terminal"], body["next_poll_interval"]) == ("terminal", True, 0)
        assert (body["has_update"], body["events"], body["data"]) == (False, [], order)


@pytest.mark.protocol("3.11", "3.17")
@pytest.mark.parametrize("end", ENDS)
def test_a_held_poll_gets_the_end(api: Api, end: str):
    order = api.at("ready")
    held = api.hold(order["id"], cursor=_cursor(api, order))
    api.until_held(1)
    ended = api.made(order["id"], end, reason="so it is")
    answer = held.answer().json()
    assert (answer["reason"], answer["terminal"], answer["next_poll_interval"]) == ("changed", True, 0)
    assert answer["data"] == ended


@pytest.mark.protocol("3.11")
def test_a_held_poll_gets_an_undo(api: Api):
    order = api.at("ready")
    held = api.hold(order["id"], cursor=_cursor(api, order))
    api.until_held(1)
    api.made(order["id"], "preparing", undo=True)
    answer = held.answer().json()
    assert (answer["data"]["status"], answer["events"][0]["type"]) == ("preparing", "reverted")


@pytest.mark.protocol("3.11")
def test_all_forms_of_the_current_position_are_held(api: Api):
    order = api.at("ready")
    cursor = _cursor(api, order)
    held = [
        api.hold(order["id"], cursor=cursor),
        api.hold(order["id"], {"If-None-Match": f'W/"{cursor}"'}),
        api.hold(order["id"], {"If-None-Match": "*"}),
        api.hold(order["id"], last_update=order["updated_at"]),
    ]
    api.until_held(4)
    changed = api.made(order["id"], "picked_up")
    for connection in held:
        answer = connection.answer()
        assert (answer.status, answer.json()["data"]) == (200, changed)
        assert [event["version"] for event in answer.json()["events"]] == [4]


@pytest.mark.protocol("3.11")
def test_a_position_without_a_timeout_is_held(api: Api):
    order = api.at("ready")
    connection = api.connect()
    connection.request("GET", f"/api/v1/orders/{order['id']}/track?cursor={_cursor(api, order)}")
    api.until_held(1)
    assert connection.silent()


@pytest.mark.protocol("3.12", "3.19")
def test_a_poll_at_its_deadline_has_the_order_and_no_update(api: Api):
    order = api.at("ready")
    for query in (
        {"cursor": _cursor(api, order)},
        {"last_update": order["updated_at"]},
        {},
    ):
        answer = api.poll(order["id"], timeout=0.15, **query)
        body = answer.json()
        assert (answer.status, body["has_update"], body["reason"]) == (200, False, "timeout")
        assert (body["data"], body["events"], body["terminal"]) == (order, [], False)
        assert body["cursor"] == _cursor(api, order)


@pytest.mark.protocol("3.12", "3.23")
def test_a_conditional_poll_at_its_deadline_is_304(api: Api):
    order = api.at("ready")
    tag = f'W/"{_cursor(api, order)}"'
    for sent in (tag, tag.removeprefix("W/"), "*"):
        answer = api.poll(order["id"], {"If-None-Match": sent}, timeout=0.15)
        assert (answer.status, answer.body) == (304, b"")
        assert answer.headers["etag"] == tag
        assert answer.headers["cache-control"] == "no-store"


@pytest.mark.protocol("3.1")
def test_a_cursor_precedes_an_etag_and_an_etag_a_time(api: Api):
    order = api.at("ready")
    now, old = _cursor(api, order), _cursor(api, order, 1)
    times = {"now": order["updated_at"], "old": order["timeline"][0]["recorded_at"]}

    def reason(etag: str | None = None, **query: object) -> str:
        answer = api.poll(order["id"], {"If-None-Match": f'W/"{etag}"'} if etag else None, timeout=0, **query)
        return str(answer.json()["reason"]) if answer.status == 200 else str(answer.status)

    assert reason(cursor=now, etag=old, last_update=times["old"]) == "timeout"
    assert reason(cursor=old, etag=now, last_update=times["now"]) == "changed"
    assert reason(cursor="", etag=now, last_update=times["old"]) == "304"
    assert reason(etag=old, last_update=times["now"]) == "changed"
    assert reason(last_update=times["now"]) == "timeout"
    assert reason(last_update=times["old"]) == "changed"


@pytest.mark.protocol("3.14")
def test_a_newer_poll_of_the_same_client_ends_its_older_one(api: Api):
    order = api.at("preparing")
    cursor = _cursor(api, order)
    older = api.hold(order["id"], cursor=cursor, client_id="phone")
    api.until_held(1)
    newer = api.hold(order["id"], cursor=cursor, client_id="phone")
    answer = older.answer()
    assert answer.status == 200
    assert (answer.json()["reason"], answer.json()["has_update"]) == ("superseded", False)
    assert (answer.json()["data"], answer.json()["events"]) == (order, [])
    api.until_held(1)
    api.made(order["id"], "ready")
    assert newer.answer().json()["reason"] == "changed"


@pytest.mark.protocol("3.14")
def test_a_newer_poll_ends_no_poll_of_others(api: Api):
    first, second = api.create(), api.create()
    held = [
        api.hold(first["id"], client_id="phone"),
        api.hold(first["id"], client_id="Phone"),
        api.hold(first["id"]),
        api.hold(first["id"]),
        api.hold(second["id"], client_id="phone"),
    ]
    api.until_held(5)
    assert all(connection.silent() for connection in held)


@pytest.mark.protocol("3.14", "3.15")
def test_a_newer_poll_takes_the_place_of_its_older_one(api: Api):
    order = api.create()
    limit = api.stats()["max_connections_per_order"]
    held = [api.hold(order["id"], client_id=f"phone-{n}") for n in range(limit)]
    api.until_held(limit)
    again = api.hold(order["id"], client_id="phone-3")
    assert held.pop(3).answer().json()["reason"] == "superseded"
    api.until_held(limit)
    assert again.silent()
    assert all(connection.silent() for connection in held)


@pytest.mark.protocol("3.15")
def test_a_poll_above_the_limit_of_an_order_is_429(api: Api):
    order = api.at("ready")
    limit = api.stats()["max_connections_per_order"]
    held = [api.hold(order["id"], cursor=_cursor(api, order)) for _ in range(limit)]
    api.until_held(limit)
    refused = api.poll(order["id"], cursor=_cursor(api, order), timeout=30)
    assert (refused.status, refused.json()["error"]) == (429, "too_many_connections")
    assert int(refused.headers["retry-after"]) >= 1
    assert all(connection.silent() for connection in held)
    held.pop().close()
    api.until_held(limit - 1)
    held.append(api.hold(order["id"], cursor=_cursor(api, order)))
    api.until_held(limit)


@pytest.mark.protocol("3.33")
@NEEDS_A_PROXY
def test_the_oldest_poll_of_an_address_gives_way(api: Api):
    """A proxy may keep the poll of a client that has disconnected."""
    order = api.create()
    limit = api.stats()["max_connections_per_order"]
    first = api.hold(order["id"], _via_proxy("192.0.2.1"))
    api.until_held(1)
    held = [api.hold(order["id"], _via_proxy("192.0.2.1")) for _ in range(limit - 1)]
    api.until_held(limit)
    newest = api.hold(order["id"], _via_proxy("192.0.2.1"))
    answer = first.answer()
    assert (answer.status, answer.json()["reason"], answer.json()["data"]) == (200, "superseded", order)
    assert all(connection.silent() for connection in (*held, newest))
    api.until_held(limit)
    api.made(order["id"], "preparing")
    assert newest.answer().json()["reason"] == "changed"


@pytest.mark.protocol("3.33", "3.15")
@NEEDS_A_PROXY
def test_no_poll_of_another_client_gives_way(api: Api):
    order = api.create()
    limit = api.stats()["max_connections_per_order"]
    held = [api.hold(order["id"], _via_proxy("192.0.2.1")) for _ in range(limit - 1)]
    held.append(api.hold(order["id"], _via_proxy("192.0.2.2"), client_id="phone"))
    api.until_held(limit)
    for address, query in (("192.0.2.2", {}), ("192.0.2.3", {}), ("192.0.2.1", {"client_id": "tablet"})):
        refused = api.poll(order["id"], _via_proxy(address), timeout=30, **query)
        assert (refused.status, refused.json()["error"]) == (429, "too_many_connections")
    assert all(connection.silent() for connection in held)


@pytest.mark.protocol("3.15", "3.18")
def test_unheld_polls_are_answered_at_the_limit(api: Api):
    order = api.at("ready")
    limit = api.stats()["max_connections_per_order"]
    for _ in range(limit):
        api.hold(order["id"])
    api.until_held(limit)
    reasons = [
        api.poll(order["id"]).json()["reason"],
        api.poll(order["id"], cursor=_cursor(api, order, 1), timeout=30).json()["reason"],
        api.poll(order["id"], cursor="elsewhere.1", timeout=30).json()["reason"],
        api.poll(order["id"], cursor=_cursor(api, order), timeout=0).json()["reason"],
    ]
    assert reasons == ["snapshot", "changed", "reset", "timeout"]
    assert api.poll(order["id"], timeout="x").status == 400
    other = api.create()
    api.hold(other["id"])
    api.until_held(limit + 1)


@pytest.mark.protocol("3.18")
def test_errors_are_never_held(api: Api):
    id_ = api.create()["id"]
    assert api.poll(2**62, timeout=30).status == 404
    assert api.poll("pizza", timeout=30).status == 404
    assert api.poll(id_, timeout=30, cursor="?").status == 400
    assert api.held() == 0
