"""Ports for programs that cannot choose one, and for those that are started again on the same one."""

from __future__ import annotations

import itertools
import os
import socket

FIRST = 20_000
EACH = 1_000
_count = itertools.count(os.getpid())


def unused() -> int:
    """Return a port that no other process of a parallel run picks.

    The system gives none of these to a connection: on Linux it begins at 32,768.
    """
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % 12
    while True:
        port = FIRST + worker * EACH + next(_count) % EACH
        try:
            socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            continue
        return port
