"""Orders to poll, created over the API, and the server's statistics."""

from __future__ import annotations

import json
from typing import Any

from ordertrack.load.connection import send_all
from ordertrack.load.http_parser import HttpResponse
from ordertrack.load.polls import Feed, PollPool
from ordertrack.load.protocol import ORDERS, OrdertrackProtocol
from ordertrack.load.target import CannotLoad

CONNECTIONS = 16
NAME = "ordertrack-bench"
ORDER = {
    "customer_id": NAME,
    "restaurant_id": NAME,
    "items": [{"name": "Pizza Margherita", "quantity": 2}, {"name": "Tiramisu", "quantity": 1}],
    "total": 31.5,
    "currency": "EUR",
    "address": "Example Street 12, 12345 Sampletown",
    "note": "Second floor, the bell is broken",
}


def create_feeds(pool: PollPool, count: int) -> list[Feed]:
    """Create orders and poll each once, so that caches the server fills at the first poll are full."""
    feeds: list[Feed] = []

    def polled(response: HttpResponse) -> None:
        body = _body(response, 200)
        feeds.append(Feed(body["data"]["id"], body["data"]["version"], str(body["cursor"]).encode()))

    protocol = _protocol(pool)
    polls = [protocol.request("GET", f"{ORDERS}/{order_id}/track?timeout=0") for order_id in create_orders(pool, count)]
    send_all(pool, min(CONNECTIONS, count), polls, polled)
    return feeds


def create_orders(pool: PollPool, count: int, connections: int = CONNECTIONS) -> list[int]:
    """Create orders over that many connections and return their ids."""
    ids: list[int] = []

    def created(response: HttpResponse) -> None:
        ids.append(int(_body(response, 201)["data"]["id"]))

    send_all(pool, min(connections, count), [_protocol(pool).request("POST", ORDERS, ORDER)] * count, created)
    return ids


def fetch_statistics(pool: PollPool) -> dict[str, Any]:
    """Return the data of GET /api/v1/orders/system/stats."""
    bodies: list[dict[str, Any]] = []
    request = _protocol(pool).request("GET", f"{ORDERS}/system/stats")
    send_all(pool, 1, [request], lambda response: bodies.append(_body(response, 200)["data"]))
    return bodies[0]


def _protocol(pool: PollPool) -> OrdertrackProtocol:
    assert isinstance(pool.protocol, OrdertrackProtocol)
    return pool.protocol


def _body(response: HttpResponse, status: int) -> dict[str, Any]:
    if response.status != status:
        raise CannotLoad(f"The server answered {response.status}: {response.body[:200].decode(errors='replace')}")
    body: dict[str, Any] = json.loads(response.body)
    return body
