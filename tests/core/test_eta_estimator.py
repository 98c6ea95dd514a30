"""Windows of arrival: ordered, never in the past, and from the restaurant's own history."""

from __future__ import annotations

from itertools import accumulate, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordertrack.core.eta.estimator import STAGES, ArrivalEstimator
from ordertrack.core.event import PROGRESSION, Event, EventType, Status
from ordertrack.core.order import NewOrder, Order, create, evolve
from ordertrack.core.window import Window

START_MS = 1_795_342_530_000
MINUTE_MS = 60_000
USUAL = (3, 15, 5, 10)
"""Minutes in each status, as configured by default."""


def after(order: Order, kind: EventType, status: Status, at_ms: int) -> Order:
    return evolve(order, Event(order.version + 1, kind, status, at_ms, at_ms, "test"))


def delivered(
    order_id: int,
    minutes: tuple[float, ...] = USUAL,
    *,
    start_ms: int | None = None,
    restaurant: str = "r1",
    skipped: tuple[Status, ...] = (),
) -> Order:
    """Return an order that was so many minutes in each status; order n begins n hours after the first."""
    start_ms = START_MS + order_id * 60 * MINUTE_MS if start_ms is None else start_ms
    order = create(order_id, NewOrder(customer_id="c1", restaurant_id=restaurant), start_ms)
    for status, passed in zip(PROGRESSION[1:], accumulate(minutes), strict=True):
        if status not in skipped:
            order = after(order, EventType.STATUS_CHANGED, status, start_ms + round(passed * MINUTE_MS))
    return order


def learned(*orders: Order, **options: int) -> ArrivalEstimator:
    estimator = ArrivalEstimator(**options)
    for order in orders:
        estimator.learn(order)
    return estimator


def minutes_of(window: Window, since_ms: int = START_MS) -> tuple[float, float]:
    return (window.from_ms - since_ms) / MINUTE_MS, (window.to_ms - since_ms) / MINUTE_MS


def windows(estimator: ArrivalEstimator, restaurant: str = "r1") -> list[Window]:
    return [estimator.window(restaurant, status, START_MS, START_MS + MINUTE_MS) for status in STAGES]


HISTORIES = st.lists(st.tuples(*[st.floats(0, 300)] * 4), max_size=30)
WAITS_MS = st.integers(0, 24 * 60 * MINUTE_MS)


@given(HISTORIES, st.sampled_from(STAGES), st.lists(WAITS_MS, min_size=1, max_size=8))
def test_window_moves_only_later_and_is_never_past(history, status, waits_ms):
    estimator = learned(*(delivered(number, minutes) for number, minutes in enumerate(history)))
    seen = []
    for wait_ms in sorted(waits_ms):
        window = estimator.window("r1", status, START_MS, START_MS + wait_ms)
        assert START_MS + wait_ms <= window.from_ms < window.to_ms
        seen.append(window)
    for earlier, later in pairwise(seen):
        assert earlier.from_ms <= later.from_ms
        assert earlier.to_ms <= later.to_ms


@given(HISTORIES, HISTORIES)
def test_restaurants_and_repeats_change_nothing(first, second):
    orders, others = (
        [delivered(10 * number, minutes, restaurant=name) for number, minutes in enumerate(history, start)]
        for name, start, history in (("r1", 0, first), ("r2", 100, second))
    )
    estimator = learned(*others, *orders, *others, *orders)
    assert windows(estimator) == windows(learned(*orders))
    assert windows(estimator, "r2") == windows(learned(*others), "r2")


@pytest.mark.parametrize("status", STAGES)
def test_first_window_is_around_the_configured_time(status: Status):
    expected = sum(USUAL[STAGES.index(status) :])
    start, end = minutes_of(ArrivalEstimator().window("new", status, START_MS, START_MS))
    assert expected * 0.4 < start < expected < end < expected * 2.5


@pytest.mark.parametrize("minutes", [(1, 6, 1, 4), (9, 40, 12, 25)])
def test_restaurant_with_constant_times_gets_its_times(minutes):
    estimator = learned(*(delivered(number, minutes) for number in range(60)))
    for at, status in enumerate(STAGES):
        expected = sum(minutes[at:])
        start, end = minutes_of(estimator.window("r1", status, START_MS, START_MS))
        assert start <= expected <= end
        assert end - start <= max(8, expected / 4)


def test_few_orders_show_a_slow_restaurant():
    slow = tuple(3 * minutes for minutes in USUAL)
    start, end = minutes_of(
        learned(*(delivered(number, slow) for number in range(3))).window("r1", Status.CONFIRMED, START_MS, START_MS)
    )
    assert start < sum(slow) < end
    assert start > sum(USUAL)


