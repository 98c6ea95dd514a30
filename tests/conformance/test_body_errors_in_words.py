"""Section 2: the error of a refused body names the field and what it may be."""

from __future__ import annotations

import pytest

from support.api import BULK, JSON, ORDERS, Api, Json

NEW: Json = {"customer_id": "c", "restaurant_id": "r"}


@pytest.mark.protocol("2.2")
@pytest.mark.parametrize(
    ("body", "field", "message"),
    [
        ({**NEW, "currency": "eur"}, "currency", "`currency` must be three capital letters such as EUR."),
        ({**NEW, "customer_id": "a\nb"}, "customer_id",
         "`customer_id` must be 1 to 64 characters without control characters (or an integer)."),
        ({**NEW, "total": -1}, "total", "`total` must be a number from 0 to 1,000,000,000."),
        ({**NEW, "total": "5"}, "total", "`total` must be a number from 0 to 1,000,000,000, not text."),
        ({**NEW, "items": ["a", {"name": "b", "quantity": 0}]}, "items[1].quantity",
         "`items[1].quantity` must be a whole number from 1 to 1,000."),
        ({**NEW, "items": ["a", {"name": "b", "size": 1}]}, "items[1].size",
         "`items[1].size` is an unknown field; the fields are `name`, `quantity`, `price`, `note`."),
        ({"customer_id": "c"}, "restaurant_id",
         "`restaurant_id` is missing: it must be 1 to 64 characters without control characters (or an integer)."),
        ({**NEW, "` - at `$.a`b": 1}, "` - at `$.a`b", "`` - at `$.a`b` is an unknown field; the fields are "
         "`customer_id`, `restaurant_id`, `courier_id`, `reference`, `items`, `total`, `currency`, `address`, `note`, "
         "`restaurant_name`."),
        ([], "body", "The body must be a JSON object, not a list."),
    ],
)  # fmt: skip
def test_a_refused_order_names_field_and_allowed_values(api: Api, body: object, field: str, message: str):
    problem = api.http.post(ORDERS, json=body).json()
    assert (problem["error"], problem["field"], problem["message"]) == ("invalid_body", field, message)


@pytest.mark.protocol("2.2")
def test_a_status_that_looks_like_a_path_is_named(api: Api):
    problem = api.http.put(f"{ORDERS}/{api.create()['id']}/status", json={"status": "x' - at `$.y"}).json()
    assert (problem["status"], problem["field"]) == (400, "status")


@pytest.mark.protocol("2.2")
def test_a_status_of_another_type_lists_the_allowed_ones(api: Api):
    problem = api.http.put(f"{ORDERS}/{api.create()['id']}/status", json={"status": 7}).json()
    allowed = "confirmed, preparing, ready, picked_up, delivered, cancelled"
    assert problem["message"] == f"`status` must be one of {allowed}, not a number."


@pytest.mark.protocol("2.2")
@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "it is empty"),
        (b" \n", "it is empty"),
        (b'{"customer_id": "\xff"}', "it is not UTF-8 (byte 17)"),
        (b"{customer_id: 1}", "field names need double quotes (byte 1)"),
        (b'{"customer_id": "c"', "it ends too early"),
    ],
)
def test_invalid_json_has_its_reason(api: Api, body: bytes, why: str):
    problem = api.http.post(ORDERS, content=body, headers=JSON).json()
    assert (problem["error"], problem["message"]) == ("invalid_json", f"The body is not valid JSON: {why}.")


@pytest.mark.protocol("2.6")
def test_a_missing_content_type_is_named(api: Api):
    problem = api.http.post(ORDERS, content=b"{}").json()
    assert problem["message"] == (
        "Send the body with `Content-Type: application/json`; this request sent none."
    )  # fmt: skip


@pytest.mark.protocol("2.8")
def test_an_invalid_bulk_update_is_named_by_its_index(api: Api):
    good = {"order_id": api.create()["id"], "status": "ready"}
    for broken, field in [
        ({**good, "occurred_at": "soon"}, "updates[1].occurred_at"),
        ({**good, "status": "eaten"}, "updates[1].status"),
        ({**good, "color": 1}, "updates[1].color"),
    ]:
        problem = api.http.post(BULK, json={"updates": [good, broken]}).json()
        assert problem["field"] == field
        assert f"`{field}`" in problem["message"]
    assert api.order(good["order_id"])["version"] == 1


@pytest.mark.protocol("1.9", "1.7")
def test_an_undo_is_suggested_only_where_possible(api: Api):
    ready, cancelled, delivered = api.at("ready"), api.at("cancelled", after="ready"), api.at("delivered")

    def message(order: Json, to: str, **more: object) -> str:
        words: str = api.set(order["id"], to, **more).json()["message"]
        return words

    suggestion = 'To go back, send "undo": true.'
    assert message(ready, "preparing").endswith(suggestion)
    assert message(cancelled, "ready").endswith(f"cannot become ready. {suggestion}")
    assert message(cancelled, "preparing").endswith("cannot become preparing. No status can follow.")
    assert message(delivered, "cancelled").endswith("cannot become cancelled. No status can follow.")
    assert message(ready, "picked_up", undo=True).endswith("picked_up is not a step back, so leave out `undo`.")
