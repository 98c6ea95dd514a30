"""Polls of the feed of a customer, restaurant or courier: differences from polls of an order."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordertrack.core.cursor import UNKNOWN_CURSOR, Cursor
from ordertrack.core.errors import InvalidInput
from ordertrack.core.event import Status
from ordertrack.core.feed import FeedChanges, FeedKey, FeedKind, FeedState, build_page, order_feed
from ordertrack.core.order import Details, NewOrder, Order, create, evolve
from ordertrack.core.order_rules import ChangeStatus, advance
from ordertrack.core.poll import (
    Answer,
    Hold,
    PollRequest,
    Reason,
    check_request,
    decide,
    decide_at,
    decide_drained,
    next_poll_interval_s,
)

EPOCH = "a1b2"
BOARD = FeedKey(FeedKind.RESTAURANT, "r1")
NOW = FeedState(BOARD, FeedChanges(7))
PARTIES = [FeedKind.CUSTOMER, FeedKind.RESTAURANT, FeedKind.COURIER]


def order_in(status: str, id_: int = 1) -> Order:
    order = create(id_, NewOrder("c1", "r1"), 1_000)
    event = advance(order, ChangeStatus(id_, Status(status), "test"), 2_000)
    return order if event is None else evolve(order, event)


def at(version: int, after_id: int = 0) -> Cursor:
    return Cursor(EPOCH, version, after_id)


# The decision table


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        pytest.param(PollRequest(), Answer(NOW, Reason.SNAPSHOT, None), id="3.5"),
        pytest.param(PollRequest(timeout_s=0.0), Answer(NOW, Reason.TIMEOUT, 7), id="3.6 and 3.11"),
        pytest.param(PollRequest(timeout_s=9.0), Hold(7, 9.0), id="3.6"),
        pytest.param(PollRequest(cursor=at(6)), Answer(NOW, Reason.CHANGED, 6), id="3.8"),
        pytest.param(PollRequest(cursor=at(7, 6)), Answer(NOW, Reason.CHANGED, 7), id="3.30"),
        pytest.param(PollRequest(cursor=at(3, 6), timeout_s=9.0), Answer(NOW, Reason.CHANGED, 3), id="3.30 and news"),
        pytest.param(PollRequest(etag=at(7, 6), timeout_s=9.0), Answer(NOW, Reason.CHANGED, 7), id="3.30 etag"),
        pytest.param(PollRequest(cursor=at(8, 6), timeout_s=9.0), Answer(NOW, Reason.RESET, None), id="3.30 ahead"),
        pytest.param(PollRequest(cursor=UNKNOWN_CURSOR), Answer(NOW, Reason.RESET, None), id="3.30 unknown"),
        pytest.param(PollRequest(cursor=Cursor("ffff", 7)), Answer(NOW, Reason.RESET, None), id="3.7"),
        pytest.param(PollRequest(cursor=at(7), timeout_s=9.0), Hold(7, 9.0), id="3.11"),
        pytest.param(
            PollRequest(etag=at(7), timeout_s=0.0), Answer(NOW, Reason.TIMEOUT, 7, not_modified=True), id="304"
        ),
        pytest.param(PollRequest(cursor=at(8), timeout_s=9.0), Hold(8, 2.0), id="3.9"),
        pytest.param(PollRequest(cursor=at(8), timeout_s=0.0), Answer(NOW, Reason.RESET, None), id="3.9 without time"),
    ],
)
def test_a_feed_is_decided_by_the_table_of_orders(request_: PollRequest, expected: Answer | Hold) -> None:
    left_s = 30.0 if request_.timeout_s is None else request_.timeout_s
    assert decide(request_, NOW, EPOCH, left_s) == expected


def test_a_feed_never_ends() -> None:
    assert decide_at(7, NOW, 30.0) == Hold(7, 30.0)
    assert decide_at(0, FeedState(BOARD, FeedChanges(0)), 30.0) == Hold(0, 30.0)


@pytest.mark.parametrize(("position", "reason"), [(6, "changed"), (7, "drain"), (8, "reset")])
def test_a_drained_poll_gets_its_news_first(position: int, reason: str) -> None:
    assert decide_drained(position, NOW).reason == reason


@pytest.mark.parametrize("reason", Reason)
def test_news_of_a_feed_lacks_its_changes(reason: Reason) -> None:
    news = reason in ("snapshot", "changed", "reset")
    assert Answer(NOW, reason, 7).lacks_changes is news
    assert Answer(order_in("ready"), reason, 1).lacks_changes is False
    assert Answer(NOW, reason, 7).events == ()


# Parameters


@pytest.mark.parametrize("kind", PARTIES)
def test_a_party_has_no_last_update(kind: FeedKind) -> None:
    with pytest.raises(InvalidInput) as refused:
        check_request(PollRequest(cursor=at(1), last_update_ms=5), FeedKey(kind, "1"))
    assert refused.value.field == "last_update"
    assert "`cursor`" in refused.value.allowed
    check_request(PollRequest(cursor=at(1, 5), timeout_s=1.0), FeedKey(kind, "1"))


def test_an_order_has_no_pages() -> None:
    with pytest.raises(InvalidInput) as refused:
        check_request(PollRequest(cursor=at(1, 5)), order_feed(1))
    assert refused.value.field == "cursor"
    check_request(PollRequest(cursor=at(1), last_update_ms=5), order_feed(1))


# Intervals


@pytest.mark.parametrize(
    ("statuses", "interval_s"),
    [
        ([], 120),
        (["delivered"], 120),
        (["cancelled", "delivered"], 120),
        (["confirmed"], 120),
        (["confirmed", "preparing"], 60),
        (["ready", "preparing", "delivered"], 30),
    ],
)
def test_a_feed_has_the_shortest_interval_of_its_orders(statuses: list[str], interval_s: int) -> None:
    orders = tuple(map(order_in, statuses))
    assert next_poll_interval_s(FeedState(BOARD, FeedChanges(3, orders))) == interval_s


# Pages


def test_a_page_has_the_oldest_changes_first() -> None:
    one, two, three = (order_in("ready", id_) for id_ in (1, 2, 3))
    entries = [(4, two), (6, 77), (8, three), (9, one)]
    assert build_page(9, entries, limit=4) == FeedChanges(9, (two, three, one), (77,))
    assert build_page(9, entries, limit=3) == FeedChanges(8, (two, three), (77,), more=True)
    assert build_page(9, entries, limit=1) == FeedChanges(4, (two,), (), more=True)
    assert build_page(9, [], limit=1) == FeedChanges(9)


def test_a_page_ends_before_an_order_that_is_too_large() -> None:
    sizes = (400_000, 500_000, 300_000, 2_000_000, 1)
    orders = [create(n, NewOrder("c1", "r1", details=Details(note="x" * size)), 1_000) for n, size in enumerate(sizes)]
    entries = list(enumerate(orders, start=1))
    pages, after = [], 0
    while not pages or pages[-1].more:
        pages.append(build_page(5, entries[after:], limit=4))
        after = pages[-1].version
    assert [[order.id for order in each.orders] for each in pages] == [[0, 1], [2], [3], [4]]
    assert [each.version for each in pages] == [2, 3, 4, 5]


def test_a_page_consumes_one_entry_more_than_fits() -> None:
    entries = iter([(version, version) for version in range(1, 9)])
    assert build_page(8, entries, limit=3).more
    assert next(entries) == (5, 5)


def test_a_page_of_a_snapshot_ends_at_an_order() -> None:
    one, two, three = (order_in("ready", id_) for id_ in (1, 2, 3))
    entries: list[tuple[int, Order | int]] = [(7, one), (7, two), (8, 77), (9, three)]
    assert build_page(9, entries, limit=1, snapshot=7) == FeedChanges(7, (one,), more=True, after_id=1)
    assert build_page(9, entries, limit=2, snapshot=7) == FeedChanges(7, (one, two), more=True, after_id=2)
    assert build_page(9, entries, limit=3, snapshot=7) == FeedChanges(8, (one, two), (77,), more=True)
    assert build_page(9, entries, limit=4, snapshot=7) == FeedChanges(9, (one, two, three), (77,))
    assert build_page(7, entries[:2], limit=2, snapshot=7) == FeedChanges(7, (one, two))


@given(st.sets(st.integers(1, 60), max_size=20), st.integers(1, 8))
def test_consecutive_pages_have_every_entry_once(versions: set[int], limit: int) -> None:
    entries: list[tuple[int, Order | int]] = [(version, version * 10) for version in sorted(versions)]
    read: list[int] = []
    after, more = 0, True
    while more:
        some = build_page(60, [entry for entry in entries if entry[0] > after], limit=limit)
        assert len(some.left) <= limit
        read += some.left
        after, more = some.version, some.more
    assert (read, after) == ([version * 10 for version in sorted(versions)], 60)
