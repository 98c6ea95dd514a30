"""Thousands of polls in one thread: raw descriptors, one epoll, and a check of every answer.

    Feed            what polls wait for: an order, with the newest version sent to the server
    PollConnection  one connection, its feed and the version it has received
    PollPool        all connections; `run_once` reads and checks what has arrived

The ten polls of an order receive the same bytes, so an answer is parsed once and then compared.
"""

from __future__ import annotations

import os
import select
import socket
from collections import Counter
from collections.abc import Callable
from time import perf_counter
from typing import Self

from ordertrack.load.http_parser import MalformedResponse, parse_response
from ordertrack.load.protocol import PollReply, ServerProtocol, WrongAnswer
from ordertrack.load.target import LoadTarget, connect, open_socket, raise_file_limit, source_addresses

CHUNK = 16_384
MAX_EVENTS = 1_024
LATE_AFTER_S = 2.0
"""An answer later than this after the update was sent counts as a lost wake-up."""
EARLY_TOLERANCE_S = 1.0
EARLY_SHARE = 0.1
"""A hold may end this much early, the larger of the two: servers group deadlines, and spread those of long holds."""


class Feed:
    """`published` is the newest version sent to the server; `outstanding` counts the `polls` that lack it."""

    __slots__ = ("acknowledged_at_s", "id", "outstanding", "polls", "position", "published", "published_at_s")

    def __init__(self, id: int, version: int, position: bytes) -> None:
        self.id, self.published, self.position = id, version, position
        self.outstanding = 0
        self.published_at_s = self.acknowledged_at_s = 0.0
        self.polls: list[PollConnection] = []


class PollConnection:
    __slots__ = ("fd", "feed", "request", "sent_at_s", "version", "waiting")

    def __init__(self, fd: int, feed: Feed, request: bytes) -> None:
        self.fd, self.feed, self.request = fd, feed, request
        self.version = feed.published
        self.sent_at_s = 0.0
        self.waiting = False


