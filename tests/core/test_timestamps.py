"""Times as text: PROTOCOL.md section 3."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ordertrack.core.errors import InvalidInput
from ordertrack.core.timestamps import format_time, parse_time_ms

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
YEAR_1_MS = -62_135_596_800_000
YEAR_9999_END_MS = 253_402_300_799_999


def ms(text: str) -> int:
    return parse_time_ms("last_update", text)


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
