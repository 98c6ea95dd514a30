"""The times at which an order entered its statuses, with undone steps removed. Pure."""

from __future__ import annotations

from ordertrack.core.event import PROGRESSION, STATUS_EVENTS, EventType, Status
from ordertrack.core.order import Order

_RANK = {status: rank for rank, status in enumerate(PROGRESSION)}


def entered_at_ms(order: Order) -> dict[Status, int]:
    """Return the time at which the order entered each status of its progression, by the clock of the actors.

    1. A skipped status has no time.
    2. An undo removes the statuses after the one it returns to, which keeps its own time: the order has been there all
       along. A status that was skipped gets the time of the undo.
    3. A cancellation has no time. After a restored one the times are as before.
    4. A time before that of the previous status, such as from a clock that is wrong, becomes that time.
    """
    entered: dict[Status, int] = {}
    latest_ms = 0
    for event in order.timeline:
        if event.type not in STATUS_EVENTS or event.status is Status.CANCELLED:
            continue
        if event.type is EventType.REVERTED:
            rank = _RANK[event.status]
            entered = {status: at_ms for status, at_ms in entered.items() if _RANK[status] <= rank}
            latest_ms = max(entered.values(), default=0)
            if event.status in entered:
                continue
        latest_ms = max(latest_ms, event.at_ms)
        entered[event.status] = latest_ms
    return entered
