"""The gate: the HTTP/1.1 server. It serves every request, and holds thousands of polls at a few hundred bytes each.

A held poll has no task, no timer, no asyncio transport and no socket object: only a `Connection`, the hub's `Poll` and
its descriptor in one of the gate's two epolls. The event loop watches only these two.

    epoll ─► Gate reads bytes ─► Dispatcher ─► HeadReader, BodyReader (framing.py): bytes to a request
                                     │
                                     ├─► HttpApp.begin and respond: a response, a held poll, or a task that waits
                                     ▼
             Responder writes the response, for a held poll when its `Connection` gets the answer

`Connections` keeps all connections, what each waits for, and how long (timeouts.py). `Acceptor` adds new ones.
The second epoll has the connections that have sent a status update. A turn of the event loop serves at most
EVENTS_PER_WAKE connections of each epoll, so status updates do not queue behind thousands of polls. The stages:

    accept ─► IDLE ─► (IN_HEAD) ─► (BUSY) ─► (IN_BODY) ─► (BUSY) ─► (HELD) ─► (WRITING) ─┬─► IDLE
    in parentheses: skipped when there is nothing to wait for                            └─► LINGERING ─► closed
    BUSY waits for the admission, later for the response

| peer                                             | gate                                                             |
|--------------------------------------------------|------------------------------------------------------------------|
| sends part of a head and stops                   | closed `head_s` after its first byte                             |
| sends part of a body and stops                   | closed `body_s` after its request was admitted                   |
| sends more than MAX_HEAD_BYTES of head           | 431 and closed                                                   |
| sends bytes that are no HTTP/1 head              | 400, 501 or 505 and closed, as soon as that is certain           |
| sends nothing                                    | closed after `idle_s`                                            |
| sends more during a request (pipelining)         | served next; beyond MAX_HEAD_BYTES it is left in the kernel      |
| goes away or half-closes while its poll is held  | noticed at once: the poll is forgotten, the descriptor closed    |
| half-closes while another request is served      | answered, then closed                                            |
| disappears without a FIN                         | answered at its deadline; closed `idle_s` later, or by TCP       |
| does not read its answer                         | closed: less than MIN_READ_BYTES in `read_s`, or MAX_UNSENT_BYTES|
| sends more after `Connection: close`             | read and discarded for LINGER_S, then closed                     |
| opens more connections than there are descriptors| those without a complete request are closed, or accepting pauses |

`HttpApp` makes all decisions about requests, as for any ASGI server.
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
from ordertrack.http.gate.poll_reader import POLL_START
from ordertrack.http.gate.timeouts import Timeouts
from ordertrack.service.monitoring.statistics import GateCounters

READ_BYTES = 64 * 1024
EVENTS_PER_WAKE = 64
"""Connections read in one turn of the event loop, so that it serves others too."""

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

    def stop_accepting(self) -> None:
        """Leave new connections to the other processes that have the listening socket."""
        self._acceptor.hand_over()

    async def stop(self, grace_s: float) -> None:
        """Finish the requests that have begun within `grace_s`, then listen no more, and close every connection.

        Until then new connections are served too, since load balancers ask `/readyz`.
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
        self._read(self._connections.add(fd, peer, self._dispatcher))  # most clients send their request at once

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
            elif connection.stage is Stage.HELD:  # the peer has ended its sending side
                self._connections.drop(connection)
            else:  # its poll was answered in the same turn
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
        elif connection.stage in READING:
            if connection.data:
                data = connection.data + data
            elif data.startswith(POLL_START) and self._dispatcher.serve_poll(connection, data):
                return
            connection.data = data
            self._dispatcher.advance(connection)
        elif connection.stage is not Stage.LINGERING:
            connection.data += data
            self._connections.watch(connection)

    def _on_end_of_sending(self, connection: Connection) -> None:
        """Answer complete requests; drop a held poll or an incomplete request."""
        if connection.stage is Stage.BUSY or (connection.stage is Stage.IDLE and connection.data):
            connection.peer_finished = True
            self._connections.watch(connection)
        else:
            self._connections.drop(connection)
