"""Where a request came from. Headers are believed only as far as trusted proxies have written them."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from ordertrack.http import names
from ordertrack.http.parameters import header
from ordertrack.http.wire.message import Headers

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
UNKNOWN = "unknown"
"""A peer without an address, such as a Unix socket's, or one whose proxy sent no address."""
IPV6_PREFIX = 64
"""What one household or data centre customer gets at least (RFC 6177): it counts as one client."""


class Addresses:
    """`trusted` are the proxies whose `X-Forwarded-For` counts: each appends the address it was asked from, so the
    client's is the last one that no trusted proxy has."""

    def __init__(self, trusted: Sequence[Network]) -> None:
        self._trusted = trusted

    def client(self, peer: str | None, headers: Headers) -> str:
        """Never longer than an address, whatever the headers say."""
        if not self._trusted:
            return (peer or UNKNOWN).removeprefix("::ffff:").partition("%")[0]
        address = _parsed(peer)
        if address is None or not self._trusts(address):
            return UNKNOWN if address is None else str(address)
        for claimed in reversed((header(headers, names.X_FORWARDED_FOR) or "").split(",")):
            hop = _parsed(claimed)
            if hop is None:
                break
            address = hop
            if not self._trusts(hop):
                break
        return str(address)

    def _trusts(self, address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
        return any(address.version == network.version and address in network for network in self._trusted)


def budget_key(address: str) -> str:
    """What shares a budget with this address."""
    if ":" not in address:
        return address
    return str(ipaddress.ip_network((address, IPV6_PREFIX), strict=False))


def parse_networks(text: str) -> tuple[Network, ...]:
    """Comma-separated addresses and networks. Raises ValueError, which names the wrong one."""
    return tuple(ipaddress.ip_network(part.strip()) for part in text.split(",") if part.strip())


def _parsed(text: str | None) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address((text or "").strip().split("%")[0])
    except ValueError:
        return None
    return address.ipv4_mapped or address if isinstance(address, ipaddress.IPv6Address) else address
