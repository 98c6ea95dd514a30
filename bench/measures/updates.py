"""Updates a second that are on disk when they are acknowledged, with nobody waiting for them."""

from __future__ import annotations

from bench.contenders import Contender
from bench.measures.common import Crowd, Figures, Size
from ordertrack.client.load import Swarm

ORDERS = 10_000
STEPS = 4
"""From confirmed to delivered."""


def single(contender: Contender, size: Size) -> Figures:
    """PUT, over 32 keep-alive connections."""
    return _rate(contender, size, batch=1, callers=32)


def bulk(contender: Contender, size: Size) -> Figures:
    """POST /status-updates in hundreds, over two connections: while one request is committed, the next is read."""
    return _rate(contender, size, batch=100, callers=2)


def _rate(contender: Contender, size: Size, *, batch: int, callers: int) -> Figures:
    orders = ORDERS // 10 if size.quick else ORDERS
    with contender.running(hold_s=1, polls=100) as running, Swarm(running.target, running.dialect) as swarm:
        crowd = Crowd(running, swarm, running.feeds(swarm, orders))
        cost = crowd.cook(STEPS * orders, batch=batch, callers=callers)
        made, seconds = cost.cooked.updates, cost.cooked.seconds
        return {
            "updates": made,
            "updates_per_s": round(made / seconds),
            "server_cpu_us": round(cost.server_cpu_s / made * 1e6, 1),
            "generator_cpu_us": round(cost.generator_cpu_s / made * 1e6, 1),
            "wrong": dict(swarm.wrong),
        }
