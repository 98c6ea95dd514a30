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
_CURSOR = re.compile(r"([0-9a-z]{1,32})\.(0|[1-9][0-9]{0,18})(?:\.(i?)([1-9][0-9]{0,18}))?", re.ASCII)


class Cursor(msgspec.Struct, frozen=True, gc=False):
    """`after_id` is set between two pages of a snapshot, `<epoch>.<version>.i<after_id>`: the last order that was sent.
    `version` is then the feed's at the beginning of the snapshot."""

    epoch: str
    version: int
    after_id: int = 0

    def __str__(self) -> str:
        text = f"{self.epoch}.{self.version}"
        return f"{text}.i{self.after_id}" if self.after_id else text


UNKNOWN_CURSOR = Cursor("", 0)
"""Stands for a position that this server does not know: no store has this epoch, so a poll from it is a reset."""


def parse_cursor(text: str) -> Cursor:
    """Parse a cursor. One without the `i` is of an earlier version, which read the pages of snapshots by version.

    Raises: InvalidInput.
    """
    match = _CURSOR.fullmatch(text)
    if match is not None:
        cursor = Cursor(match[1], int(match[2]), int(match[4] or 0))
        is_former = match[3] == ""
        if max(cursor.version, cursor.after_id) <= MAX_INT64 and (not is_former or cursor.version < cursor.after_id):
            return UNKNOWN_CURSOR if is_former else cursor
    raise InvalidInput("cursor", "the `cursor` of an earlier answer, unchanged")


def version_at(order: Order, last_update_ms: int) -> int:
    """Return the newest version recorded at or before `last_update_ms`."""
    return bisect_right(order.timeline, last_update_ms, key=lambda event: event.recorded_at_ms)
