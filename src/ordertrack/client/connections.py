"""The sockets of the blocking client, so that closing it ends reads in other threads.

Closing a descriptor does not wake a thread that reads from it; a shutdown of the connection does.
"""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import Any
from weakref import WeakSet

_CONNECTED = ("connect_tcp.complete", "start_tls.complete")


class Connections:
    """The open connections of a client. Safe for use by several threads."""

    def __init__(self) -> None:
        self.closed = threading.Event()
        self._sockets: WeakSet[socket.socket] = WeakSet()
        self._lock = threading.Lock()

    def trace(self, event: str, info: dict[str, Any]) -> None:
        """Register a new connection; httpx calls this as its `trace` extension. After `close`, shut it down at once."""
        if not event.endswith(_CONNECTED):
            return
        connected = info["return_value"].get_extra_info("socket")
        if connected is None:
            return
        with self._lock:
            self._sockets.add(connected)
            closed = self.closed.is_set()
        if closed:
            _shut_down(connected)

    def close(self) -> None:
        with self._lock:
            self.closed.set()
            connected = list(self._sockets)
        for each in connected:
            _shut_down(each)


def _shut_down(connected: socket.socket) -> None:
    with suppress(OSError):  # it is closed already
        connected.shutdown(socket.SHUT_RDWR)
