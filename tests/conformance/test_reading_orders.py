"""Section 2: one order, lists of them, and their logs."""

from __future__ import annotations

import secrets

import pytest

from support.api import ORDERS, PROGRESSION, Api, Json

MALFORMED_PAGES = [
    {"limit": "0"}, {"limit": "101"}, {"limit": "-1"}, {"limit": "ten"}, {"limit": ""}, {"limit": "1.5"},
    {"limit": "٣"}, {"cursor": "x"}, {"cursor": "o0"}, {"cursor": "1"}, {"status": "eaten"}, {"status": ""},
]  # fmt: skip


def _page(api: Api, **query: object) -> Json:
    page: Json = api.http.get(ORDERS, params=query).raise_for_status().json()["data"]
    return page


@pytest.mark.protocol("2.9")
def test_if_none_match_with_the_etag_of_an_order_is_304(api: Api):
    order = api.create()
    path = f"{ORDERS}/{order['id']}"
    first = api.http.get(path)
    tag = first.headers["ETag"]
    for sent in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        unchanged = api.http.get(path, headers={"If-None-Match": sent})
        assert (unchanged.status_code, unchanged.content) == (304, b""), sent
        assert unchanged.headers["ETag"] == tag
    for sent in ('"other"', "garbage", '""'):
        assert api.http.get(path, headers={"If-None-Match": sent}).content == first.content


@pytest.mark.protocol("2.9")
def test_every_change_gives_another_etag(api: Api):
    order = api.create()
    path = f"{ORDERS}/{order['id']}"
    tags = [api.http.get(path).headers["ETag"]]
    for step in PROGRESSION[1:]:
        api.made(order["id"], step)
        answer = api.http.get(path, headers={"If-None-Match": tags[-1]})
        assert answer.status_code == 200
        tags.append(answer.headers["ETag"])
    assert len(set(tags)) == 5


@pytest.mark.protocol("2.9")
def test_the_etag_of_a_poll_is_that_of_the_order(api: Api):
    id_ = api.create()["id"]
    tag = api.poll(id_).headers["etag"]
    assert api.http.get(f"{ORDERS}/{id_}", headers={"If-None-Match": tag}).status_code == 304


@pytest.mark.protocol("2.10")
@pytest.mark.parametrize("limit", [1, 2, 3, 7, 100])
def test_pages_lead_through_all_orders_newest_first(api: Api, limit: int):
    customer = secrets.token_hex(8)
    ids = [api.create(customer_id=customer)["id"] for _ in range(7)]
    seen: list[int] = []
    query: Json = {"customer_id": customer, "limit": limit}
    while True:
        page = _page(api, **query)
        assert len(page["orders"]) <= limit
        seen += [order["id"] for order in page["orders"]]
        if page["next_cursor"] is None:
            break
        query["cursor"] = page["next_cursor"]
        assert len(seen) <= 7
    assert seen == ids[::-1]


@pytest.mark.protocol("2.10")
def test_new_orders_do_not_disturb_pages(api: Api):
    customer = secrets.token_hex(8)
    ids = [api.create(customer_id=customer)["id"] for _ in range(4)]
    first = _page(api, customer_id=customer, limit=2)
    api.create(customer_id=customer)
    second = _page(api, customer_id=customer, limit=100, cursor=first["next_cursor"])
    assert [order["id"] for order in first["orders"] + second["orders"]] == ids[::-1]


@pytest.mark.protocol("2.10")
def test_a_page_has_at_most_about_1_mb(api: Api):
    customer = secrets.token_hex(8)
    items = [{"name": "n" * 200, "note": "n" * 900}] * 50
    ids = [api.create(customer_id=customer, items=items)["id"] for _ in range(25)]
    found, cursor, pages = [], None, 0
    while pages == 0 or cursor:
        query = {"customer_id": customer, "limit": 100} | ({"cursor": cursor} if cursor else {})
        answer = api.http.get(ORDERS, params=query)
        assert len(answer.content) < 1_050_000
        page = answer.json()["data"]
        found += [order["id"] for order in page["orders"]]
        cursor, pages = page["next_cursor"], pages + 1
    assert (found, pages) == (ids[::-1], 2)


@pytest.mark.protocol("2.10")
def test_a_page_has_at_most_100_orders(api: Api):
    customer = secrets.token_hex(8)
    for _ in range(101):
        api.create(customer_id=customer)
    assert len(_page(api, customer_id=customer)["orders"]) <= 100
    assert len(_page(api, customer_id=customer, limit=100)["orders"]) == 100


@pytest.mark.protocol("2.10")
def test_filters_narrow_a_list_down_and_can_be_combined(api: Api):
    mark = secrets.token_hex(8)
    first = api.create(customer_id=mark, restaurant_id="a" + mark)["id"]
    second = api.create(customer_id=mark, restaurant_id="b" + mark, courier_id="k" + mark)["id"]
    third = api.create(customer_id=mark, restaurant_id="b" + mark)["id"]
    api.made(first, "preparing")
    api.made(second, "ready")

    def ids(**query: object) -> list[int]:
        return [order["id"] for order in _page(api, **query)["orders"]]

    assert ids(customer_id=mark) == [third, second, first]
    assert ids(restaurant_id="b" + mark) == [third, second]
    assert ids(courier_id="k" + mark) == [second]
    assert ids(customer_id=mark, status="preparing") == [first]
    assert ids(customer_id=mark, status=["ready", "confirmed"]) == [third, second]
    assert ids(restaurant_id="b" + mark, status="preparing") == []
    assert ids(customer_id="unknown-" + mark) == []


@pytest.mark.protocol("2.10", "2.4")
@pytest.mark.parametrize("query", MALFORMED_PAGES, ids=str)
def test_a_malformed_page_is_refused(api: Api, query: dict[str, str]):
    answer = api.http.get(ORDERS, params=query)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_parameter")
    assert answer.json()["field"] == next(iter(query))


@pytest.mark.protocol("2.11")
def test_the_log_has_every_event_after_a_version(api: Api):
    order = api.at("delivered")
    log = api.http.get(f"{ORDERS}/{order['id']}/events").json()["data"]
    assert (log["order_id"], log["version"], log["events"]) == (order["id"], 5, order["timeline"])
    assert log["cursor"] == api.cursor(order["id"])
    for after in range(8):
        assert api.events(order["id"], after) == order["timeline"][after:]
    assert api.events(order["id"], 2**63 - 1) == []


@pytest.mark.protocol("2.11")
def test_the_log_is_never_held_and_never_cut(api: Api):
    id_ = api.create()["id"]
    steps = [("ready", False), ("confirmed", True)]
    api.bulk([{"order_id": id_, "status": steps[n % 2][0], "undo": steps[n % 2][1]} for n in range(120)])
    assert [event["version"] for event in api.events(id_)] == list(range(1, 122))
    assert api.events(id_, after=121) == []


@pytest.mark.protocol("2.11")
@pytest.mark.parametrize("after", ["-1", "x", "", "1.5", "9223372036854775808", "0x1"])
def test_a_malformed_after_is_refused(api: Api, after: str):
    answer = api.http.get(f"{ORDERS}/{api.create()['id']}/events", params={"after": after})
    assert (answer.status_code, answer.json()["field"]) == (400, "after")
