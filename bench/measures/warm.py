"""The cost of the server's code alone: gate, clients and store in one process, the best of many runs.

The difference to the measurements with two processes is the cost of cold caches, the network stack and wake-ups.
"""

from __future__ import annotations

import asyncio
import itertools
import socket
import time
from collections.abc import Callable

from bench.contenders import POLLS_PER_ORDER, Contender
from bench.measures.load import Figures, Size
from ordertrack.app.build import build
from ordertrack.app.service import Service
from ordertrack.core.event import PROGRESSION
from ordertrack.core.order import NewOrder
from ordertrack.core.order_rules import ChangeStatus
from ordertrack.http.gate.gate import Gate
from ordertrack.http.listener import listen
from ordertrack.load.protocol import build_request
from ordertrack.settings import Settings

ORDERS, QUICK_ORDERS = 300, 40
ANSWERED_WITHIN_S = 5.0
UNDO_WINDOW_S = 600.0


def measure(contender: Contender, size: Size) -> Figures:
    """Microseconds per request with the memory store; a wake-up includes a tenth of the change that caused it."""
    return asyncio.run(_measured(QUICK_ORDERS if size.quick else ORDERS))


async def _measured(count: int) -> Figures:
    service = build(Settings(database_url="memory:", sample_orders=False, gate="on", undo_window_s=UNDO_WINDOW_S))
    await service.open()
    with listen("127.0.0.1", 0) as listener:
        gate = service.gate(listener)
        assert gate is not None
        gate.start()
        port = listener.getsockname()[1]
        clients = [socket.create_connection(("127.0.0.1", port)) for _ in range(POLLS_PER_ORDER)]
        try:
            return await _Warm(service, gate, clients).figures(count)
        finally:
            for client in clients:
                client.close()
            await gate.stop(0.0)
            await service.close()


class _Warm:
    def __init__(self, service: Service, gate: Gate, clients: list[socket.socket]) -> None:
        self._service, self._gate, self._clients = service, gate, clients

    async def figures(self, count: int) -> Figures:
        at_once_us: list[float] = []
        park_us: list[float] = []
        wake_us: list[float] = []
        put_us: list[float] = []
        for _ in range(count):
            store, now_ms = self._service.store, self._service.clock.now_ms
            order = (await store.create(NewOrder("c", "r"), now_ms())).order
            at_once_us.append(await self._polls(order.id, "timeout=0", lambda: self._all_answered()))
            self._read_all()
            park_us.append(await self._polls(order.id, "timeout=60", lambda: self._held() == POLLS_PER_ORDER))
            began_s = time.perf_counter()
            await store.apply([ChangeStatus(order.id, PROGRESSION[1], "bench")], now_ms())
            wake_us.append((time.perf_counter() - began_s) / POLLS_PER_ORDER * 1e6)
            self._read_all()
            put_us.append(await self._put(order.id))
        each = {"at_once_us": at_once_us, "park_us": park_us, "wake_us": wake_us, "put_us": put_us}
        return {name: round(min(values), 1) for name, values in each.items()}

    async def _polls(self, order_id: int, query: str, done: Callable[[], bool]) -> float:
        """Send one poll from each client; return microseconds per poll."""
        poll = build_request("GET", f"/api/v1/orders/{order_id}/track?{query}")
        for client in self._clients:
            client.sendall(poll)
        return await self._until(done) / POLLS_PER_ORDER * 1e6

    async def _put(self, order_id: int) -> float:
        client = self._clients[0]
        client.sendall(build_request("PUT", f"/api/v1/orders/{order_id}/status", {"status": PROGRESSION[2]}))
        seconds = await self._until(lambda: _has_come(client))
        assert client.recv(65_536).startswith(b"HTTP/1.1 200")
        return seconds * 1e6

    async def _until(self, done: Callable[[], bool]) -> float:
        began_s = time.perf_counter()
        for turn in itertools.count():
            await asyncio.sleep(0)
            if done():
                return time.perf_counter() - began_s
            assert turn % 64 or time.perf_counter() - began_s < ANSWERED_WITHIN_S, "no answer"
        raise AssertionError

    def _held(self) -> int:
        return self._service.tracking.hub.held

    def _all_answered(self) -> bool:
        return all(map(_has_come, self._clients))

    def _read_all(self) -> None:
        for client in self._clients:
            answer = client.recv(65_536)
            assert answer.startswith(b"HTTP/1.1 200"), answer[:200]


def _has_come(client: socket.socket) -> bool:
    try:
        return bool(client.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT))
    except BlockingIOError:
        return False
