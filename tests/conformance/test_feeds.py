"""Section 3, feeds: one poll for all orders of a customer, a restaurant or a courier."""

from __future__ import annotations

import itertools
import json
import random
import uuid
from collections.abc import Mapping
from urllib.parse import quote, urlencode

import pytest

from support.api import STATUSES, Api, Json
from support.http1 import Answer, Connection

KINDS = ("customer", "restaurant", "courier")
KEYS = {
    "success", "data", "has_update", "next_poll_interval", "battery_tip", "cursor", "reason", "reset", "terminal",
    "events", "events_truncated", "max_timeout", "server_time", "left", "more",
}  # fmt: skip


def _new_id() -> str:
    return uuid.uuid4().hex


def _track(kind: str, id_: str, **query: object) -> str:
    return f"/api/v1/{kind}s/{quote(id_, safe='')}/track" + (f"?{urlencode(query)}" if query else "")


class Feed:
    """A new party, without orders."""

    def __init__(self, api: Api, kind: str, id_: str | None = None) -> None:
        self.api = api
        self.kind = kind
        self.id = id_ or _new_id()

    def place(self, **fields: object) -> Json:
        return self.api.create(**{f"{self.kind}_id": self.id, **fields})

    def poll(self, headers: Mapping[str, str] | None = None, **query: object) -> Answer:
        with Connection(self.api.url) as connection:
            return connection.ask("GET", _track(self.kind, self.id, **query), headers)

    def told(self, **query: object) -> Json:
        answer = self.poll(**query)
        assert answer.status == 200, answer.body
        body: Json = answer.json()
        return body

    def hold(self, headers: Mapping[str, str] | None = None, **query: object) -> Connection:
        connection = self.api.connect()
        connection.request("GET", _track(self.kind, self.id, **{"timeout": 30, **query}), headers)
        return connection


@pytest.fixture(params=KINDS)
def feed(api: Api, request: pytest.FixtureRequest) -> Feed:
    return Feed(api, request.param)


def _ids(body: Json) -> list[int]:
    return [order["id"] for order in body["data"]["orders"]]


# Parties


@pytest.mark.protocol("3.25", "3.27")
def test_a_new_party_has_an_empty_feed(feed: Feed):
    body = feed.told()
    assert (body["data"], body["left"], body["more"], body["reason"]) == ({"orders": []}, [], False, "snapshot")
    assert body["cursor"].endswith(".0")
    assert feed.told(timeout=0)["reason"] == "timeout"


@pytest.mark.protocol("3.25", "3.32")
def test_a_poll_of_a_new_party_is_held(feed: Feed):
    held = feed.hold(cursor=feed.told()["cursor"])
    feed.api.until_held(1)
    order = feed.place()
    assert held.answer().json()["data"] == {"orders": [order]}


@pytest.mark.protocol("3.25")
@pytest.mark.parametrize(("kind", "id_"), [("customer", ""), ("restaurant", "x" * 65), ("courier", "a%00b")])
def test_a_malformed_id_is_refused_at_once(api: Api, kind: str, id_: str):
    """`tests/http/test_paths.py` has every malformed id."""
    with api.connect() as connection:
        answer = connection.ask("GET", f"/api/v1/{kind}s/{id_}/track?timeout=30")
    assert (answer.status, answer.json()["error"], answer.json()["field"]) == (400, "invalid_parameter", f"{kind}_id")


@pytest.mark.protocol("3.25")
@pytest.mark.parametrize(
    "text", ["a/b", "/", "a b", "100%", "%41", "ü🍕", "a+b", "x/track", "?", "#", "..", "'; DROP", "é" * 31]
)
def test_an_id_is_percent_decoded_once(api: Api, text: str):
    feed = Feed(api, "courier", f"{_new_id()[:20]}-{text}"[:64])
    order = feed.place()
    assert feed.told()["data"] == {"orders": [order]}
    held = feed.hold()
    feed.api.until_held(1)
    changed = feed.api.made(order["id"], "preparing")
    assert held.answer().json()["data"] == {"orders": [changed]}


