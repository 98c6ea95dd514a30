"""The time from a commit on one node to the answers of polls that another node holds, at a fixed rate of updates."""

from __future__ import annotations

from bench.cluster import ClusterContender
from bench.measures.load import LONG_HOLD_S, EnginesCpu, Figures, PollLoad, Size, new_feeds
from bench.measures.nodes_pool import NodesPool, asked_directly
from bench.measures.open_loop import OpenLoop
from ordertrack.load import milliseconds

UPDATES_PER_S = 500
PROBES = 4
"""The updates last as long as this many probes of other measurements."""
POLLS = 2_000


def measure(contender: ClusterContender, size: Size) -> Figures:
    """`p50_ms`, `p99_ms` and `max_ms` are from the acknowledgement of an update by the first node, which follows its
    commit, to the answer of the second. `from_request_...` starts when the update is due, before its commit. CPU
    times are per update, with the creation of the orders that replace the ended ones."""
    polls, seconds = min(POLLS, size.polls), PROBES * size.probe_s
    with (
        contender.nodes(2, hold_s=LONG_HOLD_S, polls=polls) as (first, second),
        NodesPool(second, first) as pool,
    ):
        load = PollLoad(asked_directly(second), pool, new_feeds(second, pool, polls))
        load.open(1)
        loop = OpenLoop(load, seconds)
        pool.after_commit_s.clear()
        first_s, second_s, engines = first.cpu_s(), second.cpu_s(), EnginesCpu(second)
        probe = loop.probe(UPDATES_PER_S)
        answers = max(1, len(pool.after_commit_s))
        return {
            "polls": polls,
            "updates_due": round(UPDATES_PER_S * seconds),
            "answers": len(pool.after_commit_s),
            "p50_ms": milliseconds(pool.after_commit_s, 0.5),
            "p99_ms": milliseconds(pool.after_commit_s, 0.99),
            "max_ms": milliseconds(pool.after_commit_s, 1.0),
            "from_request_p50_ms": probe.p50_ms,
            "from_request_p99_ms": probe.p99_ms,
            "first_node_cpu_us": round((first.cpu_s() - first_s) / answers * 1e6, 1),
            "second_node_cpu_us": round((second.cpu_s() - second_s) / answers * 1e6, 1),
            **engines.us_per(answers),
            "generator_busy_percent": probe.generator_busy_percent,
            **load.failures(),
        }
