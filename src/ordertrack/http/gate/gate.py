"""The gate: holds the connections of waiting phones as bare descriptors in an epoll of its own.

While a phone waits there is no transport, no protocol, no task, no timer and no socket object for it: a `Connection` of
a few slots, the hub's `Poll`, and a number in the kernel's epoll. That epoll is itself a descriptor, which the event
loop watches like any other.

    accept ──► READING ──a poll──► answered at once ──► READING
                │   ▲        └───► PARKED ──news, deadline, drain, supersede──► answered ──► READING
                │   │  └─a change of status─► BUSY ──committed──► answered ──► READING
     anything   │   │ the next request may be ours
     else       ▼   │
               LENT ┘                                            from every state: ──► closed

| what a peer does                                 | what happens                                                   |
|--------------------------------------------------|----------------------------------------------------------------|
| sends part of a head and stops                   | closed `head_timeout_s` after its first byte                   |
| sends part of a body and stops                   | closed `body_timeout_s` after the head                         |
| sends more than MAX_HEAD_BYTES of head           | 431 and closed                                                 |
| says nothing                                     | closed after `idle_timeout_s`                                  |
| sends more while it is parked (pipelining)       | waits its turn; beyond MAX_HEAD_BYTES it is left in the kernel |
| goes away or half-closes while it is parked      | noticed at once: the poll is forgotten, the descriptor closed  |
| vanishes without a word                          | one parked descriptor until the deadline, then a failing write |
| does not read its answer                         | what the kernel does not take has `read_timeout_s`             |
| opens more connections than there are descriptors| accepting pauses, is logged once and counted, and goes on      |

These times are looked at every SWEEP_S: a connection that talks pays nothing for having one.

The gate decides nothing: what a poll is answered is `service.tracking`'s business, as on the ASGI route, and what
becomes of a change `StatusUpdates`'.
"""

from __future__ import annotations

import asyncio
import errno
import os
import select
import socket
from collections.abc import Coroutine
from typing import Protocol

import structlog

from ordertrack.core.errors import OrdertrackError
from ordertrack.core.poll import Answer
from ordertrack.http.admission import Admission
from ordertrack.http.cors import Cors
from ordertrack.http.dates import http_date
from ordertrack.http.errors import HeadTooLarge
from ordertrack.http.gate.connection import Connection, Stage
from ordertrack.http.gate.head import MAX_HEAD_BYTES, Bounds, Head, Incomplete, Lend, read_head
from ordertrack.http.gate.serving import Serving
from ordertrack.http.poll_answers import PollAnswers
from ordertrack.http.responses import Response, bytes_of
from ordertrack.http.status_updates import StatusUpdates
from ordertrack.ports.clock import Clock
from ordertrack.service.statistics import GateCounters
from ordertrack.service.tracking import Tracking

ACCEPT_PAUSE_S = 1.0
SWEEP_S = 0.5
PEERS_SHARED = 64
"""Latest addresses of which one copy is kept: behind a proxy all connections have the same."""
READ_BYTES = 64 * 1024
ACCEPTS_PER_WAKE = 256
EVENTS_PER_WAKE = 64
"""Bounds on one turn, so that neither newcomers nor talkers keep the loop to themselves."""

_OUT_OF_DESCRIPTORS = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM))
_EPOLLIN, _EPOLLRDHUP = getattr(select, "EPOLLIN", 0), getattr(select, "EPOLLRDHUP", 0)  # this module is also imported
_BROKEN = getattr(select, "EPOLLHUP", 0) | getattr(select, "EPOLLERR", 0)  # where there is no epoll
_READABLE = _EPOLLIN | _EPOLLRDHUP

log = structlog.get_logger("ordertrack.gate")


class Lender(Protocol):
    """Takes a connection for everything that is no poll. It may give it back with `Gate.adopt`."""

    def lend(self, connection: socket.socket, data: bytes) -> None: ...


