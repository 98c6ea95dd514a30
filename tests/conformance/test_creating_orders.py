"""Section 2: new orders, and requests that are repeated."""

from __future__ import annotations

import secrets
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from support.api import ORDERS, Api, Json

FULL: Json = {
    "customer_id": "1",
    "restaurant_id": "2",
    "courier_id": "3",
    "items": [{"name": "Margherita", "quantity": 2, "price": 9.5, "note": "no basil"}, "Lemonade"],
    "total": 22.0,
    "currency": "EUR",
    "address": "12 Mill Lane",
    "note": "Ring twice",
    "restaurant_name": "Trattoria Aurora",
}


def _create(api: Api, key: str, **fields: object) -> httpx.Response:
    body = {"customer_id": "c", "restaurant_id": "r", **fields}
    return api.http.post(ORDERS, json=body, headers={"Idempotency-Key": key})


@pytest.mark.protocol("2.7")
def test_a_new_order_is_201_with_its_location(api: Api):
    answer = api.http.post(ORDERS, json=FULL)
    order = answer.json()["data"]
    assert answer.status_code == 201
    assert answer.headers["Location"] == f"{ORDERS}/{order['id']}"
    assert api.http.get(answer.headers["Location"]).json()["data"] == order


@pytest.mark.protocol("2.7")
def test_details_are_returned_unchanged(api: Api):
    order = api.create(**FULL, reference=f"A-{secrets.token_hex(4)}")
    lemonade = {"name": "Lemonade", "quantity": 1, "price": None, "note": None}
    assert order["items"] == [FULL["items"][0], lemonade]
    kept = ("customer_id", "restaurant_id", "courier_id", "total", "currency", "address", "note", "restaurant_name")
    assert {key: order[key] for key in kept} == {key: FULL[key] for key in kept}


@pytest.mark.protocol("2.7")
def test_without_a_key_every_request_is_a_new_order(api: Api):
    assert api.create()["id"] != api.create()["id"]


@pytest.mark.protocol("2.7")
def test_the_same_key_and_body_get_the_same_answer(api: Api):
    key = secrets.token_hex()
    first = _create(api, key, customer_id=key[:32])
    second = _create(api, key, customer_id=key[:32])
    assert (second.status_code, second.content) == (201, first.content)
    assert (second.headers["Location"], second.headers["ETag"]) == (first.headers["Location"], first.headers["ETag"])
    found = api.http.get(ORDERS, params={"customer_id": key[:32]}).json()["data"]["orders"]
    assert [order["id"] for order in found] == [first.json()["data"]["id"]]


@pytest.mark.protocol("2.7")
def test_a_repeated_creation_gets_its_first_answer(api: Api):
    key = secrets.token_hex()
    first = _create(api, key)
    id_ = first.json()["data"]["id"]
    api.assign(id_, "seven")
    api.made(id_, "preparing")
    second = _create(api, key)
    assert (second.status_code, second.content) == (201, first.content)
    assert api.order(id_)["version"] == 3


@pytest.mark.protocol("2.7")
def test_a_key_with_another_body_is_refused(api: Api):
    key = secrets.token_hex()
    first = _create(api, key)
    second = _create(api, key, note="extra cheese")
    assert first.status_code == 201
    assert (second.status_code, second.json()["error"]) == (409, "idempotency_key_reused")
    assert _create(api, key).content == first.content


@pytest.mark.protocol("2.7")
def test_concurrent_requests_with_one_key_make_one_order(api: Api):
    key = secrets.token_hex()
    with ThreadPoolExecutor(10) as clients:
        answers = list(clients.map(lambda _: _create(api, key, customer_id=key[:32]), range(20)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert len(api.http.get(ORDERS, params={"customer_id": key[:32]}).json()["data"]["orders"]) == 1


@pytest.mark.protocol("2.7")
def test_concurrent_bodies_with_one_key_make_one_order(api: Api):
    key = secrets.token_hex()
    with ThreadPoolExecutor(10) as clients:
        answers = list(clients.map(lambda n: _create(api, key, customer_id=key[:32], note=str(n)), range(10)))
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 9
    assert len(api.http.get(ORDERS, params={"customer_id": key[:32]}).json()["data"]["orders"]) == 1


@pytest.mark.protocol("2.7")
@pytest.mark.parametrize("length", [0, 256])
def test_a_key_that_is_empty_or_too_long_is_refused(api: Api, length: int):
    answer = _create(api, "k" * length)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_parameter")


@pytest.mark.protocol("2.7")
def test_a_key_has_1_to_255_characters(api: Api):
    for key in ("k", secrets.token_hex(127) + "k"):
        assert _create(api, key).status_code == 201


@pytest.mark.protocol("2.7")
def test_a_refused_creation_leaves_its_key_unused(api: Api):
    key = secrets.token_hex()
    assert _create(api, key, currency="euros").status_code == 400
    assert _create(api, key, currency="EUR").status_code == 201


@pytest.mark.protocol("2.7")
def test_a_reference_is_unique_per_restaurant(api: Api):
    reference, restaurant = secrets.token_hex(8), secrets.token_hex(8)
    api.create(reference=reference, restaurant_id=restaurant)
    api.create(reference=reference, restaurant_id=restaurant + "2")
    answer = api.http.post(ORDERS, json={"customer_id": "c", "restaurant_id": restaurant, "reference": reference})
    assert (answer.status_code, answer.json()["error"]) == (409, "reference_taken")


@pytest.mark.protocol("2.7", "2.4")
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("currency", "eur"),
        ("currency", "EURO"),
        ("total", -1),
        ("total", "9.50"),
        ("total", 1e10),
        ("items", "Margherita"),
        ("items", [""]),
        ("items", ["x"] * 101),
        ("items", [{"name": "x", "quantity": 0}]),
        ("note", "x" * 1001),
        ("note", "a\x00b"),
        ("restaurant_name", ""),
        ("restaurant_name", "x" * 101),
        ("address", 12),
        ("reference", ""),
        ("reference", "x" * 65),
    ],
)
def test_a_field_with_an_invalid_value_is_named(api: Api, field: str, value: object):
    answer = api.http.post(ORDERS, json={"customer_id": "c", "restaurant_id": "r", field: value})
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_body")
    assert answer.json()["field"].startswith(field)
