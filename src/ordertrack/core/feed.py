"""Feeds: whatever has a version and can be waited on. And the two ways a client names the version it has.

A cursor is exact: `<epoch>.<version>`, where the epoch is the store's incarnation. `last_update` is the original
contract's way, a time: since an order's `updated_at` strictly increases, echoing it names a version just as well.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from ordertrack.core.errors import InvalidInput

if TYPE_CHECKING:
    from ordertrack.core.order import Order

MAX_INT64 = 2**63 - 1


class FeedKind(StrEnum):
    ORDER = "order"
    CUSTOMER = "customer"
    RESTAURANT = "restaurant"
    COURIER = "courier"


class FeedKey(NamedTuple):
    kind: FeedKind
    id: str


def order_feed(order_id: int) -> FeedKey:
    return FeedKey(FeedKind.ORDER, str(order_id))


def party_feeds(order: Order) -> tuple[FeedKey, ...]:
    """The feeds of the people an order belongs to; a change of it bumps each of them."""
    feeds = (FeedKey(FeedKind.CUSTOMER, order.customer_id), FeedKey(FeedKind.RESTAURANT, order.restaurant_id))
    return feeds if order.courier_id is None else (*feeds, FeedKey(FeedKind.COURIER, order.courier_id))


def touched_feeds(before: Order | None, after: Order) -> tuple[FeedKey, ...]:
    """The party feeds a change bumps: also that of a courier who has just lost the order."""
    feeds = party_feeds(after)
    if before is None or before.courier_id in (None, after.courier_id):
        return feeds
    return (*feeds, FeedKey(FeedKind.COURIER, before.courier_id))


class Cursor(NamedTuple):
    epoch: str
    version: int

    def __str__(self) -> str:
        return f"{self.epoch}.{self.version}"


_CURSOR = re.compile(r"([0-9a-z]{1,32})\.(0|[1-9][0-9]{0,18})", re.ASCII)


def parse_cursor(text: str) -> Cursor:
    """Raises InvalidInput."""
    match = _CURSOR.fullmatch(text)
    if match is None or int(match[2]) > MAX_INT64:
        raise InvalidInput("cursor", "the `cursor` of an earlier answer, unchanged")
    return Cursor(match[1], int(match[2]))


_TIME = re.compile(
    r"(?P<date>\d{4}-\d\d-\d\d)[Tt ](?P<clock>\d\d:\d\d)(?:(?P<seconds>:\d\d)(?:[.,](?P<fraction>\d{1,9}))?)?"
    r"(?P<zone>[Zz]|[+\- ]\d\d(?::?\d\d)?)?",
    re.ASCII,
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)
_FIRST_MS = (datetime.min.replace(tzinfo=UTC) - _EPOCH) // _MS
_LAST_MS = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // _MS
"""The years 1 to 9999: what can be written."""


def parse_time_ms(field: str, text: str) -> int:
    """ISO 8601 to milliseconds since 1970, rounded down.

    The zone may be `Z`, an offset, an offset whose `+` a query string turned into a space, or missing (= UTC).
    A time that its offset puts outside the years 1 to 9999 becomes the nearest that `format_time` can write.
    Raises InvalidInput, which names `field`.
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
    at_ms = (local - _EPOCH - offset) // _MS + fraction_ms
    return min(max(at_ms, _FIRST_MS), _LAST_MS)


def _offset(zone: str | None) -> timedelta:
    if zone is None or zone in "Zz":
        return timedelta(0)
    hours, minutes = int(zone[1:3]), int(zone[-2:]) if len(zone) > 3 else 0
    if hours > 23 or minutes > 59:
        raise ValueError(zone)
    return timedelta(hours=hours, minutes=minutes) * (-1 if zone[0] == "-" else 1)


def format_time(at_ms: int) -> str:
    """`2026-11-22T10:15:30.123Z`: always milliseconds, always `Z`.

    Milliseconds because JavaScript's `Date` drops finer digits, and a truncated echo would look old for ever.
    """
    return (_EPOCH + at_ms * _MS).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def version_at(order: Order, last_update_ms: int) -> int:
    """The version a client has whose newest `updated_at` is `last_update_ms`; the future is the current one."""
    return bisect_right(order.timeline, last_update_ms, key=lambda event: event.recorded_at_ms)
