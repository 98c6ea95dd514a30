"""Orders to poll, created over the API and spread over a city, and the server's statistics.

    10,000 customers, 1,000 restaurants, 2,000 couriers

One customer and one restaurant for all orders would flatter a durable store: its updates would change few pages.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from random import Random
from typing import Any, NamedTuple

from ordertrack.load.connection import send_all
from ordertrack.load.http_parser import HttpResponse
from ordertrack.load.polls import Feed, PollPool
from ordertrack.load.protocol import ORDERS, OrdertrackProtocol
from ordertrack.load.target import CannotLoad

CONNECTIONS = 16
SEED = 367
NAME = "ordertrack-bench"
CUSTOMERS, RESTAURANTS, COURIERS = 10_000, 1_000, 2_000
DETAILS = {
    "items": [{"name": "Pizza Margherita", "quantity": 2}, {"name": "Tiramisu", "quantity": 1}],
    "total": 31.5,
    "currency": "EUR",
    "address": "Example Street 12, 12345 Sampletown",
    "note": "Second floor, the bell is broken",
}


class Parties(NamedTuple):
    customer_id: str
    restaurant_id: str
    courier_id: str


def parties(number: int) -> Parties:
    """Return the parties of the order with this number, always the same ones. Those of consecutive orders have nothing
    in common: each has a multiplier of its own, prime to the others."""
    customer = number * 7_919 % CUSTOMERS
    restaurant = (number * 104_729 + number // RESTAURANTS * 31) % RESTAURANTS
    courier = (number * 15_485_863 + number // COURIERS * 17) % COURIERS
    return Parties(f"{NAME}-{customer}", f"{NAME}-{restaurant}", f"{NAME}-{courier}")


def create_feeds(pool: PollPool, count: int) -> list[Feed]:
    """Create orders and poll each once, so that caches the server fills at the first poll are full. Return them in a
    random order, the same in each run: orders are not updated in the order in which they were created."""
    feeds = poll_once(pool, create_orders(pool, count))
    Random(SEED).shuffle(feeds)
    return feeds


def poll_once(pool: PollPool, order_ids: Sequence[int]) -> list[Feed]:
    """Poll each order without a hold and return the orders as feeds."""
    feeds: list[Feed] = []

    def polled(response: HttpResponse) -> None:
        body = _body(response, 200)
        feeds.append(Feed(body["data"]["id"], body["data"]["version"], str(body["cursor"]).encode()))

    send_all(pool, min(CONNECTIONS, len(order_ids)), map(_protocol(pool).poll_at_once, order_ids), polled)
    return feeds


def create_orders(pool: PollPool, count: int, connections: int = CONNECTIONS) -> list[int]:
    """Create orders over that many connections and return their ids. The protocol of the pool learns their customers,
    for the tokens of polls."""
    ids: list[int] = []
    protocol = _protocol(pool)

    def created(response: HttpResponse) -> None:
        order = _body(response, 201)["data"]
        ids.append(order["id"])
        protocol.customers[order["id"]] = order["customer_id"]

    def requests() -> Iterator[bytes]:
        first = len(protocol.customers)
        for number in range(first, first + count):
            yield protocol.request("POST", ORDERS, parties(number)._asdict() | DETAILS)

    send_all(pool, min(connections, count), requests(), created)
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
