"""The tracking link: one order, readable without an account until it expires or is revoked."""

from __future__ import annotations

import msgspec

MAX_LINKS = 20
"""Tracking links of one order that are not revoked: a household has a few, a runaway script has more."""


class Link(msgspec.Struct, frozen=True):
    """A tracking link. Times are milliseconds since 1970, UTC; `created_by` is an actor, as it signs events."""

    id: int
    order_id: int
    created_at_ms: int
    created_by: str
    revoked_at_ms: int | None = None
