"""Server-Sent Events with FastAPI: a queue per stream. Run with the peers' Python, a port, and `uvicorn` or `granian`.

The streams are Starlette's StreamingResponse, which teams use with FastAPI. FastAPI's EventSourceResponse extends it,
and runs two more tasks per stream. An event holds the body of a poll's answer and is encoded once for all its streams.
A comment follows 15 seconds without an event, as in EventSourceResponse, because proxies close idle connections.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections import defaultdict
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from fastapi import Body, FastAPI, Header  # type: ignore[import-not-found]
from fastapi.responses import StreamingResponse  # type: ignore[import-not-found]

sys.path.insert(0, str(Path(__file__).parents[2]))
from bench.peers.shared_orders import Orders

PING_S = 15.0
PING = b": ping\n\n"
BACKLOG = 4_096
MAX_STREAMS = 50_000

orders = Orders()
streams: defaultdict[int, set[asyncio.Queue[bytes]]] = defaultdict(set)
BODY = Body(...)
LAST_EVENT_ID = Header(...)


async def create(details: dict[str, Any] = BODY) -> dict[str, Any]:
    return {"success": True, "data": orders.create(details).view()}


async def track(order_id: int, last_event_id: int = LAST_EVENT_ID) -> StreamingResponse:
    return StreamingResponse(_events(order_id, last_event_id), media_type="text/event-stream")


async def _events(order_id: int, position: int) -> AsyncIterator[bytes]:
    queue: asyncio.Queue[bytes] = asyncio.Queue()
    streams[order_id].add(queue)
    orders.held += 1
    try:
        if orders[order_id].version > position:
            yield _event(order_id, position)
        while True:
            try:
                async with asyncio.timeout(PING_S):
                    event = await queue.get()
            except TimeoutError:
                event = PING
            yield event
    finally:
        orders.held -= 1
        streams[order_id].discard(queue)


def _event(order_id: int, position: int) -> bytes:
    answer = orders[order_id].answer(position)
    content = json.dumps(answer, separators=(",", ":"))
    return f"event: status\nid: {answer['data']['version']}\ndata: {content}\n\n".encode()


async def set_status(order_id: int, change: dict[str, Any] = BODY) -> dict[str, Any]:
    order = orders[order_id]
    order.set_status(change["status"])
    event = _event(order_id, order.version - 1)
    for queue in streams[order_id]:
        queue.put_nowait(event)
    return {"success": True, "data": order.view(), "changed": True}


async def statistics() -> dict[str, Any]:
    return orders.statistics()


app = FastAPI()
app.add_api_route("/api/v1/orders", create, methods=["POST"], status_code=201)
app.add_api_route("/api/v1/orders/system/stats", statistics)
app.add_api_route("/api/v1/orders/{order_id}/events", track)
app.add_api_route("/api/v1/orders/{order_id}/status", set_status, methods=["PUT"])

if __name__ == "__main__":
    port, server = int(sys.argv[1]), sys.argv[2]
    if server == "uvicorn":
        import uvicorn

        uvicorn.run(app, port=port, log_level="warning", access_log=False, backlog=BACKLOG, timeout_keep_alive=3600)
    else:
        from granian import Granian  # type: ignore[import-not-found]

        Granian(
            f"{__file__}:app",
            port=port,
            interface="asgi",
            log_level="warning",
            backlog=BACKLOG,
            backpressure=MAX_STREAMS,
        ).serve()
