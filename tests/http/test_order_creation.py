"""Creating an order: the order in which faults of a request are found."""

from __future__ import annotations

from itertools import product
from urllib.parse import urlencode

from support.api import ORDERS, encoded
from support.http1 import Connection
from support.server import Server

CUSTOMER = "faults"
FAULTS = {
    "query": "unknown_parameter", "type": "unsupported_media_type", "json": "invalid_json", "field": "invalid_body",
    "key": "invalid_parameter",
}  # fmt: skip
"""The error of each fault, in the order in which they are found."""


def test_the_first_fault_is_named_and_makes_no_order(attacked: Server) -> None:
    with Connection(attacked.url) as connection:
        before = _count(connection)
        for faults in product((False, True), repeat=len(FAULTS)):
            present = [fault for fault, is_present in zip(FAULTS, faults, strict=True) if is_present]
            body = encoded({"customer_id": CUSTOMER, "restaurant_id": 1, **({"x": 1} if "field" in present else {})})
            body += b"x" if "json" in present else b""
            headers = {"Content-Type": "text/json" if "type" in present else "application/json"}
            headers |= {"Idempotency-Key": ""} if "key" in present else {}
            answer = connection.ask("POST", ORDERS + "?a=1" * ("query" in present), headers, body)
            expected = FAULTS[present[0]] if present else None
            assert (answer.status == 201, answer.json().get("error")) == (expected is None, expected), present
        assert _count(connection) == before + 1


def _count(connection: Connection) -> int:
    query = urlencode({"customer_id": CUSTOMER, "limit": 100})
    return len(connection.ask("GET", f"{ORDERS}?{query}").json()["data"]["orders"])
