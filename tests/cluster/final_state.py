"""Reads all orders of a run from a node."""

from __future__ import annotations

import msgspec

from cluster.connection import Connection
from cluster.followers import EventJson, OrderJson
from cluster.history import StoredOrder
from cluster.workload import CUSTOMERS, ORDERS

READ_S = 20.0


class _FullOrder(OrderJson):
    customer_id: str
    restaurant_id: str
    note: str | None
    timeline: list[EventJson]


class _Page(msgspec.Struct):
    orders: list[_FullOrder]
    next_cursor: str | None


class _PageAnswer(msgspec.Struct):
    data: _Page


async def read_orders(port: int) -> dict[int, StoredOrder]:
    """Return the orders of all customers by id. Raises: Broken, TimeoutError, AssertionError."""
    found: dict[int, StoredOrder] = {}
    connection = Connection(port)
    for customer in range(CUSTOMERS):
        cursor: str | None = ""
        while cursor is not None:
            await connection.connect()
            target = f"{ORDERS}?customer_id=c{customer}&limit=100" + (f"&cursor={cursor}" if cursor else "")
            response = await connection.ask("GET", target, limit_s=READ_S)
            assert response.status == 200, response.body
            page = msgspec.json.decode(response.body, type=_PageAnswer).data
            cursor = page.next_cursor
            for order in page.orders:
                events = tuple(event.stored() for event in order.timeline)
                found[order.id] = StoredOrder(
                    order.id, order.version, order.status, order.customer_id, order.restaurant_id, order.note or "",
                    events,
                )  # fmt: skip
    connection.close()
    return found
