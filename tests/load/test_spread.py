"""Orders of the load generator are spread over a city, and scheduled updates over time."""

from __future__ import annotations

from collections import Counter

from ordertrack.load import Schedule
from ordertrack.load.orders import COURIERS, CUSTOMERS, RESTAURANTS, parties


def test_orders_are_spread_evenly():
    spread = [parties(number) for number in range(2 * CUSTOMERS)]
    for ids, parties_of_kind in zip(zip(*spread, strict=True), (CUSTOMERS, RESTAURANTS, COURIERS), strict=True):
        counts = Counter(ids)
        assert len(counts) == parties_of_kind
        assert max(counts.values()) <= 2 * min(counts.values())


def test_customer_orders_at_different_restaurants():
    first, second = parties(1), parties(1 + CUSTOMERS)
    assert first.customer_id == second.customer_id
    assert first.restaurant_id != second.restaurant_id


def test_schedule_has_equal_intervals_from_zero():
    schedule = Schedule(updates_per_s=200, seconds=1.5)
    assert schedule.updates == 300
    assert [schedule.due_at_s(number) for number in (0, 1, 200)] == [0, 0.005, 1]