class PollPool:
    """With `repoll`, an answered poll is sent again at once. `on_complete` gets each feed whose polls all have the
    newest version; `fan_out_s` collects the seconds from sending the update to reading the last answer."""

    def __init__(self, target: LoadTarget, protocol: ServerProtocol) -> None:
        self.target, self.protocol = target, protocol
        self.repoll = True
        self.on_complete: Callable[[Feed], None] = lambda feed: None
        self.polls: list[PollConnection] = []
        self.woken = self.timeouts = self.reconnected = self.late = 0
        self.wrong: Counter[str] = Counter()
        self.fan_out_s: list[float] = []
        self._epoll = select.epoll()
        self._by_fd: dict[int, PollConnection] = {}
        self._readers: dict[int, Callable[[], None]] = {}
        self._partial: dict[int, bytes] = {}
        self._source_addresses = source_addresses(target)
        self._prepared: list[socket.socket] = []
        self._last_data = b""
        self._last_reply = PollReply(None, False, 0, None, b"")
        self._last_request = b""
        self._last_closing = False

    def close(self) -> None:
        for fd in (*self._by_fd, *self._readers):
            os.close(fd)
        for opened in self._prepared:
            opened.close()
        self._by_fd.clear()
        self._readers.clear()
        self._epoll.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def missing(self) -> int:
        """Number of polls without the newest version of their feed."""
        return sum(poll.version < poll.feed.published for poll in self.polls)

    def prepare(self, connections: int) -> None:
        """Open the sockets of the next connections now, so that connecting them takes less time."""
        raise_file_limit(connections)
        self._prepared += [self._open_socket() for _ in range(connections)]

    def _open_socket(self) -> socket.socket:
        return open_socket(self.target, next(self._source_addresses))

    def connect(self) -> int:
        raise_file_limit(len(self._by_fd) + len(self._readers) + 1)
        opened = self._prepared.pop() if self._prepared else self._open_socket()
        fd = connect(self.target, opened)
        self._epoll.register(fd, select.EPOLLIN)
        return fd

    def open_reader(self, readable: Callable[[], None]) -> int:
        """Open a connection that is not a poll; `readable` is called when it has data."""
        fd = self.connect()
        self._readers[fd] = readable
        return fd

    def close_reader(self, fd: int) -> None:
        del self._readers[fd]
        os.close(fd)

    def add(self, feed: Feed) -> PollConnection:
        """Connect one more poll of the feed, without sending its request."""
        poll = PollConnection(self.connect(), feed, self.protocol.poll(feed.id, feed.position))
        feed.polls.append(poll)
        self.polls.append(poll)
        self._by_fd[poll.fd] = poll
        return poll

    def send_poll(self, poll: PollConnection) -> None:
        poll.sent_at_s = perf_counter()
        poll.waiting = True
        os.write(poll.fd, poll.request)

    def abort(self, poll: PollConnection) -> None:
        """Close the connection of a waiting poll, reconnect, and send the same request."""
        self._reconnect(poll)
        self.send_poll(poll)

    def _reconnect(self, poll: PollConnection) -> None:
        self._by_fd.pop(poll.fd, None)
        self._partial.pop(poll.fd, None)
        os.close(poll.fd)
        poll.fd = self.connect()
        self._by_fd[poll.fd] = poll

    def record_update(self, feed: Feed, now_s: float) -> None:
        """Note a new version, right before its update is sent."""
        feed.published += 1
        feed.published_at_s = now_s
        feed.acknowledged_at_s = 0.0
        feed.outstanding = len(feed.polls)

    def switch_feed(self, feed: Feed, fresh: Feed) -> None:
        """Let the polls of a feed that has ended continue with another."""
        feed.id, feed.published, feed.position = fresh.id, fresh.published, fresh.position
        request = self.protocol.poll(feed.id, feed.position)
        for poll in feed.polls:
            poll.version, poll.request = feed.published, request
            if self.repoll:
                self.send_poll(poll)

    def run_once(self, timeout_s: float) -> int:
        """Read and check answers, waiting at most `timeout_s` for the first. Return how many connections had data."""
        by_fd, partial, read, check = self._by_fd, self._partial, os.read, self._check
        events = self._epoll.poll(timeout_s, MAX_EVENTS)
        for fd, _ in events:
            poll = by_fd.get(fd)
            if poll is None:
                if fd in self._readers:
                    self._readers[fd]()
                continue
            try:
                data = read(fd, CHUNK)
            except BlockingIOError:
                continue
            except OSError:
                data = b""
            if not data:
                self._handle_close(poll)
                continue
            if partial and fd in partial:
                data = partial.pop(fd) + data
            if data == self._last_data or self._parse(poll, data):
                check(poll)
        return len(events)

    def _parse(self, poll: PollConnection, data: bytes) -> bool:
        try:
            response = parse_response(data)
            if response is None:
                self._partial[poll.fd] = data
                return False
            if response.rest:
                self.wrong["more than one answer to one request"] += 1
            answer = self.protocol.parse(response)
        except (MalformedResponse, WrongAnswer) as error:
            self.wrong[str(error)] += 1
            poll.waiting = False
            return False
        self._last_data, self._last_reply, self._last_closing = data, answer, response.closing
        self._last_request = self.protocol.poll(poll.feed.id, answer.position) if answer.position else b""
        return True

    def _check(self, poll: PollConnection) -> None:
        """Check the answer parsed last for this poll."""
        now_s = perf_counter()
        feed, answer = poll.feed, self._last_reply
        feed_id, news, _, _, _, ended = answer
        if not poll.waiting:
            self.wrong["an answer without a request"] += 1
            return
        poll.waiting = False
        if feed_id != feed.id and feed_id is not None:
            self.wrong["the answer of another order"] += 1
        elif news:
            self._check_news(poll, feed, answer, now_s)
            poll.request = self._last_request
        else:
            self._check_timeout(poll, feed, answer, now_s)
        if self._last_closing:
            self.reconnected += 1
            self._reconnect(poll)
        if self.repoll and not ended:
            poll.sent_at_s = now_s
            poll.waiting = True
            os.write(poll.fd, poll.request)
        if news and not feed.outstanding:
            self.fan_out_s.append(now_s - feed.published_at_s)
            self.on_complete(feed)

    def _check_news(self, poll: PollConnection, feed: Feed, answer: PollReply, now_s: float) -> None:
        _, _, first, version, _, _ = answer
        if version is None or not first <= version <= feed.published:
            self.wrong["woken without an update"] += 1
            return
        self.woken += 1
        if first != poll.version + 1:
            self.wrong["woken twice for one version" if first <= poll.version else "a version was skipped"] += 1
        if now_s - feed.published_at_s > LATE_AFTER_S:
            self.late += 1
        if poll.version < version == feed.published:
            feed.outstanding -= 1
        poll.version = version

    def _check_timeout(self, poll: PollConnection, feed: Feed, answer: PollReply, now_s: float) -> None:
        self.timeouts += 1
        hold_s = self.protocol.hold_s
        if now_s - poll.sent_at_s < hold_s - max(EARLY_TOLERANCE_S, hold_s * EARLY_SHARE):
            self.wrong["a hold that ended before its time"] += 1
        if answer.version is not None and answer.version != poll.version:
            self.wrong["no news, but another version"] += 1
        acknowledged_at_s = feed.acknowledged_at_s
        if poll.version < feed.published and 0 < acknowledged_at_s < now_s - EARLY_TOLERANCE_S:
            self.late += 1

    def _handle_close(self, poll: PollConnection) -> None:
        """Reconnect: a server may close after an answer, but not instead of one."""
        self.reconnected += 1
        self._reconnect(poll)
        if poll.waiting:
            self.wrong["a connection closed instead of an answer"] += 1
            self.send_poll(poll)
