"""Ten minutes of mixed load: random updates, polls that time out and are sent again, connections that break.

Every poll must receive every version exactly once, in order, and in time. New orders replace delivered ones.
"""

from __future__ import annotations

import random
import time
from collections import deque

from bench.contenders import POLLS_PER_ORDER, Contender, Ordertrack
from bench.measures.load import Figures, Size
from ordertrack.load import Feed, HttpResponse, PollPool, RequestSender, open_polls

UPDATES_PER_S = 80
ABORTS_PER_S = 40
PAIRED_SHARE = 0.2
"""Share of updates followed at once by another one of the same order, while its polls are sent again."""
STEPS = 4
CONNECTIONS = 4
ENDS_WITHIN_S = 10.0
SEED = 367


def measure(contender: Contender, size: Size) -> Figures:
    polls = size.polls_of(contender)
    if isinstance(contender, Ordertrack):  # a broken connection counts until the server detects it
        contender = contender.with_flags("--max-connections-per-order", str(2 * POLLS_PER_ORDER))
    with contender.running(hold_s=size.hold_s, polls=polls) as running, running.pool() as pool:
        feeds = running.feeds(pool, polls // POLLS_PER_ORDER)
        replacements = running.feeds(pool, round(size.soak_s * UPDATES_PER_S / STEPS))
        open_polls(pool, feeds, POLLS_PER_ORDER, lambda: running.held(pool))
        load = _RandomLoad(pool, feeds, replacements)
        cpu_s = running.cpu_s()
        load.run(size.soak_s)
        return {
            "seconds": size.soak_s,
            "polls": polls,
            "updates": load.updates,
            "woken": pool.woken,
            "timed_out": pool.timeouts,
            "aborted": load.aborts,
            "missing": pool.missing,
            "late": pool.late,
            "wrong": dict(pool.wrong),
            "lost_by_the_server": running.lost_wakeups(pool),
            "server_busy_percent": round((running.cpu_s() - cpu_s) / size.soak_s * 100, 1),
        }


class _RandomLoad:
    def __init__(self, pool: PollPool, feeds: list[Feed], replacements: list[Feed]) -> None:
        self.updates = self.aborts = 0
        self._pool, self._feeds, self._replacements = pool, feeds, deque(replacements)
        self._random = random.Random(SEED)
        self._pairs: deque[Feed] = deque()
        self._due = 0
        self._senders = [self._new_sender() for _ in range(CONNECTIONS)]

    def run(self, seconds: float) -> None:
        pool, started_s = self._pool, time.perf_counter()
        pool.on_complete = self._complete
        while (now_s := time.perf_counter() - started_s) < seconds:
            self._due = round(now_s * UPDATES_PER_S) - self.updates
            for sender in self._senders:
                sender.send_next()
            while self.aborts < now_s * ABORTS_PER_S:
                self._abort()
            pool.run_once(1 / (UPDATES_PER_S + ABORTS_PER_S))
        self._due = 0
        end_s = time.perf_counter() + ENDS_WITHIN_S
        while time.perf_counter() < end_s and (pool.missing or any(sender.busy for sender in self._senders)):
            pool.run_once(0.1)

    def _abort(self) -> None:
        self.aborts += 1
        poll = self._random.choice(self._pool.polls)
        if poll.waiting:
            self._pool.abort(poll)

    def _new_sender(self) -> RequestSender:
        sent: list[Feed] = []

        def next_request() -> bytes | None:
            feed = self._next()
            if feed is None:
                return None
            sent[:] = [feed]
            self.updates += 1
            self._due -= 1
            self._pool.record_update(feed, time.perf_counter())
            return self._pool.protocol.update(feed.id, feed.published)

        def answered(response: HttpResponse) -> None:
            sent[0].acknowledged_at_s = time.perf_counter()
            if not self._pool.protocol.accepted(response, 1):
                self._pool.wrong[f"an update answered {response.status}: {response.body[:100]!r}"] += 1
            elif self._random.random() < PAIRED_SHARE:
                self._pairs.append(sent[0])

        return RequestSender(self._pool, next_request, answered)

    def _next(self) -> Feed | None:
        """Return a feed whose last update is acknowledged, because two at once could change their order."""
        if self._due <= 0:
            return None
        feed = self._pairs.popleft() if self._pairs else self._random.choice(self._feeds)
        has_ended = feed.published == self._pool.protocol.last_version
        return feed if not has_ended and (feed.acknowledged_at_s or not feed.published_at_s) else None

    def _complete(self, feed: Feed) -> None:
        if feed.published == self._pool.protocol.last_version and self._replacements:
            self._pool.switch_feed(feed, self._replacements.popleft())
