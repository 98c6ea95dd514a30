"""The tracking link: it lets a client read one order without a token of its own."""

from __future__ import annotations

import msgspec

MAX_LINKS = 20
"""Links of one order that are not revoked. A household needs a few; a runaway script makes more."""


class Link(msgspec.Struct, frozen=True):
    """Times are milliseconds since 1970, UTC; `created_by` is an actor, as in events."""

    id: int
    order_id: int
    created_at_ms: int
    created_by: str
    revoked_at_ms: int | None = None
