"""Many watchers of one order: one update wakes all, and all are held again."""

from __future__ import annotations

import time
from contextlib import closing

from bench.contenders import Contender, Ordertrack, Running
from bench.measures.load import LONG_HOLD_S, Figures, PollLoad, Size, median, new_feeds
from bench.progress import say
from ordertrack.load import PollPool, UpdateDriver

WATCHERS, QUICK_WATCHERS = 1_000, 300
ORDERS = 5
ASLEEP_SAMPLES = 5
STEPS = 3
"""Updates of an order before it ends."""


def measure(contender: Contender, size: Size) -> Figures:
    """Medians, from sending the update until the server waits for the next request, with all watchers held. CPU time is
    the server's for one update."""
    watchers = QUICK_WATCHERS if size.quick else WATCHERS
    if isinstance(contender, Ordertrack):
        contender = contender.with_flags("--max-connections-per-order", str(watchers))
    with contender.running(hold_s=LONG_HOLD_S, polls=ORDERS * watchers) as running, running.pool() as pool:
        load = PollLoad(running, pool, new_feeds(running, pool, ORDERS))
        load.open(watchers)
        answered_s: list[float] = []
        held_s: list[float] = []
        cpu_s = running.cpu_s()
        for feed in load.feeds:
            say(f"waking {watchers:,} watchers of one order, {STEPS} times")
            with closing(UpdateDriver(pool, [feed])) as driver:
                for _ in range(STEPS):
                    started_s = time.perf_counter()
                    answered_s += driver.run(1).fan_out_s
                    held_s.append(_held_again_at_s(running, pool) - started_s)
        return {
            "watchers": watchers,
            "all_answered_ms": round(median(answered_s) * 1000, 1),
            "all_held_again_ms": round(median(held_s) * 1000, 1),
            "server_cpu_ms": round((running.cpu_s() - cpu_s) / len(held_s) * 1000, 1),
            **load.failures(),
        }


def _held_again_at_s(running: Running, pool: PollPool) -> float:
    """Return the time at which the server went to sleep after it had read all polls. Requests for statistics meanwhile
    would delay it."""
    while True:
        asleep_at_s = time.perf_counter()
        if all(running.is_asleep() for _ in range(ASLEEP_SAMPLES)) and running.held(pool) == len(pool.polls):
            return asleep_at_s
