"""A page of a feed is bounded by the bytes of its answer, which the core estimates and the wire writes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ordertrack.core.event import Event, EventType, Status
from ordertrack.core.feed import PAGE_BYTES, FeedKey, FeedKind, FeedState, build_page
from ordertrack.core.order import Details, Item, NewOrder, Order, create, evolve
from ordertrack.core.poll import Answer, Reason
from ordertrack.http.wire.order_views import encode
from ordertrack.http.wire.poll_view import poll_answer

BOARD = FeedKey(FeedKind.RESTAURANT, "r1")
NOW_MS = 1_795_342_530_000
texts = st.sampled_from(["", "x", "n" * 500, "é" * 200, "味" * 300])
ids = st.sampled_from(["7", "c" * 64, "味" * 64])
items = st.lists(st.builds(Item, texts, st.just(1_000), st.sampled_from([None, 10**9]), texts), max_size=5)


@st.composite
def orders(draw: st.DrawFn) -> Order:
    details = Details(tuple(draw(items)), 10**9, "EUR", draw(texts), draw(texts))
    order = create(2**63 - 1, NewOrder(draw(ids), draw(ids), draw(ids), draw(st.none() | ids), details), NOW_MS)
    reason, actor, courier = draw(texts), draw(ids), draw(ids)
    for version in range(2, draw(st.integers(1, 500)) + 1):
        moved = version % 2 == 0
        event = Event(
            version=version,
            type=EventType.STATUS_CHANGED if moved else EventType.COURIER_ASSIGNED,
            status=Status.PICKED_UP,
            at_ms=NOW_MS + version,
            recorded_at_ms=NOW_MS + version,
            actor=actor,
            reason=reason if moved else None,
            skipped=(Status.PREPARING, Status.READY) if moved else (),
            courier_id=None if moved else courier,
        )
        order = evolve(order, event)
    return order


@given(orders(), st.integers(1, 100))
def test_an_answer_is_at_most_about_a_megabyte(order: Order, count: int) -> None:
    changes = build_page(count, [(version, order) for version in range(1, count + 1)], limit=100)
    answer = Answer(FeedState(BOARD, changes), Reason.CHANGED, 0)
    size = len(encode(poll_answer(answer, "a1b2", 120.0, NOW_MS)))
    shown = len(changes.orders)
    assert shown == 1 or size <= 1.05 * PAGE_BYTES
    assert changes.more is (shown < count)
    if changes.more:
        assert size / shown * (shown + 1) > 0.7 * PAGE_BYTES, "more would have fitted"
