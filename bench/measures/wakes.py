"""Wake-ups per second on one core, and the time from an update until all ten polls are answered."""

from __future__ import annotations

from bench.contenders import POLLS_PER_ORDER, Contender
from bench.measures.load import Cost, Figures, PollLoad, Size, held_load, median
from bench.progress import say
from ordertrack.load import milliseconds

SWEEPS = 3
BULK = 100
CONNECTIONS = 32


def single(contender: Contender, size: Size) -> Figures:
    """One update after another, each of another order, until all polls are answered once; then all are sent again."""
    return _sweeps(contender, size, batch=1)


def bulk(contender: Contender, size: Size) -> Figures:
    """The same in requests of a hundred updates."""
    return _sweeps(contender, size, batch=BULK)


def _sweeps(contender: Contender, size: Size, *, batch: int) -> Figures:
    with held_load(contender, size) as load:
        costs: list[Cost] = []
        for _ in range(SWEEPS):
            costs.append(load.run(len(load.feeds), batch=batch))
            load.repoll()
        return {"polls": len(load.pool.polls), **_figures(costs), **load.failures()}


def over_connections(contender: Contender, size: Size) -> Figures:
    """The same over 32 connections, so that commits can be grouped. `steady_wakeups_per_s` is of a last sweep, in which
    every answered poll is sent again at once."""
    with held_load(contender, size) as load:
        costs: list[Cost] = []
        for _ in range(SWEEPS - 1):
            costs.append(load.run(len(load.feeds), connections=CONNECTIONS))
            load.repoll()
        load.pool.repoll = True
        steady = load.run(len(load.feeds), connections=CONNECTIONS)
        return {
            "polls": len(load.pool.polls),
            **_figures(costs),
            "steady_wakeups_per_s": _figures([steady])["wakeups_per_s"],
            "steady_server_cpu_us": _figures([steady])["server_cpu_us"],
            **load.failures(),
        }


def steady(contender: Contender, size: Size) -> Figures:
    """One update after another while every answered poll is sent again at once: waking and holding together."""
    return _steady(contender, size, POLLS_PER_ORDER, SWEEPS)


def steady_one_per_order(contender: Contender, size: Size) -> Figures:
    """The same with one poll per order."""
    return _steady(contender, size, 1, 1)


def _steady(contender: Contender, size: Size, per_feed: int, sweeps: int) -> Figures:
    with held_load(contender, size, per_feed=per_feed) as load:
        load.pool.repoll = True
        say(f"{sweeps * len(load.feeds):,} updates; all polls are sent again")
        cost = load.run(sweeps * len(load.feeds))
        return {"polls": len(load.pool.polls), **_figures([cost]), **load.failures()}


def latency(contender: Contender, size: Size) -> Figures:
    """One update at a time: from sending it to reading the last answer of its ten polls. There is no other load, so
    this is the time of a single update, without queueing."""
    with held_load(contender, size) as load:
        load.pool.repoll = True
        _warm_up(load)
        fan_out_s = load.run((SWEEPS - 1) * len(load.feeds), one_at_a_time=True).result.fan_out_s
        return {
            "polls": len(load.pool.polls),
            "updates": len(fan_out_s),
            "p50_ms": milliseconds(fan_out_s, 0.5),
            "p99_ms": milliseconds(fan_out_s, 0.99),
            "max_ms": milliseconds(fan_out_s, 1.0),
            **load.failures(),
        }


def _warm_up(load: PollLoad) -> None:
    load.run(len(load.feeds))


def _figures(costs: list[Cost]) -> Figures:
    woken = sum(cost.result.woken for cost in costs)
    rates = [cost.result.woken / cost.result.seconds for cost in costs]
    return {
        "wakeups_per_s": round(median(rates)),
        "slowest": round(min(rates)),
        "fastest": round(max(rates)),
        "updates_per_s": round(median([cost.result.updates / cost.result.seconds for cost in costs])),
        "server_cpu_us": round(sum(cost.server_cpu_s for cost in costs) / woken * 1e6, 1),
        "generator_cpu_us": round(sum(cost.generator_cpu_s for cost in costs) / woken * 1e6, 1),
        "server_busy_percent": round(
            sum(cost.server_cpu_s for cost in costs) / sum(cost.result.seconds for cost in costs) * 100
        ),
    }