@pytest.mark.protocol("3.25")
def test_the_longest_id_has_64_characters(feed: Feed):
    feed.id = (_new_id() + "é" * 64)[:64]
    order = feed.place()
    assert _ids(feed.told()) == [order["id"]]


@pytest.mark.protocol("3.25")
def test_parties_of_different_kinds_may_share_an_id(api: Api):
    id_ = _new_id()
    order = Feed(api, "customer", id_).place()
    assert _ids(Feed(api, "customer", id_).told()) == [order["id"]]
    assert _ids(Feed(api, "restaurant", id_).told()) == _ids(Feed(api, "courier", id_).told()) == []


# Positions


@pytest.mark.protocol("3.26")
@pytest.mark.parametrize("query", [{}, {"timeout": 30}, {"cursor": "a1b2.3"}, {"timeout": 0}])
def test_last_update_is_refused(feed: Feed, query: Json):
    answer = feed.poll(last_update="2026-11-22T10:15:30.123Z", **query)
    assert (answer.status, answer.json()["error"]) == (400, "invalid_parameter")
    assert answer.json()["field"] == "last_update"
    assert "cursor" in answer.json()["message"]


@pytest.mark.protocol("3.26", "3.3")
def test_an_empty_last_update_is_ignored(feed: Feed):
    assert feed.told(last_update="")["reason"] == "snapshot"


@pytest.mark.protocol("3.26", "3.7")
@pytest.mark.parametrize("query", [{}, {"timeout": 30}])
def test_a_cursor_of_another_epoch_is_a_reset(feed: Feed, query: Json):
    order = feed.place()
    for answer in (feed.poll(cursor="elsewhere.1", **query), feed.poll({"If-None-Match": 'W/"x.1"'}, **query)):
        body = answer.json()
        assert (body["reason"], body["reset"], body["data"]) == ("reset", True, {"orders": [order]})


@pytest.mark.protocol("3.26", "3.12")
def test_the_etag_is_the_position_and_no_news_is_304(feed: Feed):
    feed.place()
    first = feed.poll()
    assert first.headers["etag"] == f'W/"{first.json()["cursor"]}"'
    quiet = feed.poll({"If-None-Match": first.headers["etag"]}, timeout=0.05)
    assert (quiet.status, quiet.headers["etag"], quiet.body) == (304, first.headers["etag"], b"")
    order = feed.place()
    news = feed.poll({"If-None-Match": first.headers["etag"]}, timeout=30)
    assert (news.status, news.json()["data"]) == (200, {"orders": [order]})


@pytest.mark.protocol("3.26", "3.9")
def test_a_position_ahead_of_the_server_ends_in_a_reset(feed: Feed):
    order = feed.place()
    epoch = feed.told()["cursor"].split(".")[0]
    body = feed.told(cursor=f"{epoch}.9", timeout=0.2)
    assert (body["reason"], body["reset"], body["data"]) == ("reset", True, {"orders": [order]})


@pytest.mark.protocol("3.26", "3.3")
@pytest.mark.parametrize("cursor", ["x", "a1b2.3.i0", "a1b2.3.i", "a1b2.3.4.5", "a1b2.-1"])
def test_a_malformed_cursor_is_refused(feed: Feed, cursor: str):
    assert feed.poll(cursor=cursor, timeout=30).status == 400


# Answers


@pytest.mark.protocol("3.27", "3.31", "3.23")
def test_an_answer_has_every_key_and_whole_orders(feed: Feed):
    order = feed.place()
    for answer in (feed.poll(), feed.poll(timeout=0), feed.poll(cursor="elsewhere.1")):
        body = answer.json()
        assert set(body) == KEYS
        assert (body["success"], body["terminal"], body["events"], body["events_truncated"]) == (True, False, [], False)
        assert body["data"] == {"orders": [order] if body["has_update"] else []}
        assert (answer.headers["content-type"], answer.headers["cache-control"]) == ("application/json", "no-store")


@pytest.mark.protocol("3.27")
def test_a_snapshot_has_the_running_orders_by_id(feed: Feed):
    orders = {status: feed.place() for status in STATUSES}
    for status in reversed(STATUSES):
        if status != "confirmed":
            feed.api.made(orders[status]["id"], status, reason="so")
    expected = [feed.api.order(orders[status]["id"]) for status in ("confirmed", "preparing", "ready", "picked_up")]
    assert feed.told()["data"] == {"orders": expected}


