"""Plays a planned lunch hour on a running server, through the public API."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from typing import TypeVar
from uuid import uuid4

from ordertrack.client import (
    AsyncOrdertrackClient,
    Conflict,
    NotFound,
    Order,
    ServerBusy,
    ServerFailed,
    ServerUnreachable,
)
from ordertrack.demo.city import CURRENCY
from ordertrack.demo.lunch_hour import CityRole, PlannedOrder, PlannedStep

RETRY_S = 1.0
T = TypeVar("T")
ClientOf = Callable[[CityRole, str], AsyncOrdertrackClient]
"""Returns the client of a party; the second argument is the party's id."""


class Driver:
    """Takes the steps of planned orders, each with the client of the party that takes it.

    At most `at_once` orders are under way: a new one waits for its turn. `retries` counts requests that were repeated.
    """

    def __init__(self, client_of: ClientOf, *, speed: float, at_once: int) -> None:
        self.retries = 0
        self._client_of = client_of
        self._speed = speed
        self._free = asyncio.Semaphore(at_once)

    async def begun(self, planned: PlannedOrder, order: Order) -> None:
        """Do nothing; called with each order that has been created and has taken the steps due at its creation."""

    def sending(self, order_id: int, version: int) -> None:
        """Do nothing; called before the change is sent that gives the order this version."""

    def happened(self, planned: PlannedOrder, step: PlannedStep | None, order: Order) -> None:
        """Do nothing; called with the order after each step, and with None for the step after its creation."""

    async def run(self, orders: Iterable[PlannedOrder]) -> None:
        """Play the orders until the last one has ended."""
        began_s = time.monotonic()
        async with asyncio.TaskGroup() as tasks:
            for planned in orders:
                await self._wait_until(began_s, planned.at_s)
                await self._free.acquire()
                begun_s = time.monotonic()
                order = await self._create(planned)
                due = sum(step.after_s <= 0 for step in planned.steps)
                order = await self._take(planned, planned.steps[:due], order, begun_s)
                await self.begun(planned, order)
                playing = tasks.create_task(self._take(planned, planned.steps[due:], order, begun_s))
                playing.add_done_callback(lambda _: self._free.release())

    async def _create(self, planned: PlannedOrder) -> Order:
        shop, key = self._client_of(CityRole.SHOP, ""), str(uuid4())
        order = await self._send(
            lambda: shop.create(
                customer_id=planned.customer.id,
                restaurant_id=planned.restaurant.id,
                restaurant_name=planned.restaurant.name,
                items=planned.items,
                total=planned.total,
                currency=CURRENCY,
                address=planned.customer.address,
                note=planned.note,
                idempotency_key=key,
            )
        )
        self.happened(planned, None, order)
        return order

    async def _take(self, planned: PlannedOrder, steps: Iterable[PlannedStep], order: Order, begun_s: float) -> Order:
        """Take the steps, each at its time, and return the order. Stop when another client has changed it otherwise."""
        with suppress(Conflict, NotFound):
            for step in steps:
                await self._wait_until(begun_s, step.after_s)
                order = await self._step(planned, step, order)
                self.happened(planned, step, order)
        return order

    async def _step(self, planned: PlannedOrder, step: PlannedStep, order: Order) -> Order:
        party_id = {
            CityRole.SHOP: "",
            CityRole.CUSTOMER: planned.customer.id,
            CityRole.RESTAURANT: planned.restaurant.id,
            CityRole.COURIER: step.courier.id if step.courier else "",
        }[step.by]
        client = self._client_of(step.by, party_id)
        self.sending(order.id, order.version + 1)
        if step.to is None:
            assert step.courier is not None
            courier_id = step.courier.id
            return (await self._send(lambda: client.assign_courier(order.id, courier_id))).order
        to = step.to
        return (await self._send(lambda: client.set_status(order.id, to, reason=step.reason, undo=step.undo))).order

    async def _send(self, call: Callable[[], Awaitable[T]]) -> T:
        """Send a request until it is answered. Raises: OrdertrackClientError, when a retry would not help."""
        while True:
            try:
                return await call()
            except (ServerUnreachable, ServerBusy, ServerFailed):
                self.retries += 1
            await asyncio.sleep(RETRY_S)

    async def _wait_until(self, began_s: float, after_s: float) -> None:
        await asyncio.sleep(max(0.0, began_s + after_s / self._speed - time.monotonic()))
