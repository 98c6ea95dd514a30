"""Makes updates that wake the swarm, and knows which feed may be updated next.

A feed is updated again only when all its polls have the version before, so every answer brings exactly one. `twice`
breaks that on purpose: the second update of a pair meets polls that are just asking again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from time import perf_counter
from typing import NamedTuple

from ordertrack.load.connection import Caller
from ordertrack.load.http_parser import Reply
from ordertrack.load.polls import Feed, Swarm

STALLED_AFTER_S = 10.0


class Cooked(NamedTuple):
    """`seconds` are from sending the first update to reading the last answer."""

    updates: int
    refused: int
    woken: int
    seconds: float
    whole_s: list[float]
    """Per update: from sending it to reading the last of its polls' answers."""


class Kitchen:
    """`batch` updates a request, over `callers` connections. `patient`: the next request waits until all polls of the
    one before are answered. `twice`: a feed's turn is two updates, the second sent as soon as the first is
    acknowledged. `spare`: feeds for the polls of those that end."""

    def __init__(
        self,
        swarm: Swarm,
        feeds: Iterable[Feed],
        *,
        batch: int = 1,
        callers: int = 1,
        patient: bool = False,
        twice: bool = False,
        spare: Iterable[Feed] = (),
    ) -> None:
        self._swarm, self._batch, self._patient, self._twice = swarm, batch, patient, twice
        self._ready = deque(feeds)
        self._spare = deque(spare)
        self._left = self._unfinished = self._refused = 0
        self._half_way: set[Feed] = set()
        self._moved_s = 0.0
        self._finished = False
        self._callers = [self._caller() for _ in range(callers)]

    def cook(self, updates: int, *, patience_s: float = STALLED_AFTER_S) -> Cooked:
        """Make that many updates and wait for all answers; ends early when nothing has moved for `patience_s`."""
        swarm = self._swarm
        woken, self._left, self._refused = swarm.woken, updates, 0
        swarm.whole_s.clear()
        swarm.on_complete = self._complete
        self._finished = False
        started_s = self._moved_s = perf_counter()
        self._go()
        while not self._finished:
            swarm.turn(patience_s / 4)
            if perf_counter() - self._moved_s > patience_s:
                break
        swarm.on_complete = lambda feed: None
        seconds = self._moved_s - started_s
        return Cooked(updates - self._left, self._refused, swarm.woken - woken, seconds, list(swarm.whole_s))

    def _moved(self) -> None:
        self._moved_s = perf_counter()
        self._finished = not (self._left or self._unfinished or any(caller.busy for caller in self._callers))

    def close(self) -> None:
        for caller in self._callers:
            caller.close()

    def _go(self) -> None:
        for caller in self._callers:
            caller.go()

    def _caller(self) -> Caller:
        sent: list[Feed] = []

        def next_request() -> bytes | None:
            count = min(self._batch, self._left)
            if not count or len(self._ready) < count or (self._patient and self._unfinished):
                return None
            sent[:] = [self._ready.popleft() for _ in range(count)]
            return self._request(sent)

        def answered(reply: Reply) -> None:
            now_s, done = perf_counter(), tuple(sent)  # a copy: whoever is complete makes room for the next request
            if not self._swarm.dialect.accepted(reply, len(done)):
                self._refused += 1
                self._swarm.wrong[f"an update answered {reply.status}: {reply.body[:100]!r}"] += 1
            for feed in done:
                feed.acknowledged_at_s = now_s
                if not feed.polls:
                    self._complete(feed)
                elif self._twice:
                    self._follow(feed)
            self._moved()

        return Caller(self._swarm, next_request, answered)

    def _request(self, feeds: list[Feed]) -> bytes:
        dialect = self._swarm.dialect
        self._left -= len(feeds)
        now_s = perf_counter()
        for feed in feeds:
            self._unfinished += not feed.behind
            self._swarm.publishing(feed, now_s)
        if self._batch == 1:
            return dialect.update(feeds[0].id, feeds[0].published)
        return dialect.updates([(feed.id, feed.published) for feed in feeds])

    def _complete(self, feed: Feed) -> None:
        self._unfinished -= 1
        if not self._twice:
            self._follow(feed)
        self._moved()

    def _follow(self, feed: Feed) -> None:
        if feed.published == self._swarm.dialect.last_version:
            if not self._spare:
                return
            self._swarm.renew(feed, self._spare.popleft())
        if self._twice and feed not in self._half_way:
            self._half_way.add(feed)
            self._ready.appendleft(feed)
        elif self._swarm.again:
            self._half_way.discard(feed)
            self._ready.append(feed)
        self._go()