@pytest.mark.protocol("3.27", "3.8")
def test_each_changed_order_comes_once_in_its_current_state(feed: Feed):
    one, two, three = feed.place(), feed.place(), feed.place()
    cursor = feed.told()["cursor"]
    feed.api.made(two["id"], "preparing")
    feed.api.made(one["id"], "preparing")
    feed.api.made(two["id"], "delivered")
    body = feed.told(cursor=cursor, timeout=30)
    assert (body["reason"], _ids(body)) == ("changed", [one["id"], two["id"]])
    assert body["data"]["orders"][1] == feed.api.order(two["id"])
    assert three["id"] not in _ids(body)


@pytest.mark.protocol("3.27", "3.12", "3.14")
def test_without_news_the_position_stays(feed: Feed):
    feed.place()
    cursor = feed.told()["cursor"]
    older = feed.hold(cursor=cursor, client_id="me")
    feed.api.until_held(1)
    newer = feed.hold(cursor=cursor, client_id="me", timeout=0.3)
    for connection, reason in ((older, "superseded"), (newer, "timeout")):
        body = connection.answer().json()
        assert (body["reason"], body["has_update"], body["cursor"]) == (reason, False, cursor)
        assert (body["data"], body["left"], body["more"]) == ({"orders": []}, [], False)


@pytest.mark.protocol("3.28")
def test_a_courier_gets_the_orders_that_left(api: Api):
    gives, takes = Feed(api, "courier"), Feed(api, "courier")
    order, stays = gives.place(), gives.place()
    before = gives.told()["cursor"]
    order = api.assign(order["id"], takes.id).json()["data"]
    body = gives.told(cursor=before, timeout=30)
    assert (body["left"], body["data"]) == ([order["id"]], {"orders": []})
    assert takes.told()["data"] == {"orders": [order]}
    snapshot = gives.told()
    assert (snapshot["left"], snapshot["data"]) == ([], {"orders": [stays]})
    order = api.assign(order["id"], gives.id).json()["data"]
    body = gives.told(cursor=before)
    assert (body["left"], body["data"]) == ([], {"orders": [order]})


# Pages


def _many(feed: Feed, count: int) -> list[int]:
    return [feed.place()["id"] for _ in range(count)]


@pytest.mark.protocol("3.29", "3.30")
def test_more_than_100_changes_come_in_pages(api: Api):
    feed = Feed(api, "restaurant")
    start = feed.told()["cursor"]
    ids = _many(feed, 100)
    body = feed.told(cursor=start, timeout=30)
    assert (_ids(body), body["more"]) == (ids, False)
    ids += _many(feed, 130)
    seen: list[int] = []
    for expected in (100, 100, 30):
        body = feed.told(cursor=body["cursor"] if seen else start, timeout=30)
        assert (len(_ids(body)), body["more"], body["reason"]) == (expected, expected == 100, "changed")
        seen += _ids(body)
    assert seen == ids
    assert feed.told(cursor=body["cursor"], timeout=0)["reason"] == "timeout"


@pytest.mark.protocol("3.29", "3.30")
def test_snapshot_pages_include_changes_made_between_them(api: Api):
    feed = Feed(api, "restaurant")
    ids = _many(feed, 130)
    api.bulk([{"order_id": id_, "status": "cancelled"} for id_ in ids[110:120]])
    first = feed.told()
    assert (_ids(first), first["more"], first["reason"]) == (ids[:100], True, "snapshot")
    api.made(ids[105], "cancelled")
    api.made(ids[5], "preparing")
    new = feed.place()
    second = feed.told(cursor=first["cursor"], timeout=30)
    assert (second["reason"], second["reset"], second["more"]) == ("changed", False, False)
    assert _ids(second) == [*ids[100:105], *ids[106:110], *ids[120:], ids[105], ids[5], new["id"]]


