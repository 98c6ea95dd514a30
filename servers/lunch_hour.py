"""A simulated lunch hour: customers who wait, kitchens and couriers that update, through the Python client."""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from contextlib import suppress

from ordertrack.client import AsyncOrdertrackClient, OrdertrackClientError
from ordertrack.client.values import Stats

ORDERS = 60
"""Orders under way at one time."""
STEPS = ("preparing", "ready", "picked_up", "delivered")
STEP_S = (2.0, 14.0)
RETRY_S = 1.0
RECENT = 200


class LunchHour:
    """`retries` counts requests that had to be sent again. `latencies_ms` are the newest: from sending an update to the
    customer's answer, which another node may have held."""

    def __init__(self, url: str) -> None:
        self.updates = self.delivered = self.retries = 0
        self.latencies_ms: deque[float] = deque(maxlen=RECENT)
        self._client = AsyncOrdertrackClient(url, retries=0)
        self._sent_at_s: dict[tuple[int, int], float] = {}

    async def run(self) -> None:
        """Run until cancelled."""
        try:
            async with asyncio.TaskGroup() as tasks:
                for number in range(ORDERS):
                    tasks.create_task(self._serve(number))
        finally:
            await self._client.aclose()

    async def stats(self) -> Stats | None:
        """Return the statistics of the cluster; None when no node answers."""
        with suppress(OrdertrackClientError):
            return await self._client.stats()
        return None

    async def _serve(self, number: int) -> None:
        """Take one order after another to the customer."""
        await asyncio.sleep(random.uniform(0, STEP_S[1]))
        while True:
            try:
                order = await self._client.create(
                    customer_id=f"customer-{number}", restaurant_id=f"restaurant-{number % 5}", note="lunch"
                )
            except OrdertrackClientError:
                await self._pause()
                continue
            customer = asyncio.create_task(self._wait(order.id))
            try:
                for status in STEPS:
                    await asyncio.sleep(random.uniform(*STEP_S))
                    await self._update(order.id, status)
                await customer
            finally:
                customer.cancel()
            self.delivered += 1

    async def _update(self, order_id: int, status: str) -> None:
        while True:
            sent_at_s = time.monotonic()
            # The versions follow each other: creation is 1. The customer may get the news before this gets its answer.
            self._sent_at_s[order_id, STEPS.index(status) + 2] = sent_at_s
            try:
                await self._client.set_status(order_id, status)
            except OrdertrackClientError:
                await self._pause()
                continue
            self.updates += 1
            return

    async def _wait(self, order_id: int) -> None:
        async for update in self._client.track(order_id, wait_for_server=True):
            sent_at_s = self._sent_at_s.pop((order_id, update.order.version), None)
            if sent_at_s is not None:
                self.latencies_ms.append((time.monotonic() - sent_at_s) * 1000)

    async def _pause(self) -> None:
        self.retries += 1
        await asyncio.sleep(RETRY_S)
