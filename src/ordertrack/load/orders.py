"""Orders to poll, made over the API, and how many polls the server says it holds."""

from __future__ import annotations

import json
from typing import Any

from ordertrack.load.connection import call_all
from ordertrack.load.http_parser import Reply
from ordertrack.load.polls import Feed, Swarm
from ordertrack.load.protocol import ORDERS, OrdertrackDialect
from ordertrack.load.target import CannotLoad

CALLERS = 16
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


def make_orders(swarm: Swarm, count: int) -> list[Feed]:
    """New orders, each polled once, so that whatever a server makes once for an order is made."""
    feeds: list[Feed] = []

    def polled(reply: Reply) -> None:
        body = _body(reply, 200)
        feeds.append(Feed(body["data"]["id"], body["data"]["version"], str(body["cursor"]).encode()))

    speaking = _ours(swarm)
    polls = [
        speaking.request("GET", f"{ORDERS}/{order_id}/track?timeout=0") for order_id in create_orders(swarm, count)
    ]
    call_all(swarm, min(CALLERS, count), polls, polled)
    return feeds


def create_orders(swarm: Swarm, count: int, callers: int = CALLERS) -> list[int]:
    """Create orders over so many connections, and return their ids."""
    made: list[int] = []

    def created(reply: Reply) -> None:
        made.append(int(_body(reply, 201)["data"]["id"]))

    call_all(swarm, min(callers, count), [_ours(swarm).request("POST", ORDERS, ORDER)] * count, created)
    return made


def statistics(swarm: Swarm) -> dict[str, Any]:
    """What the server says of itself."""
    answers: list[dict[str, Any]] = []
    path = f"{ORDERS}/system/stats"
    call_all(swarm, 1, [_ours(swarm).request("GET", path)], lambda reply: answers.append(_body(reply, 200)["data"]))
    return answers[0]


def _ours(swarm: Swarm) -> OrdertrackDialect:
    assert isinstance(swarm.dialect, OrdertrackDialect)
    return swarm.dialect


def _body(reply: Reply, status: int) -> dict[str, Any]:
    if reply.status != status:
        raise CannotLoad(f"The server answered {reply.status}: {reply.body[:200].decode(errors='replace')}")
    body: dict[str, Any] = json.loads(reply.body)
    return body
