"""Updates that wake the polls, and the choice of the feed to update next.

A feed is updated again only when all its polls have the version before, so every answer carries exactly one. `paired`
breaks that on purpose: the second update of a pair arrives while the polls are being sent again.

By default the loop is closed: a connection sends its next update when the one before is answered. With a schedule it is
open: an update is due at its time, and its latency is counted from then, also when no connection is free to send it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from math import inf
from time import perf_counter
from typing import NamedTuple

from ordertrack.load.connection import RequestSender
from ordertrack.load.http_parser import HttpResponse
from ordertrack.load.polls import Feed, PollPool
from ordertrack.load.schedule import Schedule

STALLED_AFTER_S = 10.0
TURN_S = 0.001
"""The shortest wait of epoll: scheduled updates may be sent this late."""
MAX_BEHIND_S = 1.0
"""A run ends when an update is sent this long after its scheduled time: the server cannot keep up."""


class Result(NamedTuple):
    """The outcome of a run. `seconds` are from sending the first update to reading the last answer; `updates` are those
    sent, fewer than wanted when the run ended early."""

    updates: int
    refused: int
    woken: int
    seconds: float
    fan_out_s: list[float]
    """Per update, the seconds from sending it, or from its scheduled time, to reading the last answer of its polls."""


class UpdateDriver:
    """Send `batch` updates per request. `one_at_a_time`: the next request waits until all polls of the one before are
    answered. `paired`: each feed gets two updates, the second as soon as the first is acknowledged. The polls of a feed
    that has ended continue with the next of `replacements`, if there is one."""

    def __init__(
        self,
        pool: PollPool,
        feeds: Iterable[Feed],
        *,
        batch: int = 1,
        connections: int = 1,
        one_at_a_time: bool = False,
        paired: bool = False,
        replacements: Iterable[Feed] = (),
    ) -> None:
        self._pool, self._batch, self._one_at_a_time, self._paired = pool, batch, one_at_a_time, paired
        self._ready, self._replacements = deque(feeds), iter(replacements)
        self._schedule: Schedule | None = None
        self._started_s = 0.0
        self._sent = 0
        self._left = self._unfinished = self._refused = 0
        self._half_done: set[Feed] = set()
        self._progress_at_s = 0.0
        self._finished = False
        self._senders = [self._new_sender() for _ in range(connections)]

    def run(self, updates: int, *, stalled_after_s: float = STALLED_AFTER_S) -> Result:
        """Send that many updates and wait for all answers; end early after `stalled_after_s` without progress."""
        pool = self._pool
        woken, self._left, self._sent, self._refused = pool.woken, updates, 0, 0
        pool.fan_out_s.clear()
        pool.on_complete = self._complete
        self._finished = False
        self._started_s = self._progress_at_s = perf_counter()
        self._send_next()
        while not self._finished:
            pool.run_once(min(stalled_after_s / 4, max(TURN_S, self._due_in_s())))
            if self._schedule:
                self._keep_up()
            if perf_counter() - self._progress_at_s > stalled_after_s:
                break
        pool.on_complete = lambda feed: None
        seconds = self._progress_at_s - self._started_s
        return Result(self._sent, self._refused, pool.woken - woken, seconds, list(pool.fan_out_s))

    def run_schedule(self, schedule: Schedule) -> Result:
        """Send the updates at their times; send no more once one is MAX_BEHIND_S late."""
        self._schedule = schedule
        try:
            return self.run(schedule.updates)
        finally:
            self._schedule = None

    def _due_in_s(self) -> float:
        """Return the seconds until the next update is due, negative when it is late."""
        if self._schedule is None or not self._left:
            return inf
        return self._started_s + self._schedule.due_at_s(self._sent) - perf_counter()

    def _keep_up(self) -> None:
        if self._due_in_s() < -MAX_BEHIND_S:
            self._left = 0
            self._note_progress()
        self._send_next()

    def _note_progress(self) -> None:
        self._progress_at_s = perf_counter()
        self._finished = not (self._left or self._unfinished or any(sender.busy for sender in self._senders))

    def close(self) -> None:
        for sender in self._senders:
            sender.close()

    def _send_next(self) -> None:
        for sender in self._senders:
            sender.send_next()

    def _new_sender(self) -> RequestSender:
        sent: list[Feed] = []

        def next_request() -> bytes | None:
            count = min(self._batch, self._left)
            if self._schedule and self._due_in_s() > 0:
                return None
            if not count or len(self._ready) < count or (self._one_at_a_time and self._unfinished):
                return None
            sent[:] = [self._ready.popleft() for _ in range(count)]
            return self._request(sent)

        def answered(response: HttpResponse) -> None:
            now_s, done = perf_counter(), tuple(sent)  # a copy: completing a feed may send the next request
            if not self._pool.protocol.accepted(response, len(done)):
                self._refused += 1
                self._pool.wrong[f"an update answered {response.status}: {response.body[:100]!r}"] += 1
            for feed in done:
                feed.acknowledged_at_s = now_s
                if not feed.polls:
                    self._complete(feed)
                elif self._paired:
                    self._requeue(feed)
            self._note_progress()

        return RequestSender(self._pool, next_request, answered)

    def _request(self, feeds: list[Feed]) -> bytes:
        protocol = self._pool.protocol
        now_s = perf_counter() if self._schedule is None else self._started_s + self._schedule.due_at_s(self._sent)
        self._left -= len(feeds)
        self._sent += len(feeds)
        for feed in feeds:
            self._unfinished += not feed.outstanding
            self._pool.record_update(feed, now_s)
        if self._batch == 1:
            return protocol.update(feeds[0].id, feeds[0].published)
        return protocol.updates([(feed.id, feed.published) for feed in feeds])

    def _complete(self, feed: Feed) -> None:
        self._unfinished -= 1
        if not self._paired:
            self._requeue(feed)
        self._note_progress()

    def _requeue(self, feed: Feed) -> None:
        if feed.published == self._pool.protocol.last_version:
            fresh = next(self._replacements, None)
            if fresh is None:
                return
            self._pool.switch_feed(feed, fresh)
        if self._paired and feed not in self._half_done:
            self._half_done.add(feed)
            self._ready.appendleft(feed)
        elif self._pool.repoll:
            self._half_done.discard(feed)
            self._ready.append(feed)
        self._send_next()
