"""Positions of a client in a feed: a cursor, or the time of the newest version it has.

A cursor is exact: `<epoch>.<version>`, where the epoch is the store's. `last_update`, of the original contract, is a
time: since an order's `updated_at` strictly increases, it identifies a version as well.
"""

from __future__ import annotations

import re
from bisect import bisect_right

import msgspec

from ordertrack.core.errors import InvalidInput
from ordertrack.core.order import Order

MAX_INT64 = 2**63 - 1
_CURSOR = re.compile(r"([0-9a-z]{1,32})\.(0|[1-9][0-9]{0,18})(?:\.([1-9][0-9]{0,18}))?", re.ASCII)


class Cursor(msgspec.Struct, frozen=True, gc=False):
    """`snapshot` is set between two pages of a snapshot: the feed's version at its beginning. Orders that had ended by
    then are left out, so that the pages do not return every order the feed ever had."""

    epoch: str
    version: int
    snapshot: int = 0

    def __str__(self) -> str:
        text = f"{self.epoch}.{self.version}"
        return f"{text}.{self.snapshot}" if self.snapshot else text


def parse_cursor(text: str) -> Cursor:
    """Raises: InvalidInput."""
    match = _CURSOR.fullmatch(text)
    if match is not None:
        cursor = Cursor(match[1], int(match[2]), int(match[3] or 0))
        if max(cursor.version, cursor.snapshot) <= MAX_INT64 and (not match[3] or cursor.version < cursor.snapshot):
            return cursor
    raise InvalidInput("cursor", "the `cursor` of an earlier answer, unchanged")


def version_at(order: Order, last_update_ms: int) -> int:
    """Return the newest version recorded at or before `last_update_ms`."""
    return bisect_right(order.timeline, last_update_ms, key=lambda event: event.recorded_at_ms)
