"""The cost of a held poll: private memory, CPU to hold it first and again, CPU while it is idle."""

from __future__ import annotations

from bench.contenders import POLLS_PER_ORDER, Contender, Ordertrack
from bench.measures.load import LONG_HOLD_S, EnginesCpu, Figures, PollLoad, Size, new_feeds
from bench.progress import say
from ordertrack.load import create_orders, poll_once

CONNECTIONS = 8
FIRST_POLLS = 2_000


def measure(contender: Contender, size: Size) -> Figures:
    """Ten polls per order."""
    return _cost(contender, size, POLLS_PER_ORDER)


def one_per_order(contender: Contender, size: Size) -> Figures:
    """One phone per order."""
    return _cost(contender, size, 1)


def _cost(contender: Contender, size: Size, per_feed: int) -> Figures:
    """`bytes_per_held_poll` is the growth of the server's private memory from warm, its orders created and polled once,
    to all polls held; `bytes_per_poll_and_order` the growth from the server as started, which includes the orders it
    caches. Both exclude the kernel memory of sockets, for all contenders. The CPU time to hold a poll again is that of
    the re-polls alone, sent once all polls have been woken. Each phone has polled once before, so its token is known;
    `cpu_us_of_first_poll` is the time of a poll whose token is not."""
    polls = size.polls_of(contender)
    with contender.running(hold_s=LONG_HOLD_S, polls=polls) as running, running.pool() as pool:
        pool.repoll = False
        started = running.memory()
        load = PollLoad(running, pool, new_feeds(running, pool, polls // per_feed))
        running.connections_when_idle()
        idle = running.memory()
        engines = EnginesCpu(running)
        parked_cpu_s = load.open(per_feed)
        engines_us = engines.us_per(polls, "to_park")
        full, cpu_s = running.memory(), running.cpu_s()
        say(f"idle for {size.idle_s:g} s")
        load.stay_idle(size.idle_s)
        idle_cpu_s = running.cpu_s() - cpu_s
        say("waking all polls, then holding them again")
        load.run(len(load.feeds), connections=CONNECTIONS)
        repoll_cpu_s = load.repoll()
        return {
            "polls": polls,
            "orders": len(load.feeds),
            "bytes_per_held_poll": round((full.private - idle.private) / polls),
            "bytes_per_poll_and_order": round((full.private - started.private) / polls),
            "of_it_in_shared_zones": round((full.zones - idle.zones) / polls),
            "started_mb": round(started.private / 1e6, 1),
            "idle_mb": round(idle.private / 1e6, 1),
            "held_mb": round(full.private / 1e6, 1),
            "cpu_us_to_park": round(parked_cpu_s / polls * 1e6, 1),
            **engines_us,
            "cpu_us_to_repoll": round(repoll_cpu_s / polls * 1e6, 1),
            "cpu_us_of_first_poll": _first_poll_us(load) if isinstance(contender, Ordertrack) else None,
            "idle_cpu_percent": round(idle_cpu_s / size.idle_s * 100, 2),
            "wrong": dict(pool.wrong),
        }


def _first_poll_us(load: PollLoad) -> float:
    """Return the CPU time of a poll, answered at once, whose token the server has not seen."""
    ids = create_orders(load.pool, FIRST_POLLS)
    load.running.connections_when_idle()
    cpu_s = load.running.cpu_s()
    poll_once(load.pool, ids)
    return round((load.running.cpu_s() - cpu_s) / len(ids) * 1e6, 1)
