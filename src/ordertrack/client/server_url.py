"""The parser of server URLs, for all clients."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

import httpx

_HOST_NAME = re.compile(r"[A-Za-z0-9._-]{1,253}")
MAX_LABEL_LENGTH = 63
"""Characters between two dots of a host name (RFC 1035, 2.3.4)."""


def server_url(text: str) -> httpx.URL:
    """Return `text` as a URL with http or https, a valid host, and a port from 1 to 65535.

    Raises: ValueError, whose message completes "The URL ...".
    """
    if not text.lower().startswith(("http://", "https://")):
        raise ValueError("must start with http:// or https://")
    try:
        url, port = httpx.URL(text), urlsplit(text).port
        host = url.host
    except (httpx.InvalidURL, ValueError) as error:
        raise ValueError(f"cannot be read: {error}") from None
    if not host:
        raise ValueError("names no host")
    if not _is_host(url.raw_host.decode("ascii")):
        raise ValueError(f"has a host that cannot exist: {host!r}")
    if port == 0:
        raise ValueError("has port 0; ports are from 1 to 65535")
    if url.query or url.fragment:
        raise ValueError("must have no query and no fragment")
    return url


def _is_host(host: str) -> bool:
    if ":" in host:
        try:
            return ipaddress.ip_address(host).version == 6
        except ValueError:
            return False
    labels = host.removesuffix(".").split(".")
    return _HOST_NAME.fullmatch(host) is not None and all(0 < len(label) <= MAX_LABEL_LENGTH for label in labels)
