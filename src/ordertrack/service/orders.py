"""Use cases of orders. The rules are in `core`, the guarantees in the store."""

from __future__ import annotations

from asyncio import Future
from collections.abc import Sequence
from functools import cached_property

from msgspec.structs import replace

from ordertrack.core.access import Parties, check_action, check_create, check_list
from ordertrack.core.errors import OrdertrackError
from ordertrack.core.feed import fill_page
from ordertrack.core.link_view import redact_for_link
from ordertrack.core.order import NewOrder, Order
from ordertrack.core.order_rules import Change
from ordertrack.core.principal import Action, Principal, Role
from ordertrack.ports.clock import Clock
from ordertrack.ports.commits import Applied, Created, Idempotency
from ordertrack.ports.order_store import OrderFilter, OrderStore
from ordertrack.service.authorization import load_authorized


def sole(results: Sequence[Applied | OrdertrackError]) -> Applied:
    """Return the result of one change. Raises: OrderNotFound, Forbidden, an OrderConflict."""
    (result,) = results
    if isinstance(result, OrdertrackError):
        raise result
    return result


class Orders:
    def __init__(self, store: OrderStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    @cached_property
    def epoch(self) -> str:
        return self._store.epoch

    def create(self, new: NewOrder, by: Principal, idempotency: Idempotency | None) -> Future[Created]:
        """Raises, also when awaited: Forbidden, ReferenceTaken, IdempotencyKeyReused, StoreBusy, StoreUnavailable."""
        check_create(by, new)
        return self._store.create(new, self._clock.now_ms(), idempotency=idempotency)

    def change(self, *changes: Change) -> Future[list[Applied | OrdertrackError]]:
        """Make the changes in one durable commit. The future has one result each, in order.

        Raises, also when awaited: StoreBusy, StoreUnavailable.
        """
        return self._store.apply(changes, self._clock.now_ms())

    async def get(self, order_id: int, by: Principal) -> Order:
        """Return the order as `by` may see it. Raises: OrderNotFound, Forbidden."""
        order = await load_authorized(self._store, order_id, by, Action.READ)
        return redact_for_link(order) if by.role is Role.LINK else order

    async def page(self, filter_: OrderFilter, by: Principal) -> tuple[list[Order], bool]:
        """Return a page of orders, and whether there are more. Raises: Forbidden, InvalidInput."""
        parties = check_list(by, Parties(filter_.customer_id, filter_.restaurant_id, filter_.courier_id))
        # One more than the page shows that there is a next page.
        found = await self._store.orders(replace(filter_, **parties._asdict(), limit=filter_.limit + 1))
        return fill_page(found, filter_.limit, lambda order: order)

    async def audit(self, order_id: int, by: Principal) -> Order:
        """Return the order for its audit trail. Raises: Forbidden, OrderNotFound."""
        check_action(by, Action.AUDIT)
        return await self._store.order(order_id)
