"""Customers, updates and reads through a proxy, which may never fail, and whose order is checked."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from itertools import count
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from support.api import ORDERS, track

HOLD_S = 100
CUSTOMERS_PER_ORDER = 5
READERS = 4
UPDATE_EVERY_S, READ_EVERY_S = 0.1, 0.03
BOUND_S = 60


class Answered(NamedTuple):
    status: int
    body: Any


class Failed(Exception):
    """A request failed; `Load.failures` says how."""


class Client:
    """One connection at a time to the proxy, opened again when the proxy closes it after an answer."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._address = parts.hostname, parts.port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, method: str, target: str, body: bytes = b"") -> Answered:
        """Raises: OSError, EOFError, when there is no complete answer."""
        if self._streams is None:
            self._streams = await asyncio.open_connection(*self._address)
        reader, writer = self._streams
        head = f"{method} {target} HTTP/1.1\r\nHost: t\r\nContent-Length: {len(body)}\r\n"
        content_type = "Content-Type: application/json\r\n" if body else ""
        writer.write(f"{head}{content_type}\r\n".encode() + body)
        status_line, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().lower().split("\r\n")
        fields = dict(line.split(": ", 1) for line in lines if line)
        content = await reader.readexactly(int(fields["content-length"])) if "content-length" in fields else b""
        if fields.get("transfer-encoding") == "chunked":
            while size := int(await reader.readuntil(b"\r\n"), 16):
                content += (await reader.readexactly(size + 2))[:-2]
            await reader.readuntil(b"\r\n")
        if fields.get("connection") == "close":
            await self.close()
        return Answered(int(status_line.split(" ")[1]), json.loads(content) if content else None)

    async def close(self) -> None:
        if self._streams is not None:
            writer, self._streams = self._streams[1], None
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()


class Load:
    """`failures` has what must not happen. `drained_at_s` has the first answer of each customer that a drain gave: a
    proxy that does not know of the drain sends some polls to the same node again, until the end of the window."""

    def __init__(self, url: str, order_ids: list[int]) -> None:
        self.failures: list[str] = []
        self.drained_at_s: dict[tuple[int, int], float] = {}
        self.updates = self.reads = 0
        self._url = url
        self._acknowledged = dict.fromkeys(order_ids, 1)
        self._seen: dict[tuple[int, int], int] = {}
        self._received = asyncio.Event()
        self._clients: list[Client] = []
        self._stopping = False

    async def run(self, scenario: Callable[[], Awaitable[None]]) -> None:
        """Run the load until the scenario ends and all customers have the last update."""
        customers = [(order_id, number) for order_id in self._acknowledged for number in range(CUSTOMERS_PER_ORDER)]
        async with asyncio.timeout(3 * BOUND_S):
            waiting = [asyncio.create_task(self._wait(*customer)) for customer in customers]
            working = [asyncio.create_task(self._update(order_id)) for order_id in self._acknowledged]
            working += [asyncio.create_task(self._read()) for _ in range(READERS)]
            await scenario()
            self._stopping = True
            ended = await asyncio.gather(*working, return_exceptions=True)
            while not (self.failures or all(self._seen[each] == self._acknowledged[each[0]] for each in customers)):
                self._received.clear()
                await self._received.wait()
            for task in waiting:
                task.cancel()
            ended += await asyncio.gather(*waiting, return_exceptions=True)
            await asyncio.gather(*(client.close() for client in self._clients))
        self.failures += [repr(error) for error in ended if isinstance(error, Exception)]

    async def _ask(self, client: Client, method: str, target: str, body: bytes = b"") -> Any:
        try:
            answered = await client.ask(method, target, body)
        except (OSError, EOFError) as error:
            self.failures.append(f"{method} {target}: {error!r}")
            raise Failed from None
        if answered.status != 200:
            self.failures.append(f"{method} {target}: {answered}")
            raise Failed
        return answered.body

    async def _wait(self, order_id: int, number: int) -> None:
        client, cursor = self._client(), ""
        while True:
            query = {"cursor": cursor} if cursor else {}
            answer = await self._ask(client, "GET", track(order_id, timeout=HOLD_S, **query))
            cursor, version = answer["cursor"], answer["data"]["version"]
            if answer["reason"] == "drain":
                self.drained_at_s.setdefault((order_id, number), asyncio.get_running_loop().time())
            elif answer["reason"] == "timeout":
                self.failures.append(f"order {order_id} timed out: a lost wake-up")
            if version < self._seen.get((order_id, number), 0):
                self.failures.append(f"order {order_id} went back to version {version}")
            self._seen[order_id, number] = version
            self._received.set()

    async def _update(self, order_id: int) -> None:
        """Every update is one event: none is lost, none is made twice."""
        client = self._client()
        for courier in count():
            if self._stopping:
                return
            body = json.dumps({"courier_id": f"c{courier}"}).encode()
            answer = await self._ask(client, "PUT", f"{ORDERS}/{order_id}/courier", body)
            version = answer["data"]["version"]
            if version != self._acknowledged[order_id] + 1:
                self.failures.append(f"order {order_id} is at {version} after {self._acknowledged[order_id]}")
            self._acknowledged[order_id] = version
            self.updates += 1
            await asyncio.sleep(UPDATE_EVERY_S * len(self._acknowledged))

    async def _read(self) -> None:
        client = self._client()
        while not self._stopping:
            for order_id, acknowledged in list(self._acknowledged.items()):
                answer = await self._ask(client, "GET", f"{ORDERS}/{order_id}")
                if answer["data"]["version"] < acknowledged:
                    self.failures.append(f"order {order_id} was read before its update")
                self.reads += 1
                await asyncio.sleep(READ_EVERY_S)

    def _client(self) -> Client:
        self._clients.append(Client(self._url))
        return self._clients[-1]
