"""Authorization of reads: an order of another party looks like a missing one, in the answer and in its timing.

A recently used order is cached, a missing one is looked up in the store. So the refusal of a cached order waits for the
lookup of an id that cannot exist.
"""

from __future__ import annotations

import contextlib

from ordertrack.core.access import check_feed, check_order, owns
from ordertrack.core.errors import OrderNotFound
from ordertrack.core.feed import FeedKey, FeedKind, FeedState
from ordertrack.core.order import Order
from ordertrack.core.poll import State
from ordertrack.core.principal import ANYONE, Action, Principal
from ordertrack.ports.order_store import OrderReader

NONEXISTENT_ID = 0
"""Ids begin at 1."""


def check_party(by: Principal, feed: FeedKey) -> None:
    """Refuse a feed of another party, before anything is read.

    Raises: Forbidden.
    """
    if feed.kind is not FeedKind.ORDER:
        check_feed(by, feed)


def may_see(by: Principal, state: State) -> bool:
    """Tell whether `by` may see an order. A party's feed was checked before it was read."""
    return by is ANYONE or isinstance(state, FeedState) or owns(by, state)


async def load_authorized(store: OrderReader, order_id: int, by: Principal, action: Action) -> Order:
    """Return the order if `by` may perform `action` on it.

    Raises: OrderNotFound, Forbidden, StoreUnavailable.
    """
    was_cached = store.peek(order_id) is not None
    order = await store.order(order_id)
    try:
        check_order(by, order, action)
    except OrderNotFound:
        if was_cached:  # an uncached order has taken that time already
            await pad_lookup_time(store)
        raise
    return order


async def pad_lookup_time(store: OrderReader) -> None:
    """Wait as long as the store takes to find that an order does not exist.

    Raises: StoreUnavailable.
    """
    with contextlib.suppress(OrderNotFound):
        await store.order(NONEXISTENT_ID)
