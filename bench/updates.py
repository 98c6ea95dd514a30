"""Durable updates a second: single PUTs over keep-alive connections, and bulk updates of a hundred."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from bench.held import Connection, create_order
from bench.server import server

ROAD = ("preparing", "ready", "picked_up", "delivered")


@dataclass(frozen=True)
class Updates:
    """Acknowledged, on disk, with `synchronous=FULL`."""

    connections: int
    single_per_s: int
    bulk_size: int
    bulk_per_s: int


async def measure(connections: int = 32, orders_each: int = 100, bulk_size: int = 100) -> Updates:
    async with server("--no-sample-orders") as target:
        clients = [await Connection.open(target) for _ in range(connections)]
        ids = [[await create_order(client) for _ in range(orders_each)] for client in clients]

        async def singles(client: Connection, own: list[int]) -> None:
            for status in ROAD[:2]:
                for order_id in own:
                    answer = await client.ask("PUT", f"/api/v1/orders/{order_id}/status", {"status": status})
                    assert answer["changed"] is True, answer

        started = time.perf_counter()
        await asyncio.gather(*(singles(client, own) for client, own in zip(clients, ids, strict=True)))
        single_s = time.perf_counter() - started
        everything = [order_id for own in ids for order_id in own]
        started = time.perf_counter()
        for status in ROAD[2:]:
            for at in range(0, len(everything), bulk_size):
                updates = [{"order_id": order_id, "status": status} for order_id in everything[at : at + bulk_size]]
                answer = await clients[0].ask("POST", "/api/v1/status-updates", {"updates": updates})
                assert all(result["changed"] for result in answer["data"]["results"])  # type: ignore[index]
        bulk_s = time.perf_counter() - started
        return Updates(
            connections=connections,
            single_per_s=round(2 * len(everything) / single_s),
            bulk_size=bulk_size,
            bulk_per_s=round(2 * len(everything) / bulk_s),
        )
