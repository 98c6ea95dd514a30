"""All connections of the gate: their descriptors, stages and timeouts.

Timeouts are compared every SWEEP_S seconds, so no connection has a timer.
"""

from __future__ import annotations

import asyncio
import heapq
import os
import select
import socket
from collections.abc import Callable

from ordertrack.http.gate.connection import Connection, Owner, Stage
from ordertrack.http.gate.timeouts import LAST_REQUEST_S, LINGER_S, MIN_WAIT_S, Timeouts
from ordertrack.http.wire.message import MAX_HEAD_BYTES
from ordertrack.ports.clock import Clock
from ordertrack.service.monitoring.statistics import GateCounters
from ordertrack.service.tracking.waiter import WaitingPoll

SWEEP_S = 0.5
PEERS_SHARED = 64
"""Addresses of which one copy is kept: behind a proxy all connections have the same."""
CLOSED_TOGETHER = 16
"""Connections without a complete request that are closed together when no descriptor is free for a new one."""

EPOLLIN, EPOLLRDHUP = getattr(select, "EPOLLIN", 0), getattr(select, "EPOLLRDHUP", 0)  # this module is also imported
EPOLLOUT = getattr(select, "EPOLLOUT", 0)  # where there is no epoll
READABLE = EPOLLIN | EPOLLRDHUP

_SERVED = (Stage.IN_BODY, Stage.BUSY, Stage.HELD, Stage.WRITING)
"""Stages of a running request, which a stopping server waits for."""