class Gate:
    """Owns the listening socket and every connection that is not lent."""

    def __init__(
        self,
        listener: socket.socket,
        tracking: Tracking,
        answers: PollAnswers,
        status_updates: StatusUpdates,
        admission: Admission,
        cors: Cors,
        clock: Clock,
        counters: GateCounters,
        bounds: Bounds,
    ) -> None:
        self.counters = counters
        self.bounds = bounds
        self._listener = listener
        self._tracking = tracking
        self._answers = answers
        self._clock = clock
        self._serving = Serving(self, tracking, status_updates, admission, cors, clock)
        self._lender: Lender | None = None
        self._loop = asyncio.get_running_loop()
        self._phones, self._kitchens = select.epoll(), select.epoll()
        self._connections: dict[int, Connection] = {}
        self._peers: dict[str, str] = {}
        self._sweeper: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    # Life

    def start(self, lender: Lender) -> None:
        self._lender = lender
        self._listener.setblocking(False)
        for epoll in (self._kitchens, self._phones):
            self._loop.add_reader(epoll.fileno(), self._on_ready, epoll)
        self._loop.add_reader(self._listener.fileno(), self._on_accept)
        self._sweeper = self._loop.call_later(SWEEP_S, self._sweep)

    def stop_accepting(self) -> None:
        self._loop.remove_reader(self._listener.fileno())
        self._listener.close()

    @property
    def accepting(self) -> bool:
        return self._listener.fileno() >= 0

    async def close(self, grace_s: float) -> None:
        """Finish what is running and being written, for at most `grace_s`, then close everything that is left: idle
        connections, incomplete requests."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=grace_s)
        for task in self._tasks:
            task.cancel()
        for connection in list(self._connections.values()):
            self.drop(connection)
        if self._sweeper is not None:
            self._sweeper.cancel()
        for epoll in (self._kitchens, self._phones):
            self._loop.remove_reader(epoll.fileno())
            epoll.close()

    # Connections come and go

    def _on_accept(self) -> None:
        for _ in range(ACCEPTS_PER_WAKE):
            try:
                accepted, address = self._listener.accept()
            except (BlockingIOError, InterruptedError):
                return
            except ConnectionAbortedError:
                continue
            except OSError as error:
                if error.errno not in _OUT_OF_DESCRIPTORS:
                    raise
                self._pause_accepting(error)
                return
            accepted.setblocking(False)
            self.counters.accepted += 1
            self._admit(accepted.detach(), b"", address[0])

    def _pause_accepting(self, error: OSError) -> None:
        if self.counters.out_of_descriptors == 0:
            log.error("out of descriptors: accepting pauses until some are free", error=str(error))
        self.counters.out_of_descriptors += 1
        self._loop.remove_reader(self._listener.fileno())
        self._loop.call_later(ACCEPT_PAUSE_S, self._resume_accepting)

    def _resume_accepting(self) -> None:
        if self.accepting:
            self._loop.add_reader(self._listener.fileno(), self._on_accept)

    def adopt(self, fd: int, data: bytes, peer: str | None) -> None:
        """Take a lent connection back at the start of a request; `data` is what has come of that."""
        self.counters.returned += 1
        self._admit(fd, data, peer)

    def _admit(self, fd: int, data: bytes, peer: str | None) -> None:
        if peer is not None:
            if len(self._peers) >= PEERS_SHARED:
                self._peers.clear()
            peer = self._peers.setdefault(peer, peer)
        connection = self._connections[fd] = Connection(self, fd, data, self._phones, peer)
        self.counters.open = len(self._connections)
        self._phones.register(fd, _READABLE)
        self._advance(connection)

    def drop(self, connection: Connection) -> None:
        """Close the connection, whatever it is doing."""
        if connection.fd >= 0:
            os.close(self._release(connection))

    def _release(self, connection: Connection) -> int:
        """The descriptor, which is nobody's from here on."""
        fd, connection.fd = connection.fd, -1
        del self._connections[fd]
        self.counters.open = len(self._connections)
        connection.epoll.unregister(fd)
        if connection.poll is not None:
            self._tracking.leave(connection.poll)
            connection.poll = None
        return fd

    def _lend(self, connection: Connection) -> None:
        assert self._lender is not None
        self.counters.lent += 1
        data = connection.data
        self._lender.lend(socket.socket(fileno=self._release(connection)), data)

    def _sweep(self) -> None:
        now_s = self._clock.monotonic_s()
        late = [c for c in self._connections.values() if c.expires_at_s is not None and c.expires_at_s <= now_s]
        for connection in late:
            self.counters.closed_slow += connection.stage is not Stage.IDLE
            self.drop(connection)
        self._sweeper = self._loop.call_later(SWEEP_S, self._sweep)

    # Bytes in

    def _on_ready(self, epoll: select.epoll) -> None:
        for fd, events in epoll.poll(0, EVENTS_PER_WAKE):
            connection = self._connections.get(fd)
            if connection is None:
                continue
            if events & _BROKEN or not events & _EPOLLIN:
                self.drop(connection)
            else:
                self._read(connection)

    def _read(self, connection: Connection) -> None:
        try:
            data = os.read(connection.fd, READ_BYTES)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data = b""
        if not data:
            self.drop(connection)
            return
        connection.data += data
        if not connection.reads:
            if len(connection.data) > MAX_HEAD_BYTES:
                connection.epoll.modify(connection.fd, _EPOLLRDHUP)
        else:
            self._advance(connection)

    def go_on(self, connection: Connection) -> None:
        """The held request was answered; the next one may have come meanwhile."""
        if connection.fd < 0:
            return
        if len(connection.data) > MAX_HEAD_BYTES:
            connection.epoll.modify(connection.fd, _READABLE)
        if connection.data:
            self._loop.call_soon(self._advance, connection)
        else:
            connection.expires_at_s = self._clock.monotonic_s() + self.bounds.idle_timeout_s

    def _advance(self, connection: Connection) -> None:
        """Serve what is there, request by request, until one is held, incomplete or not ours."""
        try:
            while connection.data and connection.reads and self._serve_next(connection):
                pass
        except Exception:
            log.exception("a bug: the connection it met is closed")
            self.drop(connection)
        if connection.reads and not connection.data:
            connection.stage = Stage.IDLE
            connection.expires_at_s = self._clock.monotonic_s() + self.bounds.idle_timeout_s

    def _serve_next(self, connection: Connection) -> bool:
        """False when more bytes are needed, or the connection is lent or closed."""
        data = connection.data
        head = read_head(data)
        if isinstance(head, Incomplete):
            if len(data) > MAX_HEAD_BYTES:
                self.counters.refused_head += 1
                connection.keep_alive = False
                self.send_refusal(connection, HeadTooLarge(MAX_HEAD_BYTES))
            else:
                self._wait_for(connection, Stage.IN_HEAD, self.bounds.head_timeout_s)
            return False
        if isinstance(head, Lend):
            self._lend(connection)
            return False
        end = head.length + head.body_length
        if len(data) < end:
            self._wait_for(connection, Stage.IN_BODY, self.bounds.body_timeout_s)
            return False
        if not self._serving.serves(head):
            self._lend(connection)
            return False
        self._serving.serve(connection, head, self._begin(connection, head))
        return True

    def _wait_for(self, connection: Connection, stage: Stage, timeout_s: float) -> None:
        """More bytes. The time runs from the first of them that was missed."""
        if connection.stage is not stage:
            connection.stage = stage
            connection.expires_at_s = self._clock.monotonic_s() + timeout_s

    def _begin(self, connection: Connection, head: Head) -> bytes:
        """Take the request off what has come, and give its body."""
        data, end = connection.data, head.length + head.body_length
        connection.data = data[end:]
        connection.stage = Stage.IDLE
        connection.expires_at_s = None
        connection.keep_alive = head.keep_alive
        return data[head.length : end]

    def hurry(self, connection: Connection) -> None:
        """Whoever makes changes is heard before those who wait for them."""
        if connection.fd >= 0 and connection.epoll is self._phones:
            self._phones.unregister(connection.fd)
            connection.epoll = self._kitchens
            self._kitchens.register(connection.fd, _READABLE)

    # Bytes out

    def send_answer(self, connection: Connection, answer: Answer) -> None:
        closing = self._tracking.hub.draining
        keep_alive = connection.keep_alive and not closing
        data = self._answers.written(
            answer, self._tracking.epoch, connection.request, closing=closing, keep_alive=keep_alive
        )
        self._send(connection, data, keep_alive=keep_alive)

    def send_refusal(self, connection: Connection, error: OrdertrackError) -> None:
        self.send(connection, self._answers.refusal(error))

    def send(self, connection: Connection, response: Response) -> None:
        keep_alive = connection.keep_alive and not self._tracking.hub.draining
        data = bytes_of(response, http_date(self._clock.now_ms()), keep_alive=keep_alive)
        self._send(connection, data, keep_alive=keep_alive)

    def woke(self, committed_at_s: float) -> None:
        self._tracking.statistics.woke(self._clock.monotonic_s() - committed_at_s)

    def _send(self, connection: Connection, data: bytes, *, keep_alive: bool) -> None:
        if connection.fd < 0:
            return
        try:
            written = os.write(connection.fd, data)
        except (BlockingIOError, InterruptedError):
            written = 0
        except OSError:
            self.drop(connection)
            return
        if written < len(data):
            left = connection.data
            slow = socket.socket(fileno=self._release(connection))
            self.run(self._flush(slow, data[written:], left, connection.peer, keep_alive=keep_alive))
        elif not keep_alive:
            self.drop(connection)

    async def _flush(
        self, connection: socket.socket, data: bytes, left: bytes, peer: str | None, *, keep_alive: bool
    ) -> None:
        """The kernel does not take all of an answer: a long one on a slow line, or a peer that does not read."""
        try:
            async with asyncio.timeout(self.bounds.read_timeout_s):
                await self._loop.sock_sendall(connection, data)
        except (OSError, TimeoutError):
            self.counters.closed_unread += 1
            keep_alive = False
        if keep_alive:
            self._admit(connection.detach(), left, peer)
        else:
            connection.close()

    def run(self, work: Coroutine[None, None, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