@pytest.mark.protocol("3.30")
def test_a_page_of_a_snapshot_is_not_held(api: Api):
    feed = Feed(api, "restaurant")
    ids = _many(feed, 101)
    first = feed.told()
    for answer in (feed.poll(cursor=first["cursor"], timeout=30), feed.poll({"If-None-Match": f'"{first["cursor"]}"'})):
        body = answer.json()
        assert (_ids(body), body["reason"], body["more"]) == (ids[100:], "changed", False)
        assert feed.told(cursor=body["cursor"], timeout=0)["reason"] == "timeout"


@pytest.mark.protocol("3.30")
def test_a_page_cursor_of_an_earlier_version_begins_anew(api: Api):
    feed = Feed(api, "restaurant")
    order = feed.place()
    body = feed.told(cursor=feed.told()["cursor"].replace(".1", ".0.1"), timeout=30)
    assert (body["reason"], body["reset"], body["data"]) == ("reset", True, {"orders": [order]})


@pytest.mark.protocol("3.29", "3.30")
def test_an_answer_has_at_most_about_a_megabyte(api: Api):
    feed = Feed(api, "restaurant")
    large = [{"name": "pizza", "note": "x" * 1_000}] * 55
    ids = [feed.place(items=large)["id"] for _ in range(20)]
    body, seen = feed.told(), []
    held = feed.hold(cursor=_followed(feed, body, seen))
    assert seen == ids
    api.until_held(1)
    api.bulk([{"order_id": id_, "status": "ready"} for id_ in ids])
    woken = held.answer()
    seen.clear()
    _followed(feed, woken.json(), seen)
    assert seen == ids


def _followed(feed: Feed, body: Json, seen: list[int]) -> str:
    """Follow the pages from this one to the end and return the last cursor. `seen` gets the ids of the orders."""
    pages = 0
    while True:
        assert len(json.dumps(body)) < 1_100_000
        seen += _ids(body)
        pages += 1
        if not body["more"]:
            assert pages == 2
            return str(body["cursor"])
        body = feed.told(cursor=body["cursor"], timeout=30)


@pytest.mark.protocol("3.29", "3.28")
def test_departures_are_entries_of_a_page(api: Api):
    gives, takes = Feed(api, "courier"), Feed(api, "courier")
    ids = _many(gives, 105)
    cursor = gives.told(cursor=gives.told()["cursor"])["cursor"]
    for id_ in ids:
        api.assign(id_, takes.id)
    body = gives.told(cursor=cursor)
    assert (body["left"], body["data"], body["more"]) == (ids[:100], {"orders": []}, True)
    body = gives.told(cursor=body["cursor"])
    assert (body["left"], body["more"]) == (ids[100:], False)


@pytest.mark.protocol("3.29", "3.32")
def test_a_commit_of_more_than_a_page_answers_its_first_page(api: Api):
    feed = Feed(api, "restaurant")
    ids = _many(feed, 120)
    body = feed.told()
    held = feed.hold(cursor=feed.told(cursor=body["cursor"])["cursor"])
    api.until_held(1)
    api.bulk([{"order_id": id_, "status": "preparing"} for id_ in ids])
    body = held.answer().json()
    assert (_ids(body), body["more"]) == (ids[:100], True)
    body = feed.told(cursor=body["cursor"], timeout=30)
    assert (_ids(body), body["more"]) == (ids[100:], False)


@pytest.mark.protocol("3.30")
@pytest.mark.parametrize("seed", range(2))
def test_following_the_cursor_gives_every_final_state(api: Api, seed: int):
    dice = random.Random(seed)
    feed = Feed(api, "restaurant")
    ids = _many(feed, 115)
    known: dict[int, Json] = {}
    body = feed.told()
    for round_ in itertools.count():
        known |= {order["id"]: order for order in body["data"]["orders"]}
        if round_ < 6:
            steps = [(dice.choice(ids), dice.choice(STATUSES[1:])) for _ in range(80)]
            api.bulk([{"order_id": id_, "status": status, "reason": "so"} for id_, status in steps])
        elif not body["has_update"]:
            break
        body = feed.told(cursor=body["cursor"], timeout=0.05)
    assert known == {id_: api.order(id_) for id_ in ids}


# Intervals


