"""The simulated lunch hour of `make cluster`: customers who wait, restaurants and couriers that update."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from contextlib import suppress

from ordertrack.client import AsyncOrdertrackClient, Order, OrdertrackClientError, Stats, Status
from ordertrack.demo.driver import Driver
from ordertrack.demo.lunch_hour import PlannedOrder, PlannedStep, lunch_hour

ORDERS = 60
"""Orders under way at one time."""
SPEED, NEW_EVERY_S, SEED = 60.0, 32.0, 1
"""An order takes about 33 s, and a new one comes about every 0.5 s: as many as ORDERS end in that time."""
RECENT = 200


class LunchHour(Driver):
    """`latencies_ms` are the newest: from sending an update to the answer that the customer's poll got, perhaps from
    another node."""

    def __init__(self, url: str) -> None:
        self._client = AsyncOrdertrackClient(url, retries=0)
        super().__init__(lambda role, party_id: self._client, speed=SPEED, at_once=ORDERS)
        self.updates = self.delivered = 0
        self.latencies_ms: deque[float] = deque(maxlen=RECENT)
        self._sent_at_s: dict[tuple[int, int], float] = {}
        self._customers: set[asyncio.Task[None]] = set()

    async def play(self) -> None:
        """Play until cancelled."""
        try:
            await self.run(lunch_hour(SEED, NEW_EVERY_S))
        finally:
            for customer in self._customers:
                customer.cancel()
            await self._client.aclose()

    async def stats(self) -> Stats | None:
        """Return the statistics of the cluster; None when no node answers."""
        with suppress(OrdertrackClientError):
            return await self._client.stats()
        return None

    async def begun(self, planned: PlannedOrder, order: Order) -> None:
        customer = asyncio.create_task(self._wait(order.id))
        self._customers.add(customer)
        customer.add_done_callback(self._customers.discard)

    def sending(self, order_id: int, version: int) -> None:
        # The customer may get the news before the sender gets its answer.
        self._sent_at_s[order_id, version] = time.monotonic()

    def happened(self, planned: PlannedOrder, step: PlannedStep | None, order: Order) -> None:
        self.updates += step is not None
        self.delivered += order.status == Status.DELIVERED

    async def _wait(self, order_id: int) -> None:
        async for update in self._client.track(order_id, wait_for_server=True):
            for event in update.events:
                sent_at_s = self._sent_at_s.pop((order_id, event.version), None)
                if sent_at_s is not None:
                    self.latencies_ms.append((time.monotonic() - sent_at_s) * 1000)
