"""Wake-ups a second on one core, and how long one update takes until all ten polls are answered."""

from __future__ import annotations

from bench.contenders import Contender
from bench.measures.common import Cost, Crowd, Figures, Size, held_crowd, median
from ordertrack.load import ask_again, milliseconds

SWEEPS = 3
BULK = 100
PUBLISHERS = 8


def single(contender: Contender, size: Size) -> Figures:
    """One update after another, each for another order, until all polls are answered once; then all ask again."""
    return _sweeps(contender, size, batch=1, callers=1)


def crowded(contender: Contender, size: Size) -> Figures:
    """The same from eight connections at once."""
    return _sweeps(contender, size, batch=1, callers=PUBLISHERS)


def bulk(contender: Contender, size: Size) -> Figures:
    """The same in requests of a hundred updates."""
    return _sweeps(contender, size, batch=BULK, callers=1)


def _sweeps(contender: Contender, size: Size, *, batch: int, callers: int) -> Figures:
    with held_crowd(contender, size) as crowd:
        costs: list[Cost] = []
        for _ in range(SWEEPS):
            costs.append(crowd.cook(len(crowd.feeds), batch=batch, callers=callers))
            ask_again(crowd.swarm, crowd.held)
        return {"polls": len(crowd.swarm.polls), **_figures(costs), **crowd.failures()}


def steady(contender: Contender, size: Size) -> Figures:
    """One update after another while every poll asks again at once: waking and parking together."""
    with held_crowd(contender, size) as crowd:
        crowd.swarm.again = True
        cost = crowd.cook(SWEEPS * len(crowd.feeds))
        return {"polls": len(crowd.swarm.polls), **_figures([cost]), **crowd.failures()}


def latency(contender: Contender, size: Size) -> Figures:
    """One update at a time: from sending it to reading the answer of the last of its ten polls. Nothing else happens,
    so it is the time a single update takes, not a queue."""
    with held_crowd(contender, size) as crowd:
        crowd.swarm.again = True
        _warm_up(crowd)
        whole_s = crowd.cook((SWEEPS - 1) * len(crowd.feeds), patient=True).cooked.whole_s
        return {
            "polls": len(crowd.swarm.polls),
            "updates": len(whole_s),
            "p50_ms": milliseconds(whole_s, 0.5),
            "p99_ms": milliseconds(whole_s, 0.99),
            "max_ms": milliseconds(whole_s, 1.0),
            **crowd.failures(),
        }


def _warm_up(crowd: Crowd) -> None:
    crowd.cook(len(crowd.feeds))


def _figures(costs: list[Cost]) -> Figures:
    woken = sum(cost.cooked.woken for cost in costs)
    rates = [cost.cooked.woken / cost.cooked.seconds for cost in costs]
    return {
        "wakeups_per_s": round(median(rates)),
        "slowest": round(min(rates)),
        "fastest": round(max(rates)),
        "updates_per_s": round(median([cost.cooked.updates / cost.cooked.seconds for cost in costs])),
        "server_cpu_us": round(sum(cost.server_cpu_s for cost in costs) / woken * 1e6, 1),
        "generator_cpu_us": round(sum(cost.generator_cpu_s for cost in costs) / woken * 1e6, 1),
        "server_busy_percent": round(
            sum(cost.server_cpu_s for cost in costs) / sum(cost.cooked.seconds for cost in costs) * 100
        ),
    }
