"""Updates per second that are on disk when they are acknowledged, without polls."""

from __future__ import annotations

import time

from bench.contenders import Contender
from bench.measures.load import Figures, PollLoad, Size
from ordertrack.load import create_orders

ORDERS = 10_000
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
    count = ORDERS // 10 if size.quick else ORDERS
    with contender.running(hold_s=1, polls=100) as running, running.pool() as pool:
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
    orders = ORDERS // 10 if size.quick else ORDERS
    with contender.running(hold_s=1, polls=100) as running, running.pool() as pool:
        load = PollLoad(running, pool, running.feeds(pool, orders))
        cost = load.run(STEPS * orders, batch=batch, connections=connections)
        made, seconds = cost.result.updates, cost.result.seconds
        return {
            "updates": made,
            "updates_per_s": round(made / seconds),
            "server_cpu_us": round(cost.server_cpu_s / made * 1e6, 1),
            "generator_cpu_us": round(cost.generator_cpu_s / made * 1e6, 1),
            "wrong": dict(pool.wrong),
        }
