"""Section 7: what a tracking link shows, on a server without access control."""

from __future__ import annotations

import pytest

from ordertrack.client import OrdertrackClient
from support.api import ORDERS, Api


@pytest.mark.protocol("7.7", "7.8")
def test_a_link_shows_null_as_the_customer_id(api: Api):
    order = api.create(customer_id="c-secret")
    link = api.http.post(f"{ORDERS}/{order['id']}/links").json()["data"]
    bearer = {"Authorization": f"Bearer {link['token']}"}
    answers = [
        api.http.get(link["path"]),
        api.http.get(f"{link['path']}/track"),
        api.http.get(f"{ORDERS}/{order['id']}", headers=bearer),
        api.http.get(f"{ORDERS}/{order['id']}/track", headers=bearer),
    ]
    assert [answer.json()["data"]["customer_id"] for answer in answers] == [None] * 4
    assert order["customer_id"] == "c-secret"
    with OrdertrackClient(str(api.http.base_url), token=link["token"]) as client:
        assert client.order(order["id"]).customer_id is None
