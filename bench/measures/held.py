"""The cost of a held poll: private memory, CPU to hold it, CPU while it is idle."""

from __future__ import annotations

import time

from bench.contenders import POLLS_PER_ORDER, Contender
from bench.measures.load import LONG_HOLD_S, Figures, Size
from ordertrack.load import PollPool, open_polls


def measure(contender: Contender, size: Size) -> Figures:
    """Memory is the growth of the server's private memory per poll, from warm and idle to all polls held. It excludes
    the kernel memory of sockets, for all contenders."""
    polls = size.polls_of(contender)
    with contender.running(hold_s=LONG_HOLD_S, polls=polls) as running, running.pool() as pool:
        feeds = running.feeds(pool, polls // POLLS_PER_ORDER)
        idle, cpu_s = running.memory(), running.cpu_s()
        started_s = time.perf_counter()
        open_polls(pool, feeds, POLLS_PER_ORDER, lambda: running.held(pool))
        parked_s, parked_cpu_s = time.perf_counter() - started_s, running.cpu_s() - cpu_s
        full = running.memory()
        cpu_s = running.cpu_s()
        _stay_idle(pool, size.idle_s)
        return {
            "polls": polls,
            "orders": len(feeds),
            "bytes_per_held_poll": round((full.private - idle.private) / polls),
            "of_it_in_shared_zones": round((full.zones - idle.zones) / polls),
            "idle_mb": round(idle.private / 1e6, 1),
            "cpu_us_to_park": round(parked_cpu_s / polls * 1e6, 1),
            "parked_per_s": round(polls / parked_s),
            "idle_cpu_percent": round((running.cpu_s() - cpu_s) / size.idle_s * 100, 2),
            "wrong": dict(pool.wrong),
        }


def _stay_idle(pool: PollPool, seconds: float) -> None:
    """Wait without updates. An answer in this time counts as wrong."""
    end_s = time.perf_counter() + seconds
    while (left_s := end_s - time.perf_counter()) > 0:
        pool.run_once(left_s)
