"""Section 1: text of an order has no control characters."""

from __future__ import annotations

import pytest

from support.api import BULK, ORDERS, Api, Json

NEW: Json = {"customer_id": "c", "restaurant_id": "r"}


@pytest.mark.protocol("1.13")
@pytest.mark.parametrize("control", ["\x1b[2J", "\x9b2J", "\x7f", "\r", "\t", "\x85", "\n"])
def test_a_control_character_is_refused(api: Api, control: str):
    text = f"a{control}"
    for field in ("customer_id", "restaurant_id", "courier_id", "reference"):
        refused = api.http.post(ORDERS, json={**NEW, field: text})
        assert (refused.status_code, refused.json()["field"]) == (400, field)
    assert api.http.post(ORDERS, json={**NEW, "items": [text]}).json()["field"] == "items[0]"
    order = api.create()
    path = f"{ORDERS}/{order['id']}"
    assert api.http.put(f"{path}/courier", json={"courier_id": text}).json()["field"] == "courier_id"
    refused = api.http.put(f"{path}/status", json={"status": "ready", "reason": text})
    assert (refused.status_code, refused.json()["message"]) == (
        400, "`reason` must be text of at most 500 characters without control characters."
    )  # fmt: skip
    bulk = {"updates": [{"order_id": order["id"], "status": "ready", "reason": text}]}
    assert api.http.post(BULK, json=bulk).json()["field"] == "updates[0].reason"
    assert api.order(order["id"]) == order


@pytest.mark.protocol("1.13")
def test_an_address_and_a_note_may_have_lines(api: Api):
    for field in ("address", "note"):
        made = api.http.post(ORDERS, json={**NEW, field: "Elm Street 1\n2nd floor\r\nleft"}).json()
        assert made["data"][field] == "Elm Street 1\n2nd floor\r\nleft"
        for control in ("\x1b", "\x00", "\x9b", "\r"):
            refused = api.http.post(ORDERS, json={**NEW, field: f"a{control}b"}).json()
            assert refused["field"] == field
            assert refused["message"].endswith("without control characters other than line breaks.")
