"""Polls by the thousand in one thread: raw descriptors, one epoll, and a judgement of every single answer.

    Feed    what polls wait for: an order, with the version the load has made of it
    Poll    one connection and the version it has
    Swarm   all of them; `turn` reads what is there

The ten polls of an order are woken with the same bytes, so an answer is understood once and compared after that.
"""

from __future__ import annotations

import os
import select
from collections import Counter
from collections.abc import Callable
from time import perf_counter

from ordertrack.load.http_parser import Malformed, split
from ordertrack.load.protocol import Answer, Dialect, WrongAnswer
from ordertrack.load.target import Target, connect, room_for, sources

CHUNK = 16_384
EVENTS_A_TURN = 1_024
LATE_AFTER_S = 2.0
"""News that comes later than this after the update was sent counts as a lost wake-up."""
EARLY_BY_S = 1.0
"""A hold may end this much before its time: servers group deadlines, and look at the clock once a turn."""


class Feed:
    """`published` is the newest version sent to the server, `behind` how many of `polls` have not been told of it."""

    __slots__ = ("acknowledged_at_s", "behind", "id", "polls", "position", "published", "published_at_s")

    def __init__(self, id: int, version: int, position: bytes) -> None:
        self.id, self.published, self.position = id, version, position
        self.behind = 0
        self.published_at_s = self.acknowledged_at_s = 0.0
        self.polls: list[Poll] = []


class Poll:
    __slots__ = ("asked_at_s", "fd", "feed", "request", "version", "waiting")

    def __init__(self, fd: int, feed: Feed, request: bytes) -> None:
        self.fd, self.feed, self.request = fd, feed, request
        self.version = feed.published
        self.asked_at_s = 0.0
        self.waiting = False


