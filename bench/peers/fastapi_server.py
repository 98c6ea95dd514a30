"""A simple long poll with FastAPI: one event per poll. Run with the peers' Python and a port as argument."""

from __future__ import annotations

import asyncio
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import uvicorn  # from the peers' venv, not from that of ordertrack
from fastapi import Body, FastAPI  # type: ignore[import-not-found]

sys.path.insert(0, str(Path(__file__).parents[2]))
from bench.peers.shared_orders import Order, Orders, position_of

orders = Orders()
waiting: defaultdict[int, set[asyncio.Event]] = defaultdict(set)
BODY = Body(...)


async def create(details: dict[str, Any] = BODY) -> dict[str, Any]:
    return {"success": True, "data": orders.create(details).view()}


async def track(order_id: int, cursor: str = "", timeout: float = 30) -> dict[str, Any]:
    order: Order = orders[order_id]
    position = position_of(cursor, order)
    if order.version <= position and timeout > 0 and order.status != "delivered":
        event = asyncio.Event()
        waiting[order_id].add(event)
        orders.held += 1
        try:
            await asyncio.wait_for(event.wait(), timeout)
        except TimeoutError:
            pass
        finally:
            orders.held -= 1
            waiting[order_id].discard(event)
    return order.answer(position)


async def set_status(order_id: int, change: dict[str, Any] = BODY) -> dict[str, Any]:
    order = orders[order_id]
    order.set_status(change["status"])
    for event in waiting[order_id]:
        event.set()
    return {"success": True, "data": order.view(), "changed": True}


async def statistics() -> dict[str, Any]:
    return orders.statistics()


app = FastAPI()
app.add_api_route("/api/v1/orders", create, methods=["POST"], status_code=201)
app.add_api_route("/api/v1/orders/system/stats", statistics)
app.add_api_route("/api/v1/orders/{order_id}/track", track)
app.add_api_route("/api/v1/orders/{order_id}/status", set_status, methods=["PUT"])

if __name__ == "__main__":
    uvicorn.run(
        app, port=int(sys.argv[1]), log_level="warning", access_log=False, backlog=4096, timeout_keep_alive=3600
    )
