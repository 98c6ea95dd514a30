"""Where a request came from: nobody can claim to be somebody else, except a trusted proxy for its clients."""

from __future__ import annotations

from ordertrack.http.addresses import Addresses, parse_networks
from ordertrack.http.wire.message import Headers

PROXIES = Addresses(parse_networks("10.0.0.0/8, 2001:db8::1"))
NOBODY = Addresses(())


def forwarded(*values: str) -> Headers:
    return Headers.from_pairs((b"x-forwarded-for", value.encode()) for value in values)
