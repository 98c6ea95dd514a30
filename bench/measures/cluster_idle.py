"""The CPU time of a node for the updates of another node that none of its polls waits for."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from bench.cluster import ClusterContender
from bench.contenders import Running
from bench.measures.load import LONG_HOLD_S, EnginesCpu, Figures, PollLoad, Size, new_feeds
from bench.measures.nodes_pool import NodesPool, asked_directly
from bench.progress import say
from ordertrack.load import Schedule, UpdateDriver

UPDATES_PER_S, BUSY_UPDATES_PER_S = 500, 2_500
CONNECTIONS = 32
STEPS = 4
"""Updates of an order."""
PARTITIONS_COVERED_BY = 3_000
"""Orders that nearly certainly belong to all 256 partitions."""


def measure(contender: ClusterContender, size: Size) -> Figures:
    """First the second node holds no poll and is subscribed to no partition. Then it holds a poll of each of 3,000
    orders, and is subscribed to all partitions. The updates are of other orders, at 500/s on the first node, and last
    at 2,500/s: then several come with one turn of the event loop."""
    with (
        contender.nodes(2, hold_s=LONG_HOLD_S, polls=PARTITIONS_COVERED_BY) as (first, second),
        NodesPool(second, first) as pool,
    ):
        load = PollLoad(asked_directly(second), pool, [])
        without = _cpu_us(load, size, UPDATES_PER_S)
        load.feeds.extend(new_feeds(second, pool, PARTITIONS_COVERED_BY))
        load.open(1)
        with_polls = _cpu_us(load, size, UPDATES_PER_S)
        busy = _cpu_us(load, size, BUSY_UPDATES_PER_S)
        return {
            "updates": round(UPDATES_PER_S * size.idle_s),
            "cpu_us_not_subscribed": without["node_cpu_us"],
            "cpu_us_subscribed": with_polls["node_cpu_us"],
            "cpu_us_subscribed_busy": busy["node_cpu_us"],
            "redis_cpu_us": with_polls["redis_cpu_us"],
            "redis_cpu_us_busy": busy["redis_cpu_us"],
            "polls_of_other_orders": len(pool.polls),
            **load.failures(),
        }


def _cpu_us(load: PollLoad, size: Size, updates_per_s: int) -> Figures:
    """Return the CPU time of the node and of the engines per update; the node's less that of the same time without
    updates."""
    schedule = Schedule(updates_per_s, size.idle_s)
    feeds = new_feeds(load.running, load.pool, schedule.updates // STEPS)
    load.running.connections_when_idle()
    idle_s = _cpu_s_of(load.running, lambda: load.stay_idle(size.idle_s))
    say(f"{schedule.updates:,} updates of orders without polls")
    engines = EnginesCpu(load.running)
    with closing(UpdateDriver(load.pool, feeds, connections=CONNECTIONS)) as driver:
        busy_s = _cpu_s_of(load.running, lambda: driver.run_schedule(schedule))
    return {
        "node_cpu_us": round((busy_s - idle_s) / schedule.updates * 1e6, 1),
        **engines.us_per(schedule.updates),
    }


def _cpu_s_of(node: Running, work: Callable[[], object]) -> float:
    before_s = _precise_cpu_s(node)
    work()
    node.connections_when_idle()
    return _precise_cpu_s(node) - before_s


def _precise_cpu_s(node: Running) -> float:
    """Return the CPU time of all threads in steps of a nanosecond; `Running.cpu_s` has steps of 10 ms."""
    threads = [
        Path(f"/proc/{process.pid}/task/{thread.id}") for process in node.processes for thread in process.threads()
    ]
    return sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads) / 1e9
