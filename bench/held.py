"""Holds polls by the thousand, wakes them with single updates, and counts every answer.

Prints the private memory of a held poll, how long an update takes until all its polls are answered, and whether anybody
was woken for nothing, twice or not at all.
"""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass

from bench.server import Server, server

ANSWERED_WITHIN_S = 10.0
HOLD_S = 110
HEADERS = "".join(
    f"{line}\r\n"
    for line in (
        "Host: 127.0.0.1",
        "User-Agent: ordertrack-bench/1 (about the 300 bytes of headers that a phone's HTTP library sends)",
        "Accept: application/json, text/plain, */*",
        "Accept-Language: en-GB,en;q=0.9",
        "Accept-Encoding: gzip, deflate",
        "X-Requested-With: com.example.food",
    )
)


@dataclass(frozen=True)
class Held:
    """Figures of one run. Bytes are private memory of the server, connection included; milliseconds are from sending
    an update to reading the last of its polls' answers."""

    polls: int
    orders: int
    bytes_per_held_poll: int
    updates: int
    answered: int
    lost: int
    wrong: int
    wake_p50_ms: float
    wake_p99_ms: float
    server_lost_wakeups: int


class Connection:
    """A keep-alive connection that reads answers with a `Content-Length`."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def open(cls, to: Server) -> Connection:
        return cls(*await asyncio.open_connection(to.host, to.port))

    def send(self, method: str, path: str, body: bytes = b"") -> None:
        head = f"{method} {path} HTTP/1.1\r\n{HEADERS}"
        if body:
            head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        self.writer.write(head.encode() + b"\r\n" + body)

    async def receive(self) -> dict[str, object]:
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        length = next(int(line.split(":")[1]) for line in head.split("\r\n") if line.startswith("content-length:"))
        answer: dict[str, object] = json.loads(await self.reader.readexactly(length))
        return answer

    async def ask(self, method: str, path: str, body: object = None) -> dict[str, object]:
        self.send(method, path, b"" if body is None else json.dumps(body).encode())
        return await self.receive()


async def measure(polls: int = 1_000, orders: int = 200) -> Held:
    per_order = polls // orders
    async with server("--max-held-polls", str(polls + 100), "--no-sample-orders") as target:
        control = await Connection.open(target)
        ids = [await create_order(control) for _ in range(orders)]
        await _warm_up(target, ids)
        idle = target.private_bytes()
        connections = [[await Connection.open(target) for _ in range(per_order)] for _ in ids]
        for order_id, waiting in zip(ids, connections, strict=True):
            for connection in waiting:
                connection.send("GET", f"/api/v1/orders/{order_id}/track?timeout={HOLD_S}")
        await _until_held(control, polls)
        per_poll = (target.private_bytes() - idle) // polls
        wakes: list[float] = []
        answered = wrong = lost = 0
        for done, (order_id, waiting) in enumerate(zip(ids, connections, strict=True), start=1):
            started = time.perf_counter()
            await control.ask("PUT", f"/api/v1/orders/{order_id}/status", {"status": "preparing"})
            for connection in waiting:
                try:
                    answer = await asyncio.wait_for(connection.receive(), ANSWERED_WITHIN_S)
                except TimeoutError:
                    lost += 1
                    continue
                answered += 1
                wrong += (answer["data"]["id"], answer["data"]["version"]) != (order_id, 2)  # type: ignore[index]
            wakes.append((time.perf_counter() - started) * 1000)
            stats = await _stats(control)
            wrong += stats["active_connections"] != polls - done * per_order
        wakes.sort()
        return Held(
            polls=polls,
            orders=orders,
            bytes_per_held_poll=per_poll,
            updates=orders,
            answered=answered,
            lost=lost,
            wrong=wrong,
            wake_p50_ms=round(wakes[len(wakes) // 2], 2),
            wake_p99_ms=round(wakes[int(len(wakes) * 0.99)], 2),
            server_lost_wakeups=int(stats["lost_wakeups_total"]),  # type: ignore[call-overload]
        )


async def _warm_up(target: Server, ids: list[int]) -> None:
    """Everything that is made once is made now, and not counted as part of a held poll."""
    connection = await Connection.open(target)
    for order_id in ids:
        await connection.ask("GET", f"/api/v1/orders/{order_id}/track?timeout=0")
    connection.writer.close()


async def create_order(control: Connection) -> int:
    answer = await control.ask("POST", "/api/v1/orders", {"customer_id": "1", "restaurant_id": "1"})
    return int(answer["data"]["id"])  # type: ignore[index]


async def _stats(control: Connection) -> dict[str, object]:
    return (await control.ask("GET", "/api/v1/orders/system/stats"))["data"]  # type: ignore[return-value]


async def _until_held(control: Connection, polls: int) -> None:
    deadline = time.monotonic() + ANSWERED_WITHIN_S
    while (await _stats(control))["active_connections"] != polls:
        if time.monotonic() > deadline:
            raise TimeoutError(f"the server does not hold {polls} polls")
