"""A node is killed while it holds all polls: the clients poll the other nodes, while updates go on."""

from __future__ import annotations

import math
import random
import time
from contextlib import closing

from bench.cluster import ClusterContender
from bench.measures.cluster import POLLS
from bench.measures.load import LONG_HOLD_S, EnginesCpu, Figures, PollLoad, Size, new_feeds
from bench.measures.nodes_pool import SEED, FailoverPool, asked_directly
from bench.progress import say
from ordertrack.load import CannotLoad, Feed, HttpResponse, PollPool, RequestSender, UpdateDriver

NODES = 3
UPDATES_PER_S = 100
CONNECTIONS = 4
BEFORE_S = 2.0
HELD_WITHIN_S = 60.0
LOOK_EVERY_S = 0.05
BULK = 100
LAST_STEP = 4
"""The version after which an order can have one more update."""


def measure(contender: ClusterContender, size: Size) -> Figures:
    """One poll per order, all on the first node; the updates are sent to the second. `all_held_s` is from SIGKILL until
    the other nodes say that they hold all polls. Updates are sent until all clients have polled again; then each order
    gets one more, which must wake its poll. `late` counts its answers, `late_meanwhile` those before: an answer that
    came 2 s after its update, which includes the time that its client had backed off."""
    polls = min(size.polls, POLLS)
    with (
        contender.nodes(NODES, hold_s=LONG_HOLD_S, polls=polls) as (killed, *others),
        FailoverPool(killed, others) as pool,
    ):
        load = PollLoad(asked_directly(killed), pool, new_feeds(killed, pool, polls))
        load.open(1)
        updates = _Updates(pool, load.feeds)
        updates.send_for(BEFORE_S)
        killed.processes[0].kill()
        say(f"killed the node that held {polls:,} polls")
        started_s = time.perf_counter()
        cpu_s, engines = [node.cpu_s() for node in others], EnginesCpu(killed)
        updates.send_for(LOOK_EVERY_S)
        while pool.backing_off:
            updates.send_for(LOOK_EVERY_S)
            _give_up_after(HELD_WITHIN_S, started_s, pool)
        polled_s = time.perf_counter() - started_s
        updates.finish()
        while (held := sum(node.held(pool) for node in map(asked_directly, others))) < polls:
            pool.run_once(LOOK_EVERY_S)
            _give_up_after(HELD_WITHIN_S, started_s, pool, held)
        held_s = time.perf_counter() - started_s
        cpu_s = [node.cpu_s() - before_s for node, before_s in zip(others, cpu_s, strict=True)]
        engines_us = engines.us_per(polls, "to_hold")
        late_meanwhile, pool.late = pool.late, 0
        say("updating each order once more")
        pool.repoll = False
        with closing(UpdateDriver(pool, load.feeds, batch=BULK)) as driver:
            driver.run(len(load.feeds))
        return {
            "polls": polls,
            "all_polled_again_s": round(polled_s, 2),
            "all_held_s": round(held_s, 2),
            "updates_meanwhile": updates.sent,
            "late_meanwhile": late_meanwhile,
            "cpu_us_to_hold": round(sum(cpu_s) / polls * 1e6, 1),
            **engines_us,
            "refused": dict(pool.refused),
            "missing": pool.missing,
            "late": pool.late,
            "wrong": dict(pool.wrong),
            "lost_by_the_server": sum(node.lost_wakeups(pool) for node in map(asked_directly, others)),
        }


def _give_up_after(seconds: float, started_s: float, pool: FailoverPool, held: int | None = None) -> None:
    if time.perf_counter() - started_s > seconds:
        raise CannotLoad(f"{pool.backing_off:,} clients still back off, {held} polls are held: {dict(pool.wrong)}.")


class _Updates:
    """Updates at a fixed rate, each of a random order whose poll has the version before."""

    def __init__(self, pool: PollPool, feeds: list[Feed]) -> None:
        self.sent = 0
        self._pool, self._feeds = pool, feeds
        self._random = random.Random(SEED)
        self._next_at_s = time.perf_counter()
        self._senders = [self._new_sender() for _ in range(CONNECTIONS)]

    def send_for(self, seconds: float) -> None:
        end_s = time.perf_counter() + seconds
        while time.perf_counter() < end_s:
            for sender in self._senders:
                sender.send_next()
            self._pool.run_once(0.5 / UPDATES_PER_S)

    def finish(self) -> None:
        """Wait for the answers, and send no more."""
        self._next_at_s = math.inf
        while any(sender.busy for sender in self._senders):
            self._pool.run_once(LOOK_EVERY_S)
        for sender in self._senders:
            sender.close()

    def _new_sender(self) -> RequestSender:
        sent: list[Feed] = []

        def next_request() -> bytes | None:
            now_s, feed = time.perf_counter(), self._random.choice(self._feeds)
            if now_s < self._next_at_s or feed.outstanding or feed.published >= LAST_STEP:
                return None
            self._next_at_s = max(self._next_at_s + 1 / UPDATES_PER_S, now_s - 1)
            sent[:] = [feed]
            self.sent += 1
            self._pool.record_update(feed, now_s)
            return self._pool.protocol.update(feed.id, feed.published)

        def answered(response: HttpResponse) -> None:
            sent[0].acknowledged_at_s = time.perf_counter()
            if not self._pool.protocol.accepted(response, 1):
                self._pool.wrong[f"an update answered {response.status}: {response.body[:100]!r}"] += 1

        return RequestSender(self._pool, next_request, answered)