@pytest.mark.protocol("3.31", "3.22")
@pytest.mark.parametrize(
    ("statuses", "interval"),
    [
        ((), 120),
        (("delivered", "cancelled"), 120),
        (("confirmed",), 120),
        (("confirmed", "preparing", "delivered"), 60),
        (("preparing", "ready"), 30),
        (("picked_up",), 30),
    ],
)
def test_the_interval_is_the_shortest_of_the_orders(api: Api, statuses: tuple[str, ...], interval: int):
    feed = Feed(api, "restaurant")
    start = feed.told()["cursor"]
    for status in statuses:
        id_ = feed.place()["id"]
        if status != "confirmed":
            feed.api.made(id_, status, reason="so")
    for query in ({}, {"cursor": start, "timeout": 0}):
        body = feed.told(**query)
        assert (body["next_poll_interval"], body["terminal"]) == (interval, False)
        assert body["battery_tip"] == f"Next poll in {interval} seconds"
    assert feed.told(timeout=0)["next_poll_interval"] == 120


# Waking


@pytest.mark.protocol("3.32", "3.17")
def test_a_change_answers_the_polls_of_all_its_feeds(api: Api):
    feeds = [Feed(api, kind) for kind in KINDS]
    order = api.create(**{f"{feed.kind}_id": feed.id for feed in feeds})
    held = [feed.hold() for feed in feeds]
    held_order, bystander = api.hold(order["id"]), Feed(api, "restaurant").hold(timeout=1)
    api.until_held(5)
    changed = api.made(order["id"], "preparing")
    for connection in held:
        body = connection.answer().json()
        assert (body["reason"], body["data"]) == ("changed", {"orders": [changed]})
    assert held_order.answer().json()["data"] == changed
    assert bystander.answer().json()["reason"] == "timeout"


@pytest.mark.protocol("3.32", "3.28")
def test_a_held_poll_of_a_courier_is_told_of_a_departure(api: Api):
    gives, takes = Feed(api, "courier"), Feed(api, "courier")
    order = gives.place()
    losing, winning = gives.hold(), takes.hold()
    api.until_held(2)
    order = api.assign(order["id"], takes.id).json()["data"]
    body = losing.answer().json()
    assert (body["left"], body["data"]) == ([order["id"]], {"orders": []})
    body = winning.answer().json()
    assert (body["left"], body["data"]) == ([], {"orders": [order]})


@pytest.mark.protocol("3.32")
@pytest.mark.parametrize("twice", [False, True])
def test_all_changes_of_a_commit_come_in_one_answer(api: Api, twice: bool):
    feed = Feed(api, "restaurant")
    ids = _many(feed, 4)
    held = [feed.hold() for _ in range(3)]
    api.until_held(3)
    updates = [{"order_id": id_, "status": "preparing"} for id_ in ids]
    last = [{"order_id": ids[0], "status": "ready"}] if twice else []
    assert api.bulk(updates + last).status_code == 200
    expected = [*ids[1:], ids[0]] if twice else ids
    for connection in held:
        body = connection.answer().json()
        assert _ids(body) == expected
        assert feed.told(cursor=body["cursor"], timeout=0)["reason"] == "timeout"


@pytest.mark.protocol("3.32", "3.15")
def test_every_feed_has_its_own_limit(feed: Feed):
    api = feed.api
    limit = api.stats()["max_connections_per_order"]
    for _ in range(limit):
        feed.hold()
    api.until_held(limit)
    refused = feed.poll(timeout=30)
    assert (refused.status, refused.json()["error"]) == (429, "too_many_connections")
    assert feed.told()["reason"] == "snapshot"
    other = Feed(api, feed.kind).hold(timeout=0.05)
    assert other.answer().json()["reason"] == "timeout"


@pytest.mark.protocol("2.13", "3.18")
def test_a_feed_can_only_be_read(feed: Feed):
    with feed.api.connect() as connection:
        answer = connection.ask("POST", _track(feed.kind, feed.id))
        assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD, OPTIONS")
        head = connection.ask("HEAD", _track(feed.kind, feed.id, timeout=30))
        assert (head.status, head.body) == (200, b"")