class Swarm:
    """`again`: a poll that was answered asks again at once. `on_complete` hears of a feed whose polls all have the
    newest version; `whole_s` collects how long that took, from sending the update to reading the last answer."""

    def __init__(self, target: Target, dialect: Dialect) -> None:
        self.target, self.dialect = target, dialect
        self.again = True
        self.on_complete: Callable[[Feed], None] = lambda feed: None
        self.polls: list[Poll] = []
        self.woken = self.timeouts = self.reconnected = self.late = 0
        self.wrong: Counter[str] = Counter()
        self.whole_s: list[float] = []
        self._epoll = select.epoll()
        self._by_fd: dict[int, Poll] = {}
        self._callers: dict[int, Callable[[], None]] = {}
        self._partial: dict[int, bytes] = {}
        self._sources = sources(target)
        self._seen = b""
        self._seen_answer = Answer(None, False, 0, None, b"")
        self._seen_request = b""
        self._seen_closing = False

    def close(self) -> None:
        for fd in (*self._by_fd, *self._callers):
            os.close(fd)
        self._by_fd.clear()
        self._callers.clear()
        self._epoll.close()

    def __enter__(self) -> Swarm:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def missing(self) -> int:
        """Polls that have not been told of what was published."""
        return sum(poll.version < poll.feed.published for poll in self.polls)

    def connect(self) -> int:
        room_for(len(self._by_fd) + len(self._callers) + 1)
        fd = connect(self.target, next(self._sources))
        self._epoll.register(fd, select.EPOLLIN)
        return fd

    def listen(self, readable: Callable[[], None]) -> int:
        """A connection of the caller's own; `readable` is called when there is something to read."""
        fd = self.connect()
        self._callers[fd] = readable
        return fd

    def hang_up(self, fd: int) -> None:
        del self._callers[fd]
        os.close(fd)

    def add(self, feed: Feed) -> Poll:
        """One more poll of the feed; it does not ask yet."""
        poll = Poll(self.connect(), feed, self.dialect.poll(feed.id, feed.position))
        feed.polls.append(poll)
        self.polls.append(poll)
        self._by_fd[poll.fd] = poll
        return poll

    def ask(self, poll: Poll) -> None:
        poll.asked_at_s = perf_counter()
        poll.waiting = True
        os.write(poll.fd, poll.request)

    def abort(self, poll: Poll) -> None:
        """Hang up in the middle, call again and ask the same."""
        self._reconnect(poll)
        self.ask(poll)

    def _reconnect(self, poll: Poll) -> None:
        self._by_fd.pop(poll.fd, None)
        self._partial.pop(poll.fd, None)
        os.close(poll.fd)
        poll.fd = self.connect()
        self._by_fd[poll.fd] = poll

    def publishing(self, feed: Feed, now_s: float) -> None:
        """To be called right before the update is sent."""
        feed.published += 1
        feed.published_at_s = now_s
        feed.acknowledged_at_s = 0.0
        feed.behind = len(feed.polls)

    def renew(self, feed: Feed, fresh: Feed) -> None:
        """The polls of a feed that has ended go on with another."""
        feed.id, feed.published, feed.position = fresh.id, fresh.published, fresh.position
        request = self.dialect.poll(feed.id, feed.position)
        for poll in feed.polls:
            poll.version, poll.request = feed.published, request
            if self.again:
                self.ask(poll)

    def turn(self, timeout_s: float) -> int:
        """Read what has come, or comes within the timeout; returns how many connections had something."""
        by_fd, partial, read, judge = self._by_fd, self._partial, os.read, self._judge
        events = self._epoll.poll(timeout_s, EVENTS_A_TURN)
        for fd, _ in events:
            poll = by_fd.get(fd)
            if poll is None:
                if fd in self._callers:
                    self._callers[fd]()
                continue
            try:
                data = read(fd, CHUNK)
            except BlockingIOError:
                continue
            except OSError:
                data = b""
            if not data:
                self._hung_up(poll)
                continue
            if partial and fd in partial:
                data = partial.pop(fd) + data
            if data == self._seen or self._understood(poll, data):
                judge(poll)
        return len(events)

    def _understood(self, poll: Poll, data: bytes) -> bool:
        try:
            reply = split(data)
            if reply is None:
                self._partial[poll.fd] = data
                return False
            if reply.rest:
                self.wrong["more than one answer to one request"] += 1
            answer = self.dialect.answer(reply)
        except (Malformed, WrongAnswer) as error:
            self.wrong[str(error)] += 1
            poll.waiting = False
            return False
        self._seen, self._seen_answer, self._seen_closing = data, answer, reply.closing
        self._seen_request = self.dialect.poll(poll.feed.id, answer.position) if answer.position else b""
        return True

    def _judge(self, poll: Poll) -> None:
        """Of the answer seen last."""
        now_s = perf_counter()
        feed, answer = poll.feed, self._seen_answer
        feed_id, news, _, _, _, ended = answer
        if not poll.waiting:
            self.wrong["an answer that nobody asked for"] += 1
            return
        poll.waiting = False
        if feed_id != feed.id and feed_id is not None:
            self.wrong["the answer of another order"] += 1
        elif news:
            self._news(poll, feed, answer, now_s)
            poll.request = self._seen_request
        else:
            self._no_news(poll, feed, answer, now_s)
        if self._seen_closing:
            self.reconnected += 1
            self._reconnect(poll)
        if self.again and not ended:
            poll.asked_at_s = now_s
            poll.waiting = True
            os.write(poll.fd, poll.request)
        if news and not feed.behind:
            self.whole_s.append(now_s - feed.published_at_s)
            self.on_complete(feed)

    def _news(self, poll: Poll, feed: Feed, answer: Answer, now_s: float) -> None:
        _, _, first, version, _, _ = answer
        if version is None or not first <= version <= feed.published:
            self.wrong["woken for nothing"] += 1
            return
        self.woken += 1
        if first != poll.version + 1:
            self.wrong["woken twice for one version" if first <= poll.version else "a version was skipped"] += 1
        if now_s - feed.published_at_s > LATE_AFTER_S:
            self.late += 1
        if poll.version < version == feed.published:
            feed.behind -= 1
        poll.version = version

    def _no_news(self, poll: Poll, feed: Feed, answer: Answer, now_s: float) -> None:
        self.timeouts += 1
        if now_s - poll.asked_at_s < self.dialect.hold_s - EARLY_BY_S:
            self.wrong["a hold that ended before its time"] += 1
        if answer.version is not None and answer.version != poll.version:
            self.wrong["no news, but another version"] += 1
        acknowledged_at_s = feed.acknowledged_at_s
        if poll.version < feed.published and 0 < acknowledged_at_s < now_s - EARLY_BY_S:
            self.late += 1

    def _hung_up(self, poll: Poll) -> None:
        """The server closed: right after an answer it may, instead of one it may not."""
        self.reconnected += 1
        self._reconnect(poll)
        if poll.waiting:
            self.wrong["a connection closed instead of an answer"] += 1
            self.ask(poll)
