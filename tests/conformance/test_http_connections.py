"""Section 2: the rules of HTTP that PROTOCOL.md names. `tests/vectors` has all of them, byte by byte."""

from __future__ import annotations

import pytest

from support.api import JSON, ORDERS, Api, encoded, track

PREPARING = encoded({"status": "preparing"})


@pytest.mark.protocol("2.16")
def test_a_body_behind_an_upgrade_is_not_a_request(api: Api) -> None:
    order, other = api.create(), api.create()
    smuggled = f"GET {ORDERS}/{other['id']} HTTP/1.1\r\nHost: t\r\n\r\n".encode()
    connection = api.connect()
    upgrade = {**JSON, "Connection": "Upgrade", "Upgrade": "h2c"}
    connection.send(connection.written("PUT", f"{ORDERS}/{order['id']}/status", upgrade, smuggled))
    assert (connection.answer().status, connection.silent()) == (400, True)
    assert connection.ask("PUT", f"{ORDERS}/{order['id']}/status", upgrade, PREPARING).status == 200


@pytest.mark.protocol("2.16")
def test_pipelined_requests_are_answered_in_order(api: Api) -> None:
    order_id = api.create()["id"]
    connection = api.connect()
    connection.send(
        connection.written("GET", track(order_id))
        + connection.written("PUT", f"{ORDERS}/{order_id}/status", JSON, PREPARING)
        + connection.written("GET", f"{ORDERS}/{order_id}")
    )
    assert [connection.answer().json()["data"]["version"] for _ in range(3)] == [1, 2, 2]


@pytest.mark.protocol("2.17", "2.2")
@pytest.mark.parametrize(
    ("head", "status", "code"),
    [
        (b"GET /healthz HTTP/1.1\r\n\r\n", 400, "malformed_request"),
        (b"GET /healthz HTTP/1.1\r\nHost: a b\r\n\r\n", 400, "malformed_request"),
        (b"GET /healthz HTTP/2.0\r\nHost: x\r\n\r\n", 505, "http_version_not_supported"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400, "malformed_request"),
    ],
    ids=["no Host", "invalid Host", "HTTP/2.0", "TLS"],
)
def test_other_protocols_are_refused_and_closed(api: Api, head: bytes, status: int, code: str) -> None:
    connection = api.connect()
    connection.send(head)
    answer = connection.answer()
    assert (answer.status, answer.json()["error"]) in ((status, code), (400, "malformed_request"))
    assert answer.headers["connection"] == "close"
    assert connection.closed_by_peer()


@pytest.mark.protocol("2.18")
def test_a_head_has_at_most_16_kib(api: Api) -> None:
    connection = api.connect()
    connection.request("GET", "/healthz", {"X-Long": "x" * 17_000})
    assert connection.answer().status == 431


@pytest.mark.protocol("2.18", "2.2")
def test_an_unknown_method_is_not_implemented(api: Api) -> None:
    answer = api.connect().ask("BREW", f"{ORDERS}/101")
    assert (answer.status, answer.json()["error"]) == (501, "method_not_implemented")


@pytest.mark.protocol("2.19")
def test_bytes_behind_a_request_leave_its_answer_intact(api: Api) -> None:
    connection = api.connect()
    body = encoded({"customer_id": "c", "restaurant_id": "r"})
    connection.send(connection.written("POST", ORDERS, JSON, body) + b"\n")
    assert connection.answer().status == 201


@pytest.mark.protocol("2.20", "2.5")
def test_an_encoded_slash_is_not_a_separator(api: Api) -> None:
    answer = api.connect().ask("GET", f"{ORDERS}/101%2ftrack")
    assert (answer.status, answer.json()["error"]) == (404, "order_not_found")
