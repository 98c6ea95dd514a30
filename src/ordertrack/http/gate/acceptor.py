"""Accept new connections, a bounded number per turn of the event loop."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import errno
import os
import socket
import struct
import sys
from collections.abc import Callable

import structlog

from ordertrack.service.monitoring.statistics import GateCounters

ACCEPT_PAUSE_S = 1.0
ACCEPTS_PER_WAKE = 64
"""Connections accepted in one turn of the event loop: no more than it reads, so that requests on older connections do
not queue behind those of thousands of new ones."""
ACCEPTS_AT_THE_END = 4096
"""Connections accepted from the backlog when the server stops: those made before are served."""

_OUT_OF_DESCRIPTORS = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM))

_SO_ATTACH_FILTER, _BPF_RETURN = 26, 0x06

log = structlog.get_logger("ordertrack.gate")


class Acceptor:
    """`admit` gets each new descriptor and its peer's address. `make_room` closes connections that may be closed for
    a new one, and returns True if there were any."""

    def __init__(
        self,
        listener: socket.socket,
        counters: GateCounters,
        admit: Callable[[int, str], None],
        make_room: Callable[[], bool],
    ) -> None:
        self._listener = listener
        self._counters = counters
        self._admit = admit
        self._make_room = make_room
        self._loop = asyncio.get_running_loop()

    def start(self) -> None:
        self._listener.setblocking(False)
        # Accepted sockets inherit this: no answer waits for the acknowledgement of the one before it.
        self._listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._loop.add_reader(self._listener.fileno(), self._accept_some)

    def stop(self) -> None:
        """Accept the backlog and close the listening socket."""
        if self._listener.fileno() >= 0:
            ignore_new_connections(self._listener)
            self._accept(ACCEPTS_AT_THE_END)
            self.hand_over()

    def hand_over(self) -> None:
        """Leave the listening socket and its backlog to the other processes that have it."""
        self._loop.remove_reader(self._listener.fileno())
        self._listener.close()

    def _accept_some(self) -> None:
        self._accept(ACCEPTS_PER_WAKE)

    def _accept(self, at_most: int) -> None:
        for _ in range(at_most):
            try:
                # `accept` makes a socket object of it, which takes as long again.
                fd, address = self._listener._accept()  # type: ignore[attr-defined]
            except (BlockingIOError, InterruptedError):
                return
            except ConnectionAbortedError:
                continue
            except OSError as error:
                if error.errno not in _OUT_OF_DESCRIPTORS:
                    raise
                if not self._make_room():
                    self._pause(error)
                    return
                continue
            os.set_blocking(fd, False)
            self._counters.accepted += 1
            self._admit(fd, address[0])

    def _pause(self, error: OSError) -> None:
        if self._counters.out_of_descriptors == 0:
            log.error("out of descriptors: accepting pauses until some are free", error=str(error))
        self._counters.out_of_descriptors += 1
        self._loop.remove_reader(self._listener.fileno())
        self._loop.call_later(ACCEPT_PAUSE_S, self._resume)

    def _resume(self) -> None:
        if self._listener.fileno() >= 0:
            self._loop.add_reader(self._listener.fileno(), self._accept_some)


def ignore_new_connections(listener: socket.socket) -> None:
    """Drop what arrives at the listening socket from now on; connections that were made are still in its backlog.

    A connection that is made while the listener closes would be reset. A dropped SYN is sent again a second later, and
    then nothing listens. Attaches a socket filter of one instruction, "return 0" (Linux, socket(7)).
    """
    if sys.platform == "linux":
        instruction = ctypes.create_string_buffer(struct.pack("HBBI", _BPF_RETURN, 0, 0, 0))
        with contextlib.suppress(OSError):
            program = struct.pack("HP", 1, ctypes.addressof(instruction))
            listener.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, program)
