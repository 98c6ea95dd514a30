"""Times as text: ISO 8601 in, RFC 3339 in UTC with milliseconds out."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from ordertrack.core.calendar import EPOCH, FIRST_MS, LAST_MS
from ordertrack.core.errors import InvalidInput

_TIME = re.compile(
    r"(?P<date>\d{4}-\d\d-\d\d)[Tt ](?P<clock>\d\d:\d\d)(?:(?P<seconds>:\d\d)(?:[.,](?P<fraction>\d{1,9}))?)?"
    r"(?P<zone>[Zz]|[+\- ]\d\d(?::?\d\d)?)?",
    re.ASCII,
)
_MS = timedelta(milliseconds=1)


def parse_time_ms(field: str, text: str) -> int:
    """Parse ISO 8601 to milliseconds since 1970, rounded down.

    The zone may be `Z`, an offset, an offset whose `+` a query string turned into a space, or missing (= UTC).
    A time that its offset puts outside the years 1 to 9999 becomes the nearest that `format_time` can write.

    Raises: InvalidInput, which names `field`.
    """
    match = _TIME.fullmatch(text)
    try:
        if match is None:
            raise ValueError(text)
        local = datetime.fromisoformat(f"{match['date']}T{match['clock']}{match['seconds'] or ''}").replace(tzinfo=UTC)
        offset = _offset(match["zone"])
    except ValueError:
        allowed = "an ISO 8601 time such as 2026-11-22T10:15:30.123Z (an offset like +01:00, or none for UTC)"
        raise InvalidInput(field, allowed) from None
    fraction_ms = int((match["fraction"] or "0").ljust(3, "0")[:3])
    at_ms = (local - EPOCH - offset) // _MS + fraction_ms
    return min(max(at_ms, FIRST_MS), LAST_MS)


def _offset(zone: str | None) -> timedelta:
    if zone is None or zone in "Zz":
        return timedelta(0)
    hours, minutes = int(zone[1:3]), int(zone[-2:]) if len(zone) > 3 else 0
    if hours > 23 or minutes > 59:
        raise ValueError(zone)
    return timedelta(hours=hours, minutes=minutes) * (-1 if zone[0] == "-" else 1)


_SECONDS = tuple(f":{seconds:02d}." for seconds in range(60))
_MILLISECONDS = tuple(f"{ms:03d}Z" for ms in range(1000))
"""Number formats take more time than all else in `format_time`."""


def format_time(at_ms: int) -> str:
    """Write `2026-11-22T10:15:30.123Z`: always milliseconds, always `Z`.

    JavaScript's `Date` drops finer digits, and a client that sent the shortened time would always be behind.
    """
    minutes, ms = divmod(at_ms, 60_000)
    return f"{_minute_text(minutes)}{_SECONDS[ms // 1000]}{_MILLISECONDS[ms % 1000]}"


def format_times(times_ms: Iterable[int]) -> list[str]:
    return list(map(format_time, times_ms))


@lru_cache(maxsize=4096)
def _minute_text(minutes: int) -> str:
    """Cached, since every response about an order repeats its times and many orders share minutes."""
    return (EPOCH + timedelta(minutes=minutes)).isoformat(timespec="minutes").removesuffix("+00:00")
