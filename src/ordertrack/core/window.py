"""A window of time in which an order arrives."""

from __future__ import annotations

import msgspec


class Window(msgspec.Struct, frozen=True):
    """Milliseconds since 1970, UTC; both ends belong to the window."""

    from_ms: int
    to_ms: int