class Connections:
    """`leave` is called with the held poll of a connection that is dropped."""

    def __init__(
        self, counters: GateCounters, timeouts: Timeouts, clock: Clock, leave: Callable[[WaitingPoll], None]
    ) -> None:
        self.counters = counters
        self.timeouts = timeouts
        self.all_closed = asyncio.Event()
        """Set once the server is stopping and no connection is left."""
        self._running: set[Connection] = set()
        self._none_running = asyncio.Event()
        self.uploads_bytes = 0
        self.unsent_bytes = 0
        self.epoll, self.priority_epoll = select.epoll(), select.epoll()
        self._clock = clock
        self._leave = leave
        self.by_fd: dict[int, Connection] = {}
        self._peers: dict[str, str] = {}
        self._is_stopping = False
        self._sweeper: asyncio.TimerHandle | None = None

    def add(self, fd: int, peer: str, owner: Owner) -> Connection:
        """Add a new descriptor."""
        if len(self._peers) >= PEERS_SHARED:
            self._peers.clear()
        peer = self._peers.setdefault(peer, peer)
        connection = self.by_fd[fd] = Connection(owner, fd, b"", self.epoll, READABLE, peer)
        self.counters.open = len(self.by_fd)
        self.epoll.register(fd, READABLE)
        self.expect_request(connection, self._clock.monotonic_s())
        return connection

    def start_sweeping(self) -> None:
        self._sweeper = asyncio.get_running_loop().call_later(SWEEP_S, self._sweep)

    async def finish_running(self) -> None:
        """Wait until the requests that run now are answered; not for later ones."""
        self._running = {c for c in self.by_fd.values() if c.stage in _SERVED}
        if self._running:
            await self._none_running.wait()

    def stop(self) -> int:
        """Give idle connections LAST_REQUEST_S. Return the number of connections."""
        self._is_stopping = True
        for connection in self.by_fd.values():
            if connection.stage in (Stage.IDLE, Stage.LINGERING):
                self.expect(connection, connection.stage, LAST_REQUEST_S)
        return len(self.by_fd)

    def close(self) -> None:
        """Drop every connection."""
        for connection in list(self.by_fd.values()):
            self.drop(connection)
        if self._sweeper is not None:
            self._sweeper.cancel()
        for epoll in (self.priority_epoll, self.epoll):
            epoll.close()

    def drop(self, connection: Connection) -> None:
        """Close the connection now, at any stage."""
        fd, connection.fd = connection.fd, -1
        if fd < 0:
            return
        del self.by_fd[fd]
        self.counters.open = len(self.by_fd)
        connection.epoll.unregister(fd)
        os.close(fd)
        if connection.poll is not None:
            self._leave(connection.poll)
            connection.poll = None
        self.release(connection)
        self._no_longer_running(connection)
        if self._is_stopping and not self.by_fd:
            self.all_closed.set()

    def close_gracefully(self, connection: Connection) -> None:
        """Close the connection once the peer has read the response, which a reset could overtake."""
        if connection.peer_finished:
            self.drop(connection)
            return
        try:
            _shut_down_writing(connection.fd)
        except OSError:
            self.drop(connection)
            return
        connection.data = b""
        self._no_longer_running(connection)
        self.expect(connection, Stage.LINGERING, LAST_REQUEST_S if self._is_stopping else LINGER_S)

    def release(self, connection: Connection) -> None:
        """Release the connection's part of the shared limits."""
        if connection.upload is not None:
            self.uploads_bytes -= connection.upload.reserved_bytes
            connection.upload = None
        if connection.unsent is not None:
            self.unsent_bytes -= len(connection.unsent)
            connection.unsent = None

    def make_room(self) -> bool:
        """Close connections without a complete request, or lingering. Return True if there were any."""
        now_s = self._clock.monotonic_s()
        granted_s = {
            Stage.IDLE: self.timeouts.idle_s,
            Stage.IN_HEAD: self.timeouts.head_s,
            Stage.IN_BODY: self.timeouts.body_s,
            Stage.LINGERING: LINGER_S,
        }
        waiting = [
            (connection.expires_at_s, fd)
            for fd, connection in self.by_fd.items()
            if connection.stage in granted_s
            and connection.expires_at_s is not None
            and connection.expires_at_s - granted_s[connection.stage] <= now_s - MIN_WAIT_S
        ]
        for _, fd in heapq.nsmallest(CLOSED_TOGETHER, waiting):
            self.counters.closed_for_room += 1
            self.drop(self.by_fd[fd])
        return bool(waiting)

    def expect(self, connection: Connection, stage: Stage, timeout_s: float) -> None:
        """Enter a stage. The connection is closed when it lasts longer than `timeout_s`."""
        connection.stage = stage
        connection.expires_at_s = self._clock.monotonic_s() + timeout_s
        self.watch(connection)

    def expect_request(self, connection: Connection, now_s: float) -> None:
        if self._running:
            self._no_longer_running(connection)
        connection.stage = Stage.IDLE
        timeout_s = LAST_REQUEST_S if self._is_stopping else self.timeouts.idle_s
        connection.expires_at_s = now_s + timeout_s
        if connection.watched != READABLE:
            self.watch(connection)  # a long backlog has been served

    def _no_longer_running(self, connection: Connection) -> None:
        """Stop waiting for this connection in `finish_running`: its request is answered, or it is closed."""
        if self._running:
            self._running.discard(connection)
            if not self._running:
                self._none_running.set()

    def watch(self, connection: Connection) -> None:
        """Update the watched events. Call this when the stage, the received bytes or `peer_finished` changed."""
        events = _events_of(connection)
        if events != connection.watched:
            connection.watched = events
            connection.epoll.modify(connection.fd, events)

    def prioritize(self, connection: Connection) -> None:
        """Move a connection that has sent a status update to the second epoll, for good."""
        self.epoll.unregister(connection.fd)
        connection.epoll = self.priority_epoll
        self.priority_epoll.register(connection.fd, connection.watched)

    def _sweep(self) -> None:
        now_s = self._clock.monotonic_s()
        late = [c for c in self.by_fd.values() if c.expires_at_s is not None and c.expires_at_s <= now_s]
        for connection in late:
            self.counters.closed_slow += connection.stage in (Stage.IN_HEAD, Stage.IN_BODY)
            self.counters.closed_unread += connection.stage is Stage.WRITING
            self.drop(connection)
        self._sweeper = asyncio.get_running_loop().call_later(SWEEP_S, self._sweep)


def _events_of(connection: Connection) -> int:
    """Return the events to watch. Errors are always reported."""
    if connection.stage is Stage.WRITING:
        return EPOLLOUT
    if connection.peer_finished:
        return 0
    if len(connection.data) <= MAX_HEAD_BYTES:
        return READABLE
    # With this much unread input, only the end of the peer of a held poll is watched.
    return EPOLLRDHUP if connection.stage is Stage.HELD else 0


def _shut_down_writing(fd: int) -> None:
    """Raises: OSError."""
    borrowed = socket.socket(fileno=fd)
    try:
        borrowed.shutdown(socket.SHUT_WR)
    finally:
        borrowed.detach()
