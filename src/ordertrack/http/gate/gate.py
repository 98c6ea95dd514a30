"""The gate: the HTTP/1.1 server, which holds the connections of waiting clients as bare descriptors in its own epoll.

While a poll is held there is no transport, no protocol, no task, no timer and no socket object for it: a `Connection`
of a few slots, the hub's `Poll`, and a number in the kernel's epoll. That epoll is itself a descriptor, which the event
loop watches like any other.

    accept ─► IDLE ─► IN_HEAD ─► IN_BODY ─► BUSY ─► answered ─┬─► IDLE
                         └─────────┴─► HELD ──────► answered ─┤
                                                     WRITING ◄┴─► ENDING ─► closed

| what a peer does                                 | what happens                                                     |
|--------------------------------------------------|------------------------------------------------------------------|
| sends part of a head and stops                   | closed `head_s` after its first byte                             |
| sends part of a body and stops                   | closed `body_s` after the head                                   |
| sends more than MAX_HEAD_BYTES of head           | 431 and closed                                                   |
| sends what is not HTTP/1.1                       | 400 and closed, as soon as that is certain                       |
| says nothing                                     | closed after `idle_s`                                            |
| sends more while it is served (pipelining)       | waits its turn; beyond MAX_HEAD_BYTES it is left in the kernel   |
| goes away or half-closes while its poll is held  | noticed at once: the poll is forgotten, the descriptor closed    |
| half-closes while another request is served      | answered, then closed                                            |
| vanishes without a word                          | one parked descriptor until the deadline, then a failing write   |
| does not read its answer                         | closed when it takes less than MIN_READ_BYTES in `read_s`        |
| sends on after it was told that we close         | read and discarded for LINGER_S, then closed                     |
| opens more connections than there are descriptors| those without a whole request are closed, else accepting pauses  |

The gate decides nothing: `HttpApp` does, as for any ASGI server.
"""

from __future__ import annotations

import asyncio
import os
import select
import socket

import structlog

from ordertrack.http.app import HttpApp
from ordertrack.http.gate.acceptor import Acceptor
from ordertrack.http.gate.connection import READING, Connection, Stage
from ordertrack.http.gate.connections import EPOLLIN, EPOLLOUT, Connections
from ordertrack.http.gate.dispatch import Dispatcher
from ordertrack.http.gate.timeouts import Timeouts
from ordertrack.service.monitoring.statistics import GateCounters

READ_BYTES = 64 * 1024
EVENTS_PER_WAKE = 64
"""A bound on one turn, so that clients which send do not keep the event loop to themselves."""

_BROKEN = getattr(select, "EPOLLHUP", 0) | getattr(select, "EPOLLERR", 0)

log = structlog.get_logger("ordertrack.gate")


class Gate:
    """Owns the listening socket and every connection. Needs a running event loop."""

    def __init__(self, listener: socket.socket, app: HttpApp, counters: GateCounters, timeouts: Timeouts) -> None:
        self._connections = Connections(counters, timeouts, app.clock, app.tracking.leave)
        self._dispatcher = Dispatcher(self._connections, app)
        self._acceptor = Acceptor(listener, counters, self._admit, self._connections.make_room)
        self._loop = asyncio.get_running_loop()

    def start(self) -> None:
        for epoll in (self._connections.priority_epoll, self._connections.epoll):
            self._loop.add_reader(epoll.fileno(), self._on_ready, epoll)
        self._acceptor.start()
        self._connections.start_sweeping()

    async def stop(self, grace_s: float) -> None:
        """Finish the requests that have begun within `grace_s`, then listen no more, and close every connection.

        Until the running requests are answered, new connections are served too: `/readyz` has to say what goes on.
        """
        try:
            async with asyncio.timeout(grace_s):
                await self._connections.finish_running()
                self._acceptor.stop()
                if self._connections.stop():
                    await self._connections.all_closed.wait()
        except TimeoutError:
            self._acceptor.stop()
            if count := self._connections.stop():
                log.warning("requests were not finished in time", connections=count)
        self._dispatcher.cancel()
        for epoll in (self._connections.priority_epoll, self._connections.epoll):
            self._loop.remove_reader(epoll.fileno())
        self._connections.close()

    def _admit(self, fd: int, peer: str) -> None:
        self._connections.add(fd, peer, self._dispatcher)

    def _on_ready(self, epoll: select.epoll) -> None:
        for fd, events in epoll.poll(0, EVENTS_PER_WAKE):
            connection = self._connections.by_fd.get(fd)
            if connection is None:
                continue
            if events & _BROKEN:
                self._connections.drop(connection)
            elif events & EPOLLOUT:
                self._dispatcher.write_on(connection)
            elif events & EPOLLIN:
                self._read(connection)
            elif connection.stage is Stage.HELD:  # no more is read of it, and the peer has ended its sending side
                self._connections.drop(connection)
            else:  # reported once more, since its poll has been answered in the same moment
                self._connections.watch(connection)

    def _read(self, connection: Connection) -> None:
        try:
            data = os.read(connection.fd, READ_BYTES)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self._connections.drop(connection)
            return
        if not data:
            self._on_end_of_sending(connection)
        elif connection.stage is not Stage.ENDING:
            connection.data = connection.data + data if connection.data else data
            if connection.stage in READING:
                self._dispatcher.advance(connection)
            else:
                self._connections.watch(connection)

    def _on_end_of_sending(self, connection: Connection) -> None:
        """Whole requests that have come are answered; a held poll, or half a request, is given up."""
        if connection.stage is Stage.BUSY or (connection.stage is Stage.IDLE and connection.data):
            connection.has_ended = True
            self._connections.watch(connection)
        else:
            self._connections.drop(connection)
