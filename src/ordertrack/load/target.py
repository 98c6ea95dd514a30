"""The server under load: a loopback address, and raw non-blocking connections to it."""

from __future__ import annotations

import ipaddress
import resource
import socket
from collections.abc import Iterator
from itertools import cycle
from typing import NamedTuple

from ordertrack.client.server_url import server_url

SOURCES = tuple(f"127.0.0.{n}" for n in range(2, 10))
"""One source address has about 28,000 ports, and a closed connection occupies its port for a minute."""
SPARE_FILES = 100
CONNECT_WITHIN_S = 10.0


class CannotLoad(Exception):
    """The measurement cannot run here; the message says why."""


class LoadTarget(NamedTuple):
    host: str
    port: int


def loopback_target(url: str) -> LoadTarget:
    """Return the address in `url`.

    Raises: CannotLoad, for anything but plain http to a loopback address.
    """
    try:
        parts = server_url(url if "//" in url else f"http://{url}")
    except ValueError as error:
        raise CannotLoad(f"The URL {url} {error}.") from None
    host, port = parts.host, parts.port or 80
    if parts.scheme != "http":
        raise CannotLoad(f"{url}: only plain http is supported.")
    host = "127.0.0.1" if host == "localhost" else host
    try:
        loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise CannotLoad(f"{url} is not a loopback address: load is sent only to this machine.")
    return LoadTarget(host, port)


def raise_file_limit(connections: int) -> None:
    """Raise the soft limit of open files as far as needed.

    Raises: CannotLoad, when the hard limit is too low.
    """
    needed = connections + SPARE_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise CannotLoad(f"{connections:,} connections need {needed:,} open files; the limit here is {hard:,}.")
    if soft != resource.RLIM_INFINITY and soft < needed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))


def source_addresses(target: LoadTarget) -> Iterator[str | None]:
    """Yield source addresses without end; None lets the system choose."""
    return cycle(SOURCES) if target.host.startswith("127.") else cycle((None,))


def open_socket(target: LoadTarget, source: str | None = None) -> socket.socket:
    """Return a socket that is not connected yet. Raises: CannotLoad."""
    family = socket.AF_INET6 if ":" in target.host else socket.AF_INET
    opened = socket.socket(family, socket.SOCK_STREAM)
    opened.settimeout(CONNECT_WITHIN_S)
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        if source is not None:
            opened.bind((source, 0))
    except OSError as error:
        opened.close()
        raise CannotLoad(f"No connection from {source}: {error.strerror or error}.") from None
    return opened


def connect(target: LoadTarget, opened: socket.socket) -> int:
    """Connect the socket, and return it as a non-blocking descriptor that the caller must close.

    Raises: CannotLoad.
    """
    with opened:
        try:
            opened.connect(target)
        except OSError as error:
            raise CannotLoad(f"No connection to {target.host}:{target.port}: {error.strerror or error}.") from None
        opened.setblocking(False)
        return opened.detach()
