"""The address of a client. `X-Forwarded-For` counts only as far as trusted proxies have written it.

`Forwarded` (RFC 7239) is not read: a proxy that writes one of the two passes the other on as the client sent it, so
reading both would let clients choose their address.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from functools import lru_cache

from ordertrack.http.wire import names
from ordertrack.http.wire.message import Headers
from ordertrack.http.wire.parameters import header

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
UNKNOWN = "unknown"
"""A peer without an address, such as a Unix socket's."""
IPV6_PREFIX = 64
"""The least that a household or a data centre customer gets (RFC 6177): it counts as one client."""
_WITH_PORT = re.compile(r"\[([^\[\]]*:[^\[\]]*)\](?::[0-9]{1,5})?|([0-9.]+):[0-9]{1,5}", re.ASCII)
"""`[2001:db8::1]:443`, `[2001:db8::1]` and `192.0.2.7:5678`. An IPv6 address without brackets has no port."""


class Addresses:
    """`trusted` are the proxies whose `X-Forwarded-For` counts. Each appends the address of its peer: the client's
    is the last one that no trusted proxy has."""

    def __init__(self, trusted: Sequence[Network]) -> None:
        self.trusted = trusted

    def client(self, peer: str | None, headers: Headers) -> str:
        """Return the client's address; text in the headers that is not an address is never returned."""
        if not self.trusted:
            return (peer or UNKNOWN).removeprefix("::ffff:").partition("%")[0]
        address = _parsed(peer)
        if address is None or not self._trusts(address):
            return UNKNOWN if address is None else str(address)
        for claimed in reversed((header(headers, names.X_FORWARDED_FOR) or "").split(",")):
            hop = _parsed(_without_port(claimed))
            if hop is None:
                break
            address = hop
            if not self._trusts(hop):
                break
        return str(address)

    def _trusts(self, address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
        return any(address.version == network.version and address in network for network in self.trusted)


def budget_key(address: str) -> str:
    """Return the key of the budget that this address shares with others of its network."""
    if ":" not in address:
        return address
    return str(ipaddress.ip_network((address, IPV6_PREFIX), strict=False))


@lru_cache(maxsize=1024)
def is_this_machine(address: str) -> bool:
    """Tell whether a client's address is a loopback address, or that of a Unix socket."""
    return address.startswith("127.") or address in ("::1", UNKNOWN)


def parse_networks(text: str) -> tuple[Network, ...]:
    """Parse comma-separated addresses and networks.

    Raises: ValueError, which names the wrong one.
    """
    return tuple(ipaddress.ip_network(part.strip()) for part in text.split(",") if part.strip())


def _without_port(claimed: str) -> str:
    """Return the address in one entry of `X-Forwarded-For`, which may be quoted and may have a port."""
    address = claimed.strip().removeprefix('"').removesuffix('"').strip()
    match = _WITH_PORT.fullmatch(address)
    return address if match is None else match[1] or match[2]


def _parsed(text: str | None) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address((text or "").strip().split("%")[0])
    except ValueError:
        return None
    return address.ipv4_mapped or address if isinstance(address, ipaddress.IPv6Address) else address
