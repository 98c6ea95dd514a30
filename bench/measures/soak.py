"""Ten minutes of everything at once: random updates, polls that time out and ask again, connections that break.

Every poll must be told every version exactly once, in order, and in time. Delivered orders are followed by new ones.
"""

from __future__ import annotations

import random
import time
from collections import deque

from bench.contenders import POLLS_PER_ORDER, Contender, Ordertrack
from bench.measures.common import Figures, Size
from ordertrack.load import Caller, Feed, Reply, Swarm, open_polls

UPDATES_PER_S = 80
ABORTS_PER_S = 40
HURRIED = 0.2
"""So many of the updates follow another one of the same order at once, while polls are still asking again."""
STEPS = 4
CALLERS = 4
ENDS_WITHIN_S = 10.0
SEED = 367


def measure(contender: Contender, size: Size) -> Figures:
    polls = size.polls_of(contender)
    if isinstance(contender, Ordertrack):  # a broken connection counts until the server has seen that it broke
        contender = contender.also("--max-connections-per-order", str(2 * POLLS_PER_ORDER))
    with contender.running(hold_s=size.hold_s, polls=polls) as running, Swarm(running.target, running.dialect) as swarm:
        feeds = running.feeds(swarm, polls // POLLS_PER_ORDER)
        spare = running.feeds(swarm, round(size.soak_s * UPDATES_PER_S / STEPS))
        open_polls(swarm, feeds, POLLS_PER_ORDER, lambda: running.held(swarm))
        trouble = _Trouble(swarm, feeds, spare)
        cpu_s = running.cpu_s()
        trouble.make(size.soak_s)
        return {
            "seconds": size.soak_s,
            "polls": polls,
            "updates": trouble.updates,
            "woken": swarm.woken,
            "timed_out": swarm.timeouts,
            "aborted": trouble.aborts,
            "missing": swarm.missing,
            "late": swarm.late,
            "wrong": dict(swarm.wrong),
            "lost_by_the_server": running.lost_wakeups(swarm),
            "server_busy_percent": round((running.cpu_s() - cpu_s) / size.soak_s * 100, 1),
        }


class _Trouble:
    def __init__(self, swarm: Swarm, feeds: list[Feed], spare: list[Feed]) -> None:
        self.updates = self.aborts = 0
        self._swarm, self._feeds, self._spare = swarm, feeds, deque(spare)
        self._random = random.Random(SEED)
        self._hurry: deque[Feed] = deque()
        self._due = 0
        self._callers = [self._caller() for _ in range(CALLERS)]

    def make(self, seconds: float) -> None:
        swarm, started_s = self._swarm, time.perf_counter()
        swarm.on_complete = self._complete
        while (now_s := time.perf_counter() - started_s) < seconds:
            self._due = round(now_s * UPDATES_PER_S) - self.updates
            for caller in self._callers:
                caller.go()
            while self.aborts < now_s * ABORTS_PER_S:
                self._abort()
            swarm.turn(1 / (UPDATES_PER_S + ABORTS_PER_S))
        self._due = 0
        end_s = time.perf_counter() + ENDS_WITHIN_S
        while time.perf_counter() < end_s and (swarm.missing or any(caller.busy for caller in self._callers)):
            swarm.turn(0.1)

    def _abort(self) -> None:
        self.aborts += 1
        poll = self._random.choice(self._swarm.polls)
        if poll.waiting:
            self._swarm.abort(poll)

    def _caller(self) -> Caller:
        sent: list[Feed] = []

        def next_request() -> bytes | None:
            feed = self._next()
            if feed is None:
                return None
            sent[:] = [feed]
            self.updates += 1
            self._due -= 1
            self._swarm.publishing(feed, time.perf_counter())
            return self._swarm.dialect.update(feed.id, feed.published)

        def answered(reply: Reply) -> None:
            sent[0].acknowledged_at_s = time.perf_counter()
            if not self._swarm.dialect.accepted(reply, 1):
                self._swarm.wrong[f"an update answered {reply.status}: {reply.body[:100]!r}"] += 1
            elif self._random.random() < HURRIED:
                self._hurry.append(sent[0])

        return Caller(self._swarm, next_request, answered)

    def _next(self) -> Feed | None:
        """One whose last update is acknowledged: two at once could overtake each other."""
        if self._due <= 0:
            return None
        feed = self._hurry.popleft() if self._hurry else self._random.choice(self._feeds)
        open_ = feed.published != self._swarm.dialect.last_version
        return feed if open_ and (feed.acknowledged_at_s or not feed.published_at_s) else None

    def _complete(self, feed: Feed) -> None:
        if feed.published == self._swarm.dialect.last_version and self._spare:
            self._swarm.renew(feed, self._spare.popleft())
