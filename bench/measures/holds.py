"""The cost of polls without news: holds that time out, and polls with timeout=0."""

from __future__ import annotations

import time

from bench.contenders import Contender
from bench.measures.load import EnginesCpu, Figures, PollLoad, Size, new_feeds
from bench.progress import say
from ordertrack.load import PollPool

AT_ONCE_CONNECTIONS = 64
AT_ONCE_S = 5.0
ROUNDS = 2


def timed_out(contender: Contender, size: Size) -> Figures:
    """CPU time of the server per hold that times out, is answered, and is requested and held again; one per order."""
    polls = size.polls_of(contender)
    with contender.running(hold_s=size.hold_s, polls=polls) as running, running.pool() as pool:
        load = PollLoad(running, pool, new_feeds(running, pool, polls))
        load.open(1)
        say(f"waiting for {ROUNDS} timeouts of {size.hold_s:g} s")
        before, cpu_s, engines = pool.timeouts, running.cpu_s(), EnginesCpu(running)
        give_up_s = time.perf_counter() + (ROUNDS + 2) * size.hold_s
        while pool.timeouts - before < ROUNDS * polls and time.perf_counter() < give_up_s:
            pool.run_once(1.0)
        holds = pool.timeouts - before
        return {
            "polls": polls,
            "hold_s": size.hold_s,
            "holds": holds,
            "cpu_us_per_hold": round((running.cpu_s() - cpu_s) / max(1, holds) * 1e6, 1),
            **engines.us_per(max(1, holds), "per_hold"),
            "reconnected": pool.reconnected,
            "wrong": dict(pool.wrong),
        }


def at_once(contender: Contender, size: Size) -> Figures:
    """Polls with timeout=0 over 64 keep-alive connections, each sent again as soon as it is answered."""
    with contender.running(hold_s=0, polls=100) as running, running.pool() as pool:
        for feed in running.feeds(pool, AT_ONCE_CONNECTIONS):
            pool.send_poll(pool.add(feed))
        _turn_for(pool, 0.5)
        before, cpu_s, own_s, started_s = pool.timeouts, running.cpu_s(), time.process_time(), time.perf_counter()
        _turn_for(pool, AT_ONCE_S)
        answers, seconds = pool.timeouts - before, time.perf_counter() - started_s
        return {
            "connections": AT_ONCE_CONNECTIONS,
            "answers_per_s": round(answers / seconds),
            "server_cpu_us": round((running.cpu_s() - cpu_s) / answers * 1e6, 1),
            "generator_cpu_us": round((time.process_time() - own_s) / answers * 1e6, 1),
            "wrong": dict(pool.wrong),
        }


def _turn_for(pool: PollPool, seconds: float) -> None:
    end_s = time.perf_counter() + seconds
    while time.perf_counter() < end_s:
        pool.run_once(0.1)
