"""The measurements of each contender: `make bench` runs all of them, `--only` and `--contender` a part."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from bench.cluster import Cluster, PeerCluster, Workers
from bench.contenders import Contender, Ordertrack
from bench.measures import (
    cluster,
    cluster_idle,
    cluster_killed,
    cluster_latency,
    comeback,
    held,
    holds,
    lists,
    open_loop,
    soak,
    updates,
    wakes,
    warm,
    watchers,
    workers,
)
from bench.measures.load import Figures, Size
from bench.peers.c_loop import CLoop
from bench.peers.nchan import Nchan
from bench.peers.python import PythonPeer
from bench.peers.sse import SsePeer

GATE, GATE_DURABLE, GATE_TOKENS = "ordertrack", "ordertrack, durable", "ordertrack, with tokens"
ASGI, NCHAN, FASTAPI, FLASK = "ordertrack, ASGI route", "nchan", "FastAPI on uvicorn", "Flask, a thread a poll"
ONE_WORKER, TWO_WORKERS = "1 worker", "2 workers"
SSE_UVICORN, SSE_GRANIAN = "SSE on uvicorn", "SSE on granian"
C_LOOP, C_LOOP_FDATASYNC = "C loop", "C loop, fdatasync"
CLUSTER, CLUSTER_NOTIFY, CLUSTER_PEER = "cluster, Redis", "cluster, LISTEN/NOTIFY", "FastAPI and SQLAlchemy, Redis"
ETA = "eta"
"""A measurement of its own program, `bench.eta`, which needs no server."""


def contenders() -> dict[str, Contender]:
    """By name. A contender that cannot be had here says so when it is started."""
    found: list[Contender] = [
        Ordertrack(GATE, durable=False),
        Ordertrack(GATE_DURABLE, durable=True),
        Ordertrack(GATE_TOKENS, durable=False, needs="token_secret_file", tokens=True),
        Ordertrack(ASGI, "--gate", "off", durable=False, needs="gate"),
        Nchan(),
        PythonPeer(FASTAPI, "fastapi_server.py", most=10_000),
        PythonPeer(FLASK, "flask_server.py", most=1_000),
        SsePeer(SSE_UVICORN, "uvicorn", most=10_000),
        SsePeer(SSE_GRANIAN, "granian", most=10_000),
        CLoop(C_LOOP),
        CLoop(C_LOOP_FDATASYNC, fdatasync=True),
        Cluster(CLUSTER, redis=True),
        Cluster(CLUSTER_NOTIFY, redis=False),
        Workers(ONE_WORKER, 1),
        Workers(TWO_WORKERS, 2),
        PeerCluster(CLUSTER_PEER, most=10_000),
    ]
    return {contender.name: contender for contender in found}


class Measurement(NamedTuple):
    title: str
    who: tuple[str, ...]
    measure: Callable[[Any, Size], Figures]
    """Gets the contender."""


ALL_SERVERS = (GATE, ASGI, NCHAN, FASTAPI, FLASK, SSE_UVICORN, SSE_GRANIAN, C_LOOP)
MEASUREMENTS: dict[str, Measurement] = {
    # The usual case: one phone per order.
    "held-one": Measurement(
        "A held poll, one per order", (GATE_DURABLE, GATE, GATE_TOKENS, NCHAN, C_LOOP), held.one_per_order
    ),
    "timed-out": Measurement(
        "A hold that times out and is polled again, one per order",
        (GATE_DURABLE, GATE, NCHAN),
        holds.timed_out,
    ),
    "steady-one": Measurement(
        "Wake-ups with re-polls, one per order", (GATE, NCHAN, GATE_DURABLE, C_LOOP), wakes.steady_one_per_order
    ),
    "open-loop": Measurement(
        "Updates at fixed times, ten polls per order, all polls sent again",
        (GATE_DURABLE, NCHAN, C_LOOP),
        open_loop.measure,
    ),
    "updates-bulk": Measurement("Durable updates, in hundreds", (GATE_DURABLE,), updates.bulk),
    "updates-single": Measurement("Durable updates, PUT over 32 connections", (GATE_DURABLE,), updates.single),
    "orders": Measurement("New orders, POST over 32 connections", (GATE_DURABLE,), updates.orders),
    "lists": Measurement("Reads of a million orders", (GATE_DURABLE,), lists.measure),
    "watchers": Measurement("A thousand watchers of one order", (GATE, GATE_DURABLE), watchers.measure),
    "comeback": Measurement("All phones come back after kill -9", (GATE_DURABLE,), comeback.measure),
    # Ten polls per order, or none.
    "held": Measurement("A held poll, ten per order", (*ALL_SERVERS, GATE_TOKENS), held.measure),
    "wakes-single": Measurement(
        "Wake-ups, single updates",
        (*ALL_SERVERS, GATE_DURABLE, GATE_TOKENS, C_LOOP_FDATASYNC),
        wakes.single,
    ),
    "wakes-bulk": Measurement("Wake-ups, updates in hundreds", (GATE, ASGI, GATE_DURABLE), wakes.bulk),
    "wakes-steady": Measurement("Wake-ups with re-polls", (GATE, ASGI, NCHAN, FASTAPI), wakes.steady),
    "latency": Measurement("One update, until all ten polls are answered", (GATE, NCHAN, GATE_DURABLE), wakes.latency),
    "at-once": Measurement("Polls answered at once", (GATE, GATE_TOKENS, ASGI, FASTAPI), holds.at_once),
    "warm": Measurement("The code alone, warm, in one process", (GATE,), warm.measure),
    # Nodes on PostgreSQL.
    "cluster-held": Measurement("A held poll on a node of a cluster", (CLUSTER, CLUSTER_PEER), cluster.held),
    "cluster-timed-out": Measurement(
        "A hold on a node of a cluster that times out and is polled again", (CLUSTER,), cluster.timed_out
    ),
    "cluster-wakes": Measurement(
        "Wake-ups on a node of a cluster, PUT over 32 connections", (CLUSTER, CLUSTER_PEER), cluster.wakes_many
    ),
    "cluster-updates": Measurement(
        "Durable updates on PostgreSQL, PUT over 32 connections", (CLUSTER, CLUSTER_PEER), cluster.updates_single
    ),
    "cluster-updates-bulk": Measurement("Durable updates on PostgreSQL, in hundreds", (CLUSTER,), updates.bulk),
    "cluster-latency": Measurement(
        "From a commit on one node to the answer of another, 500 updates/s",
        (CLUSTER, CLUSTER_NOTIFY, CLUSTER_PEER),
        cluster_latency.measure,
    ),
    "cluster-idle-cpu": Measurement(
        "CPU of a node for updates of others that none of its polls waits for",
        (CLUSTER, CLUSTER_NOTIFY),
        cluster_idle.measure,
    ),
    "cluster-killed": Measurement("A node of three is killed with all polls", (CLUSTER,), cluster_killed.measure),
    "workers": Measurement(
        "Workers on one port: polls answered at once, and PUT over 32 connections",
        (ONE_WORKER, TWO_WORKERS),
        workers.measure,
    ),
    "soak": Measurement("Soak test of ten minutes", (GATE_DURABLE,), soak.measure),
}
