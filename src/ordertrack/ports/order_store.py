"""Orders in the store: the narrow ports to read, change and list them. `ports/store.py` has the contract."""

from __future__ import annotations

from asyncio import Future
from collections.abc import Awaitable, Sequence
from typing import NamedTuple, Protocol

import msgspec

from ordertrack.core.errors import OrdertrackError
from ordertrack.core.event import Status
from ordertrack.core.order import NewOrder, Order
from ordertrack.core.order_rules import Change
from ordertrack.ports.commits import Applied, Created, Idempotency


class History(NamedTuple):
    """Sample data: an order with its id, and its changes, each with its time in milliseconds since 1970."""

    order_id: int
    new: NewOrder
    created_at_ms: int
    changes: Sequence[tuple[Change, int]] = ()


class OrderFilter(msgspec.Struct, frozen=True):
    """Which orders to list, newest first: ids below `before_id`, at most `limit`. Empty `statuses` means any."""

    limit: int
    customer_id: str | None = None
    restaurant_id: str | None = None
    courier_id: str | None = None
    statuses: tuple[Status, ...] = ()
    before_id: int | None = None


class EtaPage(NamedTuple):
    """`due` are orders whose window has to be checked. The next page is the one after `last_id`; None: the last."""

    due: Sequence[Order]
    last_id: int | None


class OrderReader(Protocol):
    def order(self, order_id: int) -> Awaitable[Order]:
        """Return the order, or raise OrderNotFound, when awaited. Reads of one order at the same time are one read."""

    def peek(self, order_id: int) -> Order | None: ...


class OrderWriter(Protocol):
    def apply(self, changes: Sequence[Change], now_ms: int) -> Future[list[Applied | OrdertrackError]]:
        """Make the changes in one commit. Return one result each, in order."""


class OrderStore(OrderReader, OrderWriter, Protocol):
    @property
    def epoch(self) -> str: ...

    async def load(self, histories: Sequence[History]) -> bool:
        """Create all of them in one commit. False, with nothing done, when one of the ids exists."""

    def create(self, new: NewOrder, now_ms: int, *, idempotency: Idempotency | None = None) -> Future[Created]:
        """Raises: ReferenceTaken, IdempotencyKeyReused."""

    async def orders(self, order_filter: OrderFilter) -> list[Order]: ...

    async def etas_to_check(self, now_ms: int, after_id: int, limit: int) -> EtaPage:
        """Look at the first `limit` orders that have not ended with ids above `after_id`."""

    async def orders_by_status(self) -> dict[Status, int]: ...
