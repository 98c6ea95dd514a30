"""A window of time. Pure."""

from __future__ import annotations

import msgspec

from ordertrack.core.calendar import TimeMs


class Window(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """Milliseconds since 1970, UTC; both ends belong to the window. A store may keep or read it as a JSON array."""

    from_ms: TimeMs
    to_ms: TimeMs
