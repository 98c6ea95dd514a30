"""The times at which an order entered its statuses."""

from __future__ import annotations

import pytest

from ordertrack.core.eta.stages import entered_at_ms
from ordertrack.core.event import Event, EventType, Status
from ordertrack.core.order import NewOrder, create, evolve

CHANGED, REVERTED, ASSIGNED = EventType.STATUS_CHANGED, EventType.REVERTED, EventType.COURIER_ASSIGNED
MOVED = EventType.ETA_CHANGED


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        pytest.param([], {"confirmed": 0}, id="created"),
        pytest.param(
            [(CHANGED, "preparing", 10), (ASSIGNED, "preparing", 20), (CHANGED, "ready", 30)],
            {"confirmed": 0, "preparing": 10, "ready": 30},
            id="a courier changes nothing",
        ),
        pytest.param(
            [(CHANGED, "preparing", 10), (MOVED, "preparing", 20), (CHANGED, "ready", 30)],
            {"confirmed": 0, "preparing": 10, "ready": 30},
            id="a new window changes nothing",
        ),
        pytest.param([(CHANGED, "ready", 30)], {"confirmed": 0, "ready": 30}, id="a skipped status"),
        pytest.param(
            [(CHANGED, "preparing", 10), (CHANGED, "ready", 20), (REVERTED, "preparing", 30)],
            {"confirmed": 0, "preparing": 10},
            id="an undone step",
        ),
        pytest.param(
            [(CHANGED, "preparing", 10), (CHANGED, "ready", 20), (REVERTED, "preparing", 30), (CHANGED, "ready", 40)],
            {"confirmed": 0, "preparing": 10, "ready": 40},
            id="a step after an undone one",
        ),
        pytest.param(
            [(CHANGED, "ready", 20), (REVERTED, "preparing", 30)],
            {"confirmed": 0, "preparing": 30},
            id="an undo to a status that was skipped",
        ),
        pytest.param(
            [(CHANGED, "preparing", 10), (CHANGED, "cancelled", 20), (REVERTED, "preparing", 30)],
            {"confirmed": 0, "preparing": 10},
            id="a restored order",
        ),
        pytest.param(
            [(CHANGED, "preparing", 10), (CHANGED, "cancelled", 20)],
            {"confirmed": 0, "preparing": 10},
            id="a cancelled order",
        ),
        pytest.param(
            [(CHANGED, "preparing", 20), (CHANGED, "ready", 5)],
            {"confirmed": 0, "preparing": 20, "ready": 20},
            id="a clock that is behind",
        ),
    ],
)
def test_times_of_the_statuses(steps: list[tuple[EventType, str, int]], expected: dict[str, int]):
    order = create(1, NewOrder(customer_id="c1", restaurant_id="r1"), 0)
    for number, (kind, status, at_ms) in enumerate(steps, 1):
        order = evolve(order, Event(order.version + 1, kind, Status(status), at_ms, 100 + number, "test"))
    assert entered_at_ms(order) == expected
