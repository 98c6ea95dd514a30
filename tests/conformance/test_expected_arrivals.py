"""Section 1: the expected arrival of an order. tests/process has orders that are late."""

from __future__ import annotations

import pytest

from support.api import ORDERS, Api, Json

UNHURRIED = "unhurried"
"""A restaurant without deliveries. From those of other tests the server learns that an order takes milliseconds."""


def _windows(order: Json) -> list[Json | None]:
    """Return the window that each event carries."""
    return [event.get("eta") for event in order["timeline"]]


@pytest.mark.protocol("1.14", "1.15")
def test_a_new_order_has_a_promised_window(api: Api):
    order = api.create(restaurant_id=UNHURRIED)
    promised = order["eta"]["promised"]
    assert order["eta"] == {"promised": promised, "current": promised, "late": False}
    assert order["created_at"] < promised["from"] < promised["to"]
    assert _windows(order) == [promised]


@pytest.mark.protocol("1.15", "1.16")
def test_a_step_gives_a_new_window_and_keeps_the_promise(api: Api):
    order = api.create(restaurant_id=UNHURRIED)
    promised = order["eta"]["promised"]
    with api.hold(order["id"]) as poll:
        api.until_held(1)
        ready = api.made(order["id"], "ready")
        answer = poll.answer().json()
    assert ready["eta"]["promised"] == promised
    assert ready["eta"]["current"] == ready["timeline"][-1]["eta"] != promised
    assert ready["updated_at"] <= ready["eta"]["current"]["to"] < promised["to"]
    assert answer["data"] == ready
    assert answer["events"] == ready["timeline"][-1:]


@pytest.mark.protocol("1.16")
def test_a_courier_changes_no_window(api: Api):
    order = api.create()
    assigned = api.assign(order["id"], "seven").json()["data"]
    assert assigned["eta"] == order["eta"]
    assert _windows(assigned) == [order["eta"]["promised"], None]


@pytest.mark.protocol("1.16", "1.18")
@pytest.mark.parametrize("status", ["delivered", "cancelled"])
def test_an_ended_order_has_no_current_window(api: Api, status: str):
    order = api.create()
    ended = api.made(order["id"], status)
    assert ended["eta"] == {"promised": order["eta"]["promised"], "current": None, "late": False}
    assert _windows(ended)[-1] is None
    again = api.made(order["id"], "confirmed", undo=True)
    assert again["eta"]["current"] == _windows(again)[-1] is not None


@pytest.mark.protocol("1.14", "1.16")
def test_all_answers_show_the_same_windows(api: Api):
    order = api.made(api.create(customer_id="eta-one")["id"], "preparing")
    assert api.order(order["id"]) == order
    params = {"customer_id": "eta-one", "limit": 1}
    assert api.http.get(ORDERS, params=params).json()["data"]["orders"] == [order]
    assert [event.get("eta") for event in api.events(order["id"])] == _windows(order)
    audit = api.http.get(f"{ORDERS}/{order['id']}/audit").json()["data"]["entries"]
    assert [each.get("eta") for each in audit] == _windows(order)


@pytest.mark.protocol("1.14", "7.8")
def test_the_holder_of_a_link_sees_the_windows(api: Api):
    order = api.made(api.create(restaurant_name="Aurora")["id"], "preparing")
    link = api.http.post(f"{ORDERS}/{order['id']}/links").json()["data"]
    shown = api.http.get(f"/t/{link['token']}", headers={"Accept": "application/json"}).json()["data"]
    assert (shown["eta"], shown["restaurant_name"]) == (order["eta"], "Aurora")
    assert _windows(shown) == _windows(order)
