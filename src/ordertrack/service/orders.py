"""What kitchens, couriers and shops do with orders. Thin: the rules are in `core.order`, the promises in the store."""

from __future__ import annotations

from collections.abc import Sequence

from ordertrack.core.errors import OrdertrackError
from ordertrack.core.order import Change, NewOrder, Order
from ordertrack.ports.clock import Clock
from ordertrack.ports.store import Applied, Created, Idempotency, OrderFilter, Store


class Orders:
    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    @property
    def epoch(self) -> str:
        return self._store.epoch

    async def create(self, new: NewOrder, idempotency: Idempotency | None) -> Created:
        """Raises ReferenceTaken, IdempotencyKeyReused, StoreBusy, StoreUnavailable."""
        return await self._store.create(new, self._clock.now_ms(), idempotency=idempotency)

    async def change(self, change: Change) -> Applied:
        """Raises OrderNotFound, an OrderConflict, StoreBusy, StoreUnavailable."""
        (result,) = await self.change_all([change])
        if isinstance(result, OrdertrackError):
            raise result
        return result

    async def change_all(self, changes: Sequence[Change]) -> list[Applied | OrdertrackError]:
        """One durable commit, one result each, in order. Raises StoreBusy, StoreUnavailable."""
        return await self._store.apply(changes, self._clock.now_ms())

    async def one(self, order_id: int) -> Order:
        """Raises OrderNotFound."""
        return await self._store.order(order_id)

    async def some(self, wanted: OrderFilter) -> list[Order]:
        return await self._store.orders(wanted)
