"""Time limits for a peer."""

from __future__ import annotations

from typing import NamedTuple

LAST_REQUEST_S = 0.5
"""Seconds that a stopping server gives idle connections for a last request, and lingering ones to close."""
MIN_WAIT_S = 1.0
"""Seconds that a connection has at least to send a request, when others need its descriptor."""
LINGER_S = 2.0
"""Seconds for which LINGERING reads and discards bytes: a reset could overtake the response (RFC 9112, 9.6)."""


class Timeouts(NamedTuple):
    """Seconds to send a first byte, to complete a head and a body, and to read the next part of a response."""

    idle_s: float
    head_s: float = 10.0
    body_s: float = 30.0
    read_s: float = 30.0
