"""One worker and several on one port: polls answered at once, and durable updates.

Workers, PostgreSQL, Redis and the generator share all cores of the machine, so on a small one more workers also take
time from the others. CPU times are sums over the workers.
"""

from __future__ import annotations

from dataclasses import replace

from bench.contenders import Contender
from bench.measures import holds, updates
from bench.measures.load import Figures, Size

ORDERS = 4_000


def measure(contender: Contender, size: Size) -> Figures:
    reads = holds.at_once(contender, size)
    writes = updates.single(contender, replace(size, orders=min(size.orders, ORDERS)))
    return {
        "answers_per_s": reads["answers_per_s"],
        "answer_cpu_us": reads["server_cpu_us"],
        "updates_per_s": writes["updates_per_s"],
        "update_cpu_us": writes["server_cpu_us"],
        "update_postgres_cpu_us": writes["postgres_cpu_us"],
        "generator_cpu_us": reads["generator_cpu_us"],
        "wrong": {**_wrong(reads), **_wrong(writes)},
    }


def _wrong(figures: Figures) -> dict[str, int]:
    wrong = figures["wrong"]
    assert isinstance(wrong, dict)
    return wrong
