"""The feeds of an order, and those that a change touches."""

from __future__ import annotations

from hypothesis import assume, given
from hypothesis import strategies as st

from ordertrack.core.event import Status
from ordertrack.core.feed import FeedKey, FeedKind, order_feed, party_feeds, touched_feeds
from ordertrack.core.order import NewOrder, Order, create, evolve
from ordertrack.core.order_rules import AssignCourier, ChangeStatus, advance


def order_recorded_at(*times_ms: int) -> Order:
    order = create(7, NewOrder(customer_id="c1", restaurant_id="r1"), times_ms[0])
    for n, now_ms in enumerate(times_ms[1:]):
        event = advance(order, AssignCourier(7, f"d{n}", "test"), now_ms)
        assert event is not None
        order = evolve(order, event)
    return order


def test_an_order_is_in_the_feeds_of_its_parties() -> None:
    order = create(7, NewOrder(customer_id="c1", restaurant_id="r1"), 0)
    customer, restaurant = FeedKey(FeedKind.CUSTOMER, "c1"), FeedKey(FeedKind.RESTAURANT, "r1")
    assert order_feed(order.id) == FeedKey(FeedKind.ORDER, "7")
    assert set(party_feeds(order)) == set(touched_feeds(None, order)) == {customer, restaurant}


def test_a_replaced_couriers_feed_is_touched_too() -> None:
    before = order_recorded_at(1_000, 2_000)
    event = advance(before, AssignCourier(7, "d9", "test"), 3_000)
    assert event is not None
    touched = touched_feeds(before, evolve(before, event))
    assert sorted(feed.id for feed in touched if feed.kind is FeedKind.COURIER) == ["d0", "d9"]
    event = advance(before, ChangeStatus(7, Status.PREPARING, "test"), 3_000)
    assert event is not None
    touched = touched_feeds(before, evolve(before, event))
    assert [feed.id for feed in touched if feed.kind is FeedKind.COURIER] == ["d0"]
    assert len(touched) == len(set(touched)) == 3


@given(st.text(max_size=5), st.text(max_size=5))
def test_feeds_of_different_kinds_are_different(one: str, other: str) -> None:
    assume(one)
    assert FeedKey(FeedKind.CUSTOMER, one) != FeedKey(FeedKind.COURIER, other)
