"""How long a peer may take for each part of an exchange."""

from __future__ import annotations

from typing import NamedTuple

LAST_CALL_S = 0.5
"""When the server stops, connections without a request have this long to send a last one, and ended ones to close."""
MIN_WAIT_S = 1.0
"""A connection has at least this long to send its request, however many others come."""
LINGER_S = 2.0
"""What comes on an ended connection is discarded this long: a reset could overtake its last answer (RFC 9112, 9.6)."""


class Timeouts(NamedTuple):
    """In seconds: to say something, to finish a head and a body, and to read the next part of an answer."""

    idle_s: float
    head_s: float = 10.0
    body_s: float = 30.0
    read_s: float = 30.0
