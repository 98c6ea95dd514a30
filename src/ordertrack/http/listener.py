"""The listening socket. Apart from the servers, so that a supervisor opens it without loading them."""

from __future__ import annotations

import socket

BACKLOG = 4096
RETIRE = b"R"
"""Sent by a supervisor: stop, and leave the listening socket to another process, which has it too."""


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket. Raises: OSError."""
    listener = bound(host, port)
    try:
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


def bound(host: str, port: int, *, shares_port: bool = False) -> socket.socket:
    """Return a socket with this address. All sockets that share a port must say so: the kernel spreads new connections
    over those that listen. Raises: OSError.

    The protocol is IPPROTO_TCP, not 0: asyncio turns Nagle's algorithm off only on sockets that say they are TCP, and
    with it on, an answer's body waits up to 40 ms for the client to acknowledge its head.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    found = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shares_port:
            found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        found.bind((host, port))
    except OSError:
        found.close()
        raise
    return found
