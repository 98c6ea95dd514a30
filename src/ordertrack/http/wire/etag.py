"""Entity tags: write an order's version as an `ETag`, parse `If-Match` and `If-None-Match` (RFC 9110, 8.8 and 13.1)."""

from __future__ import annotations

import re

from ordertrack.core.cursor import UNKNOWN_CURSOR, Cursor, parse_cursor
from ordertrack.core.errors import InvalidInput
from ordertrack.core.order import Order
from ordertrack.http.wire import names

_ENTITY_TAG = re.compile(r'(?:W/)?"([^"]*)"')


def version_headers(epoch: str, order: Order) -> dict[str, str]:
    """Return the order's version as a strong ETag: every version of an order has one representation."""
    return {names.ETAG: f'"{Cursor(epoch, order.version)}"', names.CACHE_CONTROL: names.NO_STORE}


def parse_if_match(value: str | None, epoch: str) -> frozenset[int] | None:
    """Return the versions that an `If-Match` header names; None when there is no condition. A weak tag counts as a
    strong one: every version of an order has one representation."""
    if value is None or value.strip() == "*":
        return None
    return frozenset(cursor.version for cursor in _cursors(value) if cursor.epoch == epoch)


def names_version(value: str | None, cursor: Cursor) -> bool:
    """Tell whether an `If-None-Match` header names this version."""
    return value is not None and (value.strip() == "*" or cursor in _cursors(value))


def etag_cursor(value: str) -> Cursor:
    """Return the position that the first valid tag of an `If-None-Match` header names."""
    cursors = _cursors(value)
    return cursors[0] if cursors else UNKNOWN_CURSOR


def _cursors(value: str) -> list[Cursor]:
    found: list[Cursor] = []
    for tag in _ENTITY_TAG.findall(value):
        try:
            found.append(parse_cursor(tag))
        except InvalidInput:
            continue
    return found
