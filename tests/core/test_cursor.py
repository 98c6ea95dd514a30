"""Positions in a feed, cursors and `last_update`: PROTOCOL.md sections 3 and 4."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordertrack.core.cursor import MAX_INT64, UNKNOWN_CURSOR, Cursor, parse_cursor, version_at
from ordertrack.core.errors import InvalidInput
from ordertrack.core.order import NewOrder, Order, create, evolve
from ordertrack.core.order_rules import AssignCourier, advance
from ordertrack.core.timestamps import format_time, parse_time_ms


@given(
    epoch=st.text("0123456789abcdefghijklmnopqrstuvwxyz", min_size=1, max_size=32),
    version=st.integers(0, MAX_INT64),
    after_id=st.integers(0, MAX_INT64),
)
def test_a_cursor_survives_a_round_trip(epoch: str, version: int, after_id: int) -> None:
    cursor = Cursor(epoch, version, after_id)
    assert parse_cursor(str(cursor)) == cursor


@given(version=st.integers(0, MAX_INT64 - 1), data=st.data())
def test_a_snapshot_cursor_of_an_earlier_version_is_unknown(version: int, data: st.DataObject) -> None:
    snapshot = data.draw(st.integers(version + 1, MAX_INT64))
    assert parse_cursor(f"a1b2.{version}.{snapshot}") == UNKNOWN_CURSOR


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "a1b2",
        "a1b2.",
        ".3",
        "a1b2.-1",
        "a1b2.+1",
        "a1b2.03",
        "a1b2.3 ",
        " a1b2.3",
        "a1b2.3\n",
        "a1b2.3.0",
        "a1b2.3.i",
        "a1b2.3.i0",
        "a1b2.3.i04",
        "a1b2.3.I4",
        "a1b2.i4",
        "a1b2.3.i4.5",
        "a1b2.3.04",
        "a1b2.3.",
        "a1b2.3.4.5",
        f"a1b2.3.{MAX_INT64 + 1}",
        f"a1b2.3.i{MAX_INT64 + 1}",
        "A1B2.3",
        "a1b2,3",
        "a1b2.3e2",
        "a1b2.٣",
        "é.3",
        "a" * 33 + ".3",
        f"a1b2.{MAX_INT64 + 1}",
        "a1b2." + "9" * 100,
        'W/"a1b2.3"',
        "null",
    ],
)
def test_a_malformed_cursor_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        parse_cursor(text)
    assert refused.value.field == "cursor"


@given(st.text(max_size=40))
def test_any_text_is_a_cursor_or_refused(text: str) -> None:
    try:
        cursor = parse_cursor(text)
    except InvalidInput:
        return
    assert cursor == UNKNOWN_CURSOR or str(cursor) == text


def order_recorded_at(*times_ms: int) -> Order:
    order = create(7, NewOrder(customer_id="c1", restaurant_id="r1"), times_ms[0])
    for n, now_ms in enumerate(times_ms[1:]):
        event = advance(order, AssignCourier(7, f"d{n}", "test"), now_ms)
        assert event is not None
        order = evolve(order, event)
    return order


@pytest.mark.parametrize(
    ("last_update_ms", "version"),
    [(0, 0), (999, 0), (1_000, 1), (1_001, 1), (2_999, 1), (3_000, 2), (3_001, 3), (3_002, 3), (10**15, 3)],
)
def test_last_update_is_the_newest_version_at_that_time(last_update_ms: int, version: int) -> None:
    assert version_at(order_recorded_at(1_000, 3_000, 3_000), last_update_ms) == version


@given(st.lists(st.integers(0, 10_000), min_size=1, max_size=12))
def test_an_echoed_updated_at_is_its_own_version(times_ms: list[int]) -> None:
    order = order_recorded_at(*times_ms)
    for event in order.timeline:
        assert version_at(order, parse_time_ms("last_update", format_time(event.recorded_at_ms))) == event.version
