"""The API for tests: orders in any status, held polls, and statistics."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode

import httpx

from support.http1 import Answer, Connection

PROGRESSION = ("confirmed", "preparing", "ready", "picked_up", "delivered")
STATUSES = (*PROGRESSION, "cancelled")
ORDERS = "/api/v1/orders"
BULK = "/api/v1/status-updates"
STATS = f"{ORDERS}/system/stats"
JSON = {"Content-Type": "application/json"}
BOUND_S = 60.0

Json = dict[str, Any]


def eventually(happened: Callable[[], bool], what: str) -> None:
    """Repeat until `happened` is true. It makes a request or waits, so this is no busy loop."""
    ends_at = time.monotonic() + BOUND_S
    while not happened():
        assert time.monotonic() < ends_at, f"not within {BOUND_S:g} s: {what}"


def track(order_id: object, **query: object) -> str:
    """Return the target of a poll."""
    return f"{ORDERS}/{order_id}/track" + (f"?{urlencode(query)}" if query else "")


class Api:
    """The first steps of most tests. Connections opened here are closed by `close`."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.http = httpx.Client(base_url=url, timeout=BOUND_S, verify=False)  # no TLS here; its set-up takes 50 ms
        self._connections: list[Connection] = []

    def close(self) -> None:
        self.http.close()
        for connection in self._connections:
            connection.close()

    def connect(self) -> Connection:
        connection = Connection(self.url)
        self._connections.append(connection)
        return connection

    # Orders

    def create(self, **fields: object) -> Json:
        answer = self.http.post(ORDERS, json={"customer_id": "c", "restaurant_id": "r", **fields})
        assert answer.status_code == 201, answer.text
        order: Json = answer.json()["data"]
        return order

    def set(self, order_id: int, status: str, **fields: object) -> httpx.Response:
        return self.http.put(f"{ORDERS}/{order_id}/status", json={"status": status, **fields})

    def made(self, order_id: int, status: str, **fields: object) -> Json:
        """Set the status and check the answer."""
        answer = self.set(order_id, status, **fields)
        assert answer.status_code == 200, answer.text
        order: Json = answer.json()["data"]
        return order

    def at(self, status: str, after: str = "confirmed") -> Json:
        """Create an order in this status, step by step; a cancelled one had the status `after` before."""
        order = self.create()
        for step in PROGRESSION[1 : PROGRESSION.index(after if status == "cancelled" else status) + 1]:
            order = self.made(order["id"], step)
        return self.made(order["id"], "cancelled", reason="sold out") if status == "cancelled" else order

    def assign(self, order_id: int, courier_id: object, headers: Mapping[str, str] | None = None) -> httpx.Response:
        return self.http.put(f"{ORDERS}/{order_id}/courier", json={"courier_id": courier_id}, headers=headers)

    def bulk(self, updates: list[Json]) -> httpx.Response:
        return self.http.post(BULK, json={"updates": updates})

    def order(self, order_id: int) -> Json:
        order: Json = self.http.get(f"{ORDERS}/{order_id}").raise_for_status().json()["data"]
        return order

    def events(self, order_id: int, after: int = 0) -> list[Json]:
        answer = self.http.get(f"{ORDERS}/{order_id}/events", params={"after": after}).raise_for_status()
        events: list[Json] = answer.json()["data"]["events"]
        return events

    # Polls

    def poll(self, order_id: object, headers: Mapping[str, str] | None = None, **query: object) -> Answer:
        """Send a poll and return its answer."""
        with Connection(self.url) as connection:
            return connection.ask("GET", track(order_id, **query), headers)

    def hold(self, order_id: object, headers: Mapping[str, str] | None = None, **query: object) -> Connection:
        """Send a poll on a separate connection; without a position it waits for the next change."""
        connection = self.connect()
        connection.request("GET", track(order_id, **{"timeout": 30, **query}), headers)
        return connection

    def cursor(self, order_id: int) -> str:
        cursor: str = self.poll(order_id).json()["cursor"]
        return cursor

    def stats(self) -> Json:
        stats: Json = self.http.get(STATS).raise_for_status().json()["data"]
        return stats

    def held(self) -> int:
        count: int = self.stats()["active_connections"]
        return count

    def until_held(self, count: int) -> None:
        """Wait until the server holds exactly this many polls."""
        eventually(lambda: self.held() == count, f"{count} polls are held")


def encoded(value: object) -> bytes:
    return json.dumps(value).encode()
