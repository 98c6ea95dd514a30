"""Cursors: `<epoch>.<version>`, the position of a client in a feed."""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import TYPE_CHECKING, NamedTuple

from ordertrack.core.errors import InvalidInput

if TYPE_CHECKING:
    from ordertrack.core.order import Order


MAX_INT64 = 2**63 - 1


class Cursor(NamedTuple):
    """`snapshot` is set between two pages of a snapshot: the feed's version at its beginning. What had ended by then is
    not in it, or a board with many orders would be shown every order it ever had."""

    epoch: str
    version: int
    snapshot: int = 0

    def __str__(self) -> str:
        text = f"{self.epoch}.{self.version}"
        return f"{text}.{self.snapshot}" if self.snapshot else text


_CURSOR = re.compile(r"([0-9a-z]{1,32})\.(0|[1-9][0-9]{0,18})(?:\.([1-9][0-9]{0,18}))?", re.ASCII)


def parse_cursor(text: str) -> Cursor:
    """Raises InvalidInput."""
    match = _CURSOR.fullmatch(text)
    if match is not None:
        cursor = Cursor(match[1], int(match[2]), int(match[3] or 0))
        if max(cursor.version, cursor.snapshot) <= MAX_INT64 and (not match[3] or cursor.version < cursor.snapshot):
            return cursor
    raise InvalidInput("cursor", "the `cursor` of an earlier answer, unchanged")


def version_at(order: Order, last_update_ms: int) -> int:
    """The version a client has whose newest `updated_at` is `last_update_ms`; the future is the current one."""
    return bisect_right(order.timeline, last_update_ms, key=lambda event: event.recorded_at_ms)
