"""Feeds and positions in them, cursors and times: PROTOCOL.md sections 3 and 4."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from ordertrack.core.cursor import MAX_INT64, Cursor, parse_cursor, version_at
from ordertrack.core.errors import InvalidInput
from ordertrack.core.event import Status
from ordertrack.core.feed import FeedKey, FeedKind, order_feed, party_feeds, touched_feeds
from ordertrack.core.order import NewOrder, Order, create, evolve
from ordertrack.core.order_rules import AssignCourier, ChangeStatus, advance
from ordertrack.core.timestamps import format_time, parse_time_ms

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
YEAR_1_MS = -62_135_596_800_000
YEAR_9999_END_MS = 253_402_300_799_999


def ms(text: str) -> int:
    return parse_time_ms("last_update", text)


# Cursors


@given(
    epoch=st.text("0123456789abcdefghijklmnopqrstuvwxyz", min_size=1, max_size=32),
    version=st.integers(0, MAX_INT64 - 1),
    further=st.integers(1, MAX_INT64),
)
def test_a_cursor_survives_a_round_trip(epoch: str, version: int, further: int) -> None:
    assert parse_cursor(str(Cursor(epoch, version))) == Cursor(epoch, version)
    within = Cursor(epoch, version, min(version + further, MAX_INT64))
    assert parse_cursor(str(within)) == within


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
        "a1b2.3.3",
        "a1b2.4.3",
        "a1b2.3.04",
        "a1b2.3.",
        "a1b2.3.4.5",
        f"a1b2.3.{MAX_INT64 + 1}",
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
    assert str(cursor) == text


# Times


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-22T10:15:30.123Z", 1_795_342_530_123),
        ("2026-11-22T10:15:30Z", 1_795_342_530_000),
        ("2026-11-22t10:15:30.123z", 1_795_342_530_123),
        ("2026-11-22T10:15Z", 1_795_342_500_000),
        ("2026-11-22T10:15:30.123", 1_795_342_530_123),
        ("2026-11-22 10:15:30.123", 1_795_342_530_123),
        ("2026-11-22 10:15:30.123Z", 1_795_342_530_123),
        ("2026-11-22T11:15:30.123+01:00", 1_795_342_530_123),
        ("2026-11-22T11:15:30.123 01:00", 1_795_342_530_123),
        ("2026-11-22 11:15:30.123 01:00", 1_795_342_530_123),
        ("2026-11-22T11:15:30.123+0100", 1_795_342_530_123),
        ("2026-11-22T11:15:30.123 0100", 1_795_342_530_123),
        ("2026-11-22T11:15:30.123+01", 1_795_342_530_123),
        ("2026-11-22T11:15:30.123 01", 1_795_342_530_123),
        ("2026-11-22T06:45:30.123-03:30", 1_795_342_530_123),
        ("2026-11-22T06:45:30.123-0330", 1_795_342_530_123),
        ("2026-11-22T10:15:30.123-00:00", 1_795_342_530_123),
        ("2026-11-23T10:14:30.123+23:59", 1_795_342_530_123),
        ("2026-11-22T10:15:30,123Z", 1_795_342_530_123),
        ("2026-11-22T10:15:30.1Z", 1_795_342_530_100),
        ("2026-11-22T10:15:30.12Z", 1_795_342_530_120),
        ("2026-11-22T10:15:30.1234Z", 1_795_342_530_123),
        ("2026-11-22T10:15:30.12345Z", 1_795_342_530_123),
        ("2026-11-22T10:15:30.123456Z", 1_795_342_530_123),
        ("2026-11-22T10:15:30.1239999Z", 1_795_342_530_123),
        ("2026-11-22T10:15:30.12345678Z", 1_795_342_530_123),
        ("2026-11-22T10:15:30.123999999Z", 1_795_342_530_123),
        ("2024-02-29T12:00:00Z", 1_709_208_000_000),
        ("1970-01-01T00:00:00Z", 0),
        ("1969-12-31T23:59:59.999Z", -1),
        ("1969-12-31T23:59:59.9999Z", -1),
        ("0001-01-01T00:00:00Z", YEAR_1_MS),
        ("0001-01-01T01:00:00+01:00", YEAR_1_MS),
        ("9999-12-31T23:59:59.999Z", YEAR_9999_END_MS),
        ("9999-12-31T22:59:59.999-01:00", YEAR_9999_END_MS),
    ],
)
def test_every_common_time_format_is_parsed(text: str, expected: int) -> None:
    assert ms(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "0001-01-01T00:00:00+01:00",
        "0001-01-01T00:00:00+23:59",
        "9999-12-31T23:59:59-00:01",
        "9999-12-31T23:59:59-23:59",
    ],
)
def test_a_time_beyond_the_calendar_is_clamped(text: str) -> None:
    """Such a time may come as `occurred_at` and is then part of every response about the order."""
    assert format_time(ms(text)) in ("0001-01-01T00:00:00.000Z", "9999-12-31T23:59:59.999Z")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "null",
        "0",
        "1795342530",
        "1795342530123",
        "2026-11-22",
        "10:15:30Z",
        "2026-11-22T",
        "2026-11-22T10Z",
        "2026-11-22T10:15:30.Z",
        "2026-11-22T10:15:30.1234567890Z",
        "2026-11-22T10:15.5Z",
        "2026-11-22T10:15:30.123ZZ",
        "2026-11-22T10:15:30.123Z ",
        " 2026-11-22T10:15:30.123Z",
        "2026-11-22T10:15:30.123Z\n",
        "2026-11-22T10:15:30.123+1",
        "2026-11-22T10:15:30.123+01:0",
        "2026-11-22T10:15:30.123+24:00",
        "2026-11-22T10:15:30.123+01:60",
        "2026-11-22T10:15:30.123~01:00",
        "2026-11-22T10:15:30.123UTC",
        "2026-11-22T24:00:00Z",
        "2026-11-22T10:60:00Z",
        "2026-11-22T10:15:60Z",
        "2026-02-29T12:00:00Z",
        "2026-13-01T12:00:00Z",
        "2026-00-10T12:00:00Z",
        "2026-11-31T12:00:00Z",
        "0000-01-01T00:00:00Z",
        "10000-01-01T00:00:00Z",
        "-2026-11-22T10:15:30Z",
        "2026-W47-7T10:15:30Z",
        "20261122T101530Z",
        "2026/11/22T10:15:30Z",
        "２０２６-11-22T10:15:30Z",
        "2026-11-22T10:15:30.١٢٣Z",
    ],
)
def test_a_malformed_time_is_refused_with_its_field(text: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        parse_time_ms("occurred_at", text)
    assert refused.value.field == "occurred_at"


@given(st.text("0123456789-+:.,TtZz ", max_size=35))
def test_any_text_is_a_writable_time_or_refused(text: str) -> None:
    try:
        at_ms = ms(text)
    except InvalidInput:
        return
    assert ms(format_time(at_ms)) == at_ms


@given(st.integers(YEAR_1_MS, YEAR_9999_END_MS))
@example(YEAR_1_MS)
@example(YEAR_9999_END_MS)
@example(-1)
@example(0)
def test_a_time_survives_a_round_trip(at_ms: int) -> None:
    text = format_time(at_ms)
    assert len(text) == len("2026-11-22T10:15:30.123Z")
    assert text[10] + text[19] + text[23] == "T.Z"
    assert ms(text) == at_ms


@given(
    st.datetimes(min_value=datetime(2, 1, 1), max_value=datetime(9998, 12, 31)),  # noqa: DTZ001
    st.integers(-23 * 60 - 59, 23 * 60 + 59),
)
def test_an_offset_is_parsed_as_by_python(local: datetime, offset_min: int) -> None:
    aware = local.replace(tzinfo=timezone(timedelta(minutes=offset_min)))
    expected = (aware - EPOCH) // timedelta(milliseconds=1)
    text = aware.isoformat()
    assert ms(text) == expected
    assert ms(text.replace("+", " ")) == expected


# last_update


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
        assert version_at(order, ms(format_time(event.recorded_at_ms))) == event.version


# Feeds of a change


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
