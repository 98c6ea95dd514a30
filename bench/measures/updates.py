"""Updates per second that are on disk when they are acknowledged, without polls.

`written_bytes_per_update` is what the process wrote to its files, the pages that checkpoints copied included. The last
checkpoint may be missing, and a file system in memory counts nothing.
"""

from __future__ import annotations

import time

from bench.contenders import Contender
from bench.measures.load import EnginesCpu, Figures, PollLoad, Size, new_feeds
from bench.progress import say
from ordertrack.load import create_orders

CONNECTIONS = 32
STEPS = 4
"""From confirmed to delivered."""


def single(contender: Contender, size: Size) -> Figures:
    """PUT, over 32 keep-alive connections."""
    return _rate(contender, size, batch=1, connections=CONNECTIONS)


def bulk(contender: Contender, size: Size) -> Figures:
    """POST /status-updates in hundreds, over two connections: while one request is committed, the next is read."""
    return _rate(contender, size, batch=100, connections=2)


def orders(contender: Contender, size: Size) -> Figures:
    """POST /orders, over 32 keep-alive connections."""
    count = size.orders
    with contender.running(hold_s=1, polls=100) as running, running.pool() as pool:
        say(f"creating {count:,} orders")
        server_s, started_s = running.cpu_s(), time.perf_counter()
        create_orders(pool, count, connections=CONNECTIONS)
        seconds = time.perf_counter() - started_s
        return {
            "orders": count,
            "orders_per_s": round(count / seconds),
            "server_cpu_us": round((running.cpu_s() - server_s) / count * 1e6, 1),
            "wrong": dict(pool.wrong),
        }


def _rate(contender: Contender, size: Size, *, batch: int, connections: int) -> Figures:
    with contender.running(hold_s=1, polls=100) as running, running.pool() as pool:
        load = PollLoad(running, pool, new_feeds(running, pool, size.orders))
        say(f"{STEPS * size.orders:,} updates")
        written, engines = running.written_bytes(), EnginesCpu(running)
        cost = load.run(STEPS * size.orders, batch=batch, connections=connections)
        written = running.written_bytes() - written
        made, seconds = cost.result.updates, cost.result.seconds
        return {
            "updates": made,
            "updates_per_s": round(made / seconds),
            "written_bytes_per_update": round(written / made) if written else None,
            "server_cpu_us": round(cost.server_cpu_s / made * 1e6, 1),
            **engines.us_per(made),
            "generator_cpu_us": round(cost.generator_cpu_s / made * 1e6, 1),
            "wrong": dict(pool.wrong),
        }