def test_outlier_does_not_widen_the_window():
    regular = [delivered(number) for number in range(40)]
    before = learned(*regular).window("r1", Status.CONFIRMED, START_MS, START_MS)
    estimator = learned(*regular, delivered(40, (3, 600, 5, 10)), delivered(41, (0, 0, 0, 0)))
    window = estimator.window("r1", Status.CONFIRMED, START_MS, START_MS)
    assert abs(window.from_ms - before.from_ms) <= 2 * MINUTE_MS
    assert abs(window.to_ms - before.to_ms) <= 2 * MINUTE_MS


def test_order_that_waits_longer_than_all_others_gets_an_end():
    estimator = learned(*(delivered(number) for number in range(40)))
    start, end = minutes_of(estimator.window("r1", Status.PICKED_UP, START_MS, START_MS + 100 * MINUTE_MS))
    assert start == 100
    assert 110 <= end <= 130


def test_order_that_waits_is_compared_with_longer_ones():
    estimator = learned(*(delivered(number, (3, 15, 5, 60 if number % 10 == 0 else 5)) for number in range(40)))
    ends = [
        minutes_of(estimator.window("r1", Status.PICKED_UP, START_MS, START_MS + waited * MINUTE_MS))[1]
        for waited in (0, 20)
    ]
    assert ends[0] < 40
    assert 55 <= ends[1] <= 65


def test_old_orders_are_forgotten():
    old = [delivered(number, (9, 60, 15, 30)) for number in range(50)]
    new = [delivered(number) for number in range(50, 62)]
    start, end = minutes_of(learned(*old, *new, max_orders=10).window("r1", Status.CONFIRMED, START_MS, START_MS))
    assert start <= sum(USUAL) <= end < 60


def test_restaurant_that_delivered_longest_ago_is_forgotten():
    slow = (10, 60, 20, 40)
    names = ("r1", "r2", "r1", "r3")
    estimator = learned(
        *(delivered(number, slow, restaurant=name) for number, name in enumerate(names)), max_restaurants=2
    )
    unknown = windows(ArrivalEstimator())
    assert [windows(estimator, name) == unknown for name in ("r1", "r2", "r3")] == [False, True, False]


@pytest.mark.parametrize("last", [Status.CANCELLED, Status.READY])
def test_order_that_was_not_delivered_is_not_used(last: Status):
    order = create(1, NewOrder(customer_id="c1", restaurant_id="r1"), START_MS)
    order = after(order, EventType.STATUS_CHANGED, last, START_MS + 300 * MINUTE_MS)
    assert windows(learned(order)) == windows(ArrivalEstimator())


def test_skipped_status_learns_nothing_and_others_do():
    slow = (10, 60, 20, 40)
    seen = windows(learned(*(delivered(number, slow, skipped=(Status.READY,)) for number in range(10))))
    unknown = windows(ArrivalEstimator())
    assert [window == other for window, other in zip(seen, unknown, strict=True)] == [False, False, True, False]


def test_second_delivery_is_not_used():
    undone = delivered(1)
    again = after(undone, EventType.REVERTED, Status.PICKED_UP, undone.updated_at_ms + 1)
    again = after(again, EventType.STATUS_CHANGED, Status.DELIVERED, undone.updated_at_ms + 600 * MINUTE_MS)
    assert windows(learned(undone, again)) == windows(learned(undone))


def test_orders_of_a_busy_hour_get_later_windows():
    hour_ms = 60 * MINUTE_MS
    midnight_ms = START_MS // (24 * hour_ms) * 24 * hour_ms
    orders = [
        delivered(
            2 * day + busy,
            (3, 40, 5, 10) if busy else USUAL,
            start_ms=midnight_ms + (24 * day + (12 if busy else 16)) * hour_ms,
        )
        for day in range(30)
        for busy in (False, True)
    ]
    estimator = learned(*orders)
    quiet_ms, busy_ms = midnight_ms + 16 * hour_ms, midnight_ms + 12 * hour_ms
    quiet = minutes_of(estimator.window("r1", Status.CONFIRMED, quiet_ms, quiet_ms), quiet_ms)
    busy = minutes_of(estimator.window("r1", Status.CONFIRMED, busy_ms, busy_ms), busy_ms)
    assert quiet[0] < busy[0]
    assert quiet[1] < busy[1]


def test_dropped_orders_are_not_learned_again():
    orders = [delivered(number, (1, 2, 3, 4)) for number in range(5)]
    estimator = learned(*orders, max_orders=3)
    before = windows(estimator)
    for order in orders:
        estimator.learn(order)
    estimator.learn(delivered(9, (15, 15, 15, 15), start_ms=START_MS))  # delivered before those that were dropped
    assert windows(estimator) == before


def test_windows_of_short_orders_are_finer_than_minutes():
    seconds = {Status.CONFIRMED: 15, Status.PREPARING: 75, Status.READY: 25, Status.PICKED_UP: 50}
    window = ArrivalEstimator(seconds).window("r1", Status.CONFIRMED, START_MS, START_MS)
    assert window.to_ms - window.from_ms < 4 * MINUTE_MS
