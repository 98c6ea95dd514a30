"""The three sample orders of an empty store, which the `curl` commands of the README use."""

from __future__ import annotations

from ordertrack.core.event import PROGRESSION, Status
from ordertrack.core.order import Details, Item, NewOrder
from ordertrack.core.order_rules import ChangeStatus
from ordertrack.ports.clock import Clock
from ordertrack.ports.order_store import History, OrderStore

_ACTOR = "sample"
_STEP_MS = 3 * 60 * 1000


def _order(customer_id: str, items: tuple[Item, ...], total: float, address: str) -> NewOrder:
    details = Details(items=items, total=total, currency="EUR", address=address)
    return NewOrder(customer_id=customer_id, restaurant_id="1", details=details, actor=_ACTOR)


SAMPLES: dict[int, tuple[Status, NewOrder]] = {
    101: (Status.CONFIRMED, _order("1", (Item("Margherita", 2), Item("Lemonade", 2)), 27.0, "12 Mill Lane")),
    102: (Status.PREPARING, _order("2", (Item("Tagliatelle al ragù", 1),), 14.5, "3 Harbour Street")),
    103: (Status.READY, _order("1", (Item("Tiramisù", 3),), 18.0, "12 Mill Lane")),
}


async def load_samples(store: OrderStore, clock: Clock) -> bool:
    """Load the samples, all or none, into an empty store. Return False if the store has orders, for example those that
    another node loads at the same time."""
    if sum((await store.orders_by_status()).values()):
        return False
    now_ms = clock.now_ms()
    return await store.load([_history(order_id, status, new, now_ms) for order_id, (status, new) in SAMPLES.items()])


def _history(order_id: int, status: Status, new: NewOrder, now_ms: int) -> History:
    """Return the history of an order that reached `status` at `now_ms`, one step every _STEP_MS."""
    path = PROGRESSION[1 : PROGRESSION.index(status) + 1]
    started_at_ms = now_ms - _STEP_MS * len(path)
    changes = [
        (ChangeStatus(order_id, to, _ACTOR), started_at_ms + step * _STEP_MS) for step, to in enumerate(path, start=1)
    ]
    return History(order_id, new, started_at_ms, changes)
