"""Updates that wake the polls, and the choice of the feed to update next.

A feed is updated again only when all its polls have the version before, so every answer carries exactly one. `paired`
breaks that on purpose: the second update of a pair arrives while the polls are being sent again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from time import perf_counter
from typing import NamedTuple

from ordertrack.load.connection import RequestSender
from ordertrack.load.http_parser import HttpResponse
from ordertrack.load.polls import Feed, PollPool

STALLED_AFTER_S = 10.0


class Result(NamedTuple):
    """The outcome of a run. `seconds` are from sending the first update to reading the last answer."""

    updates: int
    refused: int
    woken: int
    seconds: float
    fan_out_s: list[float]
    """Per update, the seconds from sending it to reading the last answer of its polls."""


class UpdateDriver:
    """Send `batch` updates per request. `one_at_a_time`: the next request waits until all polls of the one before are
    answered. `paired`: each feed gets two updates, the second as soon as the first is acknowledged."""

    def __init__(
        self,
        pool: PollPool,
        feeds: Iterable[Feed],
        *,
        batch: int = 1,
        connections: int = 1,
        one_at_a_time: bool = False,
        paired: bool = False,
    ) -> None:
        self._pool, self._batch, self._one_at_a_time, self._paired = pool, batch, one_at_a_time, paired
        self._ready = deque(feeds)
        self._left = self._unfinished = self._refused = 0
        self._half_done: set[Feed] = set()
        self._progress_at_s = 0.0
        self._finished = False
        self._senders = [self._new_sender() for _ in range(connections)]

    def run(self, updates: int, *, stalled_after_s: float = STALLED_AFTER_S) -> Result:
        """Send that many updates and wait for all answers; end early after `stalled_after_s` without progress."""
        pool = self._pool
        woken, self._left, self._refused = pool.woken, updates, 0
        pool.fan_out_s.clear()
        pool.on_complete = self._complete
        self._finished = False
        started_s = self._progress_at_s = perf_counter()
        self._send_next()
        while not self._finished:
            pool.run_once(stalled_after_s / 4)
            if perf_counter() - self._progress_at_s > stalled_after_s:
                break
        pool.on_complete = lambda feed: None
        seconds = self._progress_at_s - started_s
        return Result(updates - self._left, self._refused, pool.woken - woken, seconds, list(pool.fan_out_s))

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
        self._left -= len(feeds)
        now_s = perf_counter()
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
            return
        if self._paired and feed not in self._half_done:
            self._half_done.add(feed)
            self._ready.appendleft(feed)
        elif self._pool.repoll:
            self._half_done.discard(feed)
            self._ready.append(feed)
        self._send_next()
