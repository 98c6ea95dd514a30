"""Somebody else's order, and one that is not there, must look alike: in what is said, and in how long it takes.

An order that was touched lately is at hand, and one that does not exist has to be looked for. So whoever asks for an
order that is not his own waits until one has been looked for that cannot be there.
"""

from __future__ import annotations

import contextlib

from ordertrack.core.access import check_feed, check_order, owns
from ordertrack.core.errors import OrderNotFound
from ordertrack.core.feed import FeedKey, FeedKind, FeedState
from ordertrack.core.order import Order
from ordertrack.core.poll import State
from ordertrack.core.principal import Action, Principal
from ordertrack.ports.order_store import OrderReader

NOWHERE = 0
"""Ids begin at 1."""


def check_party(by: Principal, feed: FeedKey) -> None:
    """Refuse a feed of another party, before anything is read. Raises: Forbidden."""
    if feed.kind is not FeedKind.ORDER:
        check_feed(by, feed)


def may_see(by: Principal, state: State) -> bool:
    """Tell whether `by` may see an order. A party's feed was checked before."""
    return isinstance(state, FeedState) or owns(by, state)


async def checked(store: OrderReader, order_id: int, by: Principal, action: Action) -> Order:
    """The order, when `by` may do this with it. Raises OrderNotFound, Forbidden, StoreUnavailable."""
    at_hand = store.peek(order_id) is not None
    order = await store.order(order_id)
    try:
        check_order(by, order, action)
    except OrderNotFound:
        if at_hand:  # else it has just been looked for
            await look_nowhere(store)
        raise
    return order


async def look_nowhere(store: OrderReader) -> None:
    """Raises StoreUnavailable."""
    with contextlib.suppress(OrderNotFound):
        await store.order(NOWHERE)
