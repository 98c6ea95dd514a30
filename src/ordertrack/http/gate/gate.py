"""The gate: holds the connections of waiting phones as bare descriptors in an epoll of its own.

While a phone waits there is no transport, no protocol, no task, no timer and no socket object for it: a `Connection` of
a few slots, the hub's `Poll`, and a number in the kernel's epoll. That epoll is itself a descriptor, which the event
loop watches like any other.

    accept ──► READING ──a poll──► answered at once ──► READING
                │   ▲        └───► PARKED ──news, deadline, drain, supersede──► answered ──► READING
     anything   │   │ the next request is a poll,
     else       ▼   │ or incomplete
               LENT ┘                                            from every state: ──► closed

| what a peer does                                 | what happens                                                   |
|--------------------------------------------------|----------------------------------------------------------------|
| sends part of a head and stops                   | closed `head_timeout_s` after its first byte                   |
| sends more than MAX_HEAD_BYTES of head           | 431 and closed                                                 |
| says nothing                                     | closed after `idle_timeout_s`                                  |
| sends more while it is parked (pipelining)       | waits its turn; beyond MAX_HEAD_BYTES it is left in the kernel |
| goes away or half-closes while it is parked      | noticed at once: the poll is forgotten, the descriptor closed  |
| vanishes without a word                          | one parked descriptor until the deadline, then a failing write |
| does not read its answer                         | what the kernel does not take has `read_timeout_s`             |
| opens more connections than there are descriptors| accepting pauses, is logged once and counted, and goes on      |

The gate decides nothing: what a poll is answered is `service.tracking`'s business, as on the ASGI route.
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

from ordertrack.core.deadlines import Deadlines
from ordertrack.core.errors import OrdertrackError
from ordertrack.core.feed import FeedKey
from ordertrack.core.poll import Answer, PollRequest
from ordertrack.http.dates import http_date
from ordertrack.http.errors import HeadTooLarge
from ordertrack.http.gate.connection import NO_REQUEST, Connection
from ordertrack.http.gate.head import MAX_HEAD_BYTES, Bounds, Incomplete, PollHead, read_head
from ordertrack.http.parameters import is_poll_path, parse_feed, parse_poll
from ordertrack.http.poll_answers import PollAnswers, Response, bytes_of
from ordertrack.ports.clock import Clock
from ordertrack.service.alarm import Alarm
from ordertrack.service.statistics import GateCounters
from ordertrack.service.tracking import HeldPoll, Tracking

ACCEPT_PAUSE_S = 1.0
READ_BYTES = 64 * 1024
ACCEPTS_PER_WAKE = 256
EVENTS_PER_WAKE = 1024
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
        self._lender: Lender | None = None
        self._loop = asyncio.get_running_loop()
        self._epoll = select.epoll()
        self._connections: dict[int, Connection] = {}
        self._deadlines: Deadlines[Connection] = Deadlines()
        self._alarm = Alarm(clock, self._deadlines.next_s, self._on_deadline)
        self._tasks: set[asyncio.Task[None]] = set()

    # Life

    def start(self, lender: Lender) -> None:
        self._lender = lender
        self._listener.setblocking(False)
        self._loop.add_reader(self._epoll.fileno(), self._on_ready)
        self._loop.add_reader(self._listener.fileno(), self._on_accept)

    def stop_accepting(self) -> None:
        self._loop.remove_reader(self._listener.fileno())
        self._listener.close()

    @property
    def accepting(self) -> bool:
        return self._listener.fileno() >= 0

    async def close(self) -> None:
        """Finish what is being written, then close everything that is left: idle connections, incomplete heads."""
        await asyncio.gather(*self._tasks)
        for connection in list(self._connections.values()):
            self.drop(connection)
        self._alarm.cancel()
        self._loop.remove_reader(self._epoll.fileno())
        self._epoll.close()

    # Connections come and go

    def _on_accept(self) -> None:
        for _ in range(ACCEPTS_PER_WAKE):
            try:
                accepted, _ = self._listener.accept()
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
            self._admit(accepted.detach(), b"")

    def _pause_accepting(self, error: OSError) -> None:
        if self.counters.out_of_descriptors == 0:
            log.error("out of descriptors: accepting pauses until some are free", error=str(error))
        self.counters.out_of_descriptors += 1
        self._loop.remove_reader(self._listener.fileno())
        self._loop.call_later(ACCEPT_PAUSE_S, self._resume_accepting)

    def _resume_accepting(self) -> None:
        if self.accepting:
            self._loop.add_reader(self._listener.fileno(), self._on_accept)

    def adopt(self, fd: int, data: bytes) -> None:
        """Take a lent connection back at the start of a request; `data` is what has come of that."""
        self.counters.returned += 1
        self._admit(fd, data)

    def _admit(self, fd: int, data: bytes) -> None:
        connection = self._connections[fd] = Connection(self, fd, data)
        self.counters.open = len(self._connections)
        self._epoll.register(fd, _READABLE)
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
        self._epoll.unregister(fd)
        self._expire_in(connection, None)
        if connection.poll is not None:
            self._tracking.leave(connection.poll)
            connection.poll = None
        return fd

    def _lend(self, connection: Connection) -> None:
        assert self._lender is not None
        self.counters.lent += 1
        data = connection.data
        self._lender.lend(socket.socket(fileno=self._release(connection)), data)

    def _expire_in(self, connection: Connection, seconds: float | None) -> None:
        if connection.bucket is not None:
            connection.bucket.discard(connection)
            connection.bucket = None
        if seconds is not None:
            connection.bucket = self._deadlines.add(connection, self._clock.monotonic_s() + seconds)
            self._alarm.set()

    def _on_deadline(self) -> None:
        for connection in self._deadlines.due(self._clock.monotonic_s()):
            connection.bucket = None
            self.counters.closed_slow += connection.in_head
            self.drop(connection)

    # Bytes in

    def _on_ready(self) -> None:
        for fd, events in self._epoll.poll(0, EVENTS_PER_WAKE):
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
        if connection.poll is not None or connection.busy:
            if len(connection.data) > MAX_HEAD_BYTES:
                self._epoll.modify(connection.fd, _EPOLLRDHUP)
        else:
            self._advance(connection)

    def go_on(self, connection: Connection) -> None:
        """The held request was answered; the next one may have come meanwhile."""
        if connection.fd < 0:
            return
        if len(connection.data) > MAX_HEAD_BYTES:
            self._epoll.modify(connection.fd, _READABLE)
        if connection.data:
            self._loop.call_soon(self._advance, connection)
        else:
            self._expire_in(connection, self.bounds.idle_timeout_s)

    def _advance(self, connection: Connection) -> None:
        """Serve what is there, request by request, until one is held, incomplete or not ours."""
        try:
            while connection.data and self._reads(connection) and self._serve_next(connection):
                pass
        except Exception:
            log.exception("a bug: the connection it met is closed")
            self.drop(connection)
        if not self._reads(connection):
            return
        if not connection.data:
            connection.in_head = False
            self._expire_in(connection, self.bounds.idle_timeout_s)
        elif not connection.in_head:
            connection.in_head = True
            self._expire_in(connection, self.bounds.head_timeout_s)

    @staticmethod
    def _reads(connection: Connection) -> bool:
        return connection.fd >= 0 and connection.poll is None and not connection.busy

    def _serve_next(self, connection: Connection) -> bool:
        """False when more bytes are needed, or the connection is lent or closed."""
        head = read_head(connection.data)
        if isinstance(head, Incomplete):
            if len(connection.data) > MAX_HEAD_BYTES:
                self.counters.refused_head += 1
                connection.keep_alive = False
                self.send_refusal(connection, HeadTooLarge(MAX_HEAD_BYTES))
            return False
        if not isinstance(head, PollHead) or not is_poll_path(head.path):
            self._lend(connection)
            return False
        connection.data = connection.data[head.length :]
        connection.in_head = False
        self._poll(connection, head)
        return True

    # Polls

    def _poll(self, connection: Connection, head: PollHead) -> None:
        connection.keep_alive = head.keep_alive
        connection.request = NO_REQUEST
        try:
            request = parse_poll(head.query_string, head.headers)
            if request.wait_s is not None:
                connection.request = request
            feed = parse_feed(head.path)
            outcome = self._tracking.poll_now(feed, request, connection)
        except OrdertrackError as error:
            self.send_refusal(connection, error)
            return
        if outcome is None:
            connection.busy = True
            self._expire_in(connection, None)
            self._start(self._poll_slowly(connection, feed, request))
        else:
            self._answer_or_hold(connection, outcome)

    async def _poll_slowly(self, connection: Connection, feed: FeedKey, request: PollRequest) -> None:
        """The order is not at hand: the store is read, and whatever the peer does meanwhile waits."""
        try:
            outcome = await self._tracking.poll(feed, request, connection)
        except OrdertrackError as error:
            connection.busy = False
            self.send_refusal(connection, error)
        else:
            connection.busy = False
            self._answer_or_hold(connection, outcome)
        if connection.poll is None:
            self.go_on(connection)

    def _answer_or_hold(self, connection: Connection, outcome: Answer | HeldPoll) -> None:
        if isinstance(outcome, Answer):
            self.send_answer(connection, outcome)
        elif connection.fd < 0:
            self._tracking.leave(outcome)
        else:
            connection.poll = outcome
            self._expire_in(connection, None)

    # Bytes out

    def send_answer(self, connection: Connection, answer: Answer) -> None:
        closing = self._tracking.hub.draining
        response = self._answers.response(answer, self._tracking.epoch, connection.request, closing=closing)
        self._send(connection, response, keep_alive=connection.keep_alive and not closing)

    def send_refusal(self, connection: Connection, error: OrdertrackError) -> None:
        self._send(connection, self._answers.refusal(error), keep_alive=connection.keep_alive)

    def woke(self, committed_at_s: float) -> None:
        self._tracking.statistics.woke(self._clock.monotonic_s() - committed_at_s)

    def _send(self, connection: Connection, response: Response, *, keep_alive: bool) -> None:
        if connection.fd < 0:
            return
        data = bytes_of(response, http_date(self._clock.now_ms()), keep_alive=keep_alive)
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
            self._start(self._flush(slow, data[written:], left, keep_alive=keep_alive))
        elif not keep_alive:
            self.drop(connection)

    async def _flush(self, connection: socket.socket, data: bytes, left: bytes, *, keep_alive: bool) -> None:
        """The kernel does not take all of an answer: a long one on a slow line, or a peer that does not read."""
        try:
            async with asyncio.timeout(self.bounds.read_timeout_s):
                await self._loop.sock_sendall(connection, data)
        except (OSError, TimeoutError):
            self.counters.closed_unread += 1
            keep_alive = False
        if keep_alive:
            self._admit(connection.detach(), left)
        else:
            connection.close()

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
