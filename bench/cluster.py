"""Nodes of a cluster, ours and a peer's, on PostgreSQL and Redis servers of their own.

The nodes share the first core. PostgreSQL and Redis run on all cores: they would have machines of their own.
"""

from __future__ import annotations

import os
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import psutil

from bench.contenders import FOLDERS, Ordertrack, Running, Skipped, ordertrack_like
from bench.peers.process import peer_process
from bench.peers.python import HERE, peers_python
from ordertrack.load import OrdertrackProtocol, PollPool, fetch_statistics, loopback_target
from servers.child import DidNotStart, NotInstalled, program
from servers.node import Node
from servers.postgres import Postgres, installed
from servers.redis import Redis

PEER_SCRIPT = HERE / "fastapi_cluster_server.py"


class Engines(NamedTuple):
    """URLs of running servers, and their process ids by name. PostgreSQL syncs each commit to the disk."""

    database: str
    redis: str
    pids: dict[str, int]


@contextmanager
def engines() -> Iterator[Engines]:
    """Raises: Skipped."""
    own_cores = os.sched_getaffinity(0)
    with TemporaryDirectory(prefix=FOLDERS) as name, ExitStack() as started:
        try:
            os.sched_setaffinity(0, psutil.Process(1).cpu_affinity() or own_cores)  # child processes inherit it
            postgres = Postgres(Path(name) / "postgres")
            started.callback(postgres.close)
            redis = Redis(Path(name) / "redis")
            started.callback(redis.close)
        except (NotInstalled, DidNotStart) as reason:
            raise Skipped(str(reason)) from None
        finally:
            os.sched_setaffinity(0, own_cores)
        pids = {"postgres": postgres.child.process.pid, "redis": redis.child.process.pid}
        yield Engines(postgres.url, redis.url, pids)


class ClusterContender(ABC):
    def __init__(self, name: str) -> None:
        self.name = name

    @abstractmethod
    def nodes(self, count: int, *, hold_s: float, polls: int) -> AbstractContextManager[list[Running]]:
        """Start that many nodes, and stop them at the end of the block. Raises: Skipped."""

    @contextmanager
    def running(self, *, hold_s: float, polls: int) -> Iterator[Running]:
        with self.nodes(1, hold_s=hold_s, polls=polls) as (node,):
            yield node


class Cluster(ClusterContender):
    """Nodes of ordertrack. Their signal is Redis, or PostgreSQL's LISTEN/NOTIFY."""

    def __init__(self, name: str, *, redis: bool) -> None:
        super().__init__(name)
        self._redis = redis

    @contextmanager
    def nodes(self, count: int, *, hold_s: float, polls: int) -> Iterator[list[Running]]:
        with engines() as urls, ExitStack() as started:
            flags = ["--database-url", urls.database, *(["--redis-url", urls.redis] if self._redis else [])]
            node = Ordertrack(self.name, *flags, durable=True, needs="redis_url")
            nodes = [started.enter_context(node.running(hold_s=hold_s, polls=polls)) for _ in range(count)]
            yield [replace(each, held=_held, lost_wakeups=_lost, engines=urls.pids) for each in nodes]


def _held(pool: PollPool) -> int:
    return int(_statistics_of_node(pool)["active_connections"])


def _lost(pool: PollPool) -> int:
    return int(_statistics_of_node(pool)["lost_wakeups_total"])


def _statistics_of_node(pool: PollPool) -> dict[str, Any]:
    """Return the figures of the node that answers: those of the whole cluster are up to a second old."""
    own: dict[str, Any] = fetch_statistics(pool)["by_node"][0]
    return own


class Workers(ClusterContender):
    """`ordertrack serve --workers`, one worker or several on one port. All processes, the generator too, run on all
    cores."""

    def __init__(self, name: str, workers: int) -> None:
        super().__init__(name)
        self._workers = workers

    @contextmanager
    def nodes(self, count: int, *, hold_s: float, polls: int) -> Iterator[list[Running]]:
        own_cores = os.sched_getaffinity(0)
        with engines() as urls, TemporaryDirectory(prefix=FOLDERS) as folder, ExitStack() as started:
            os.sched_setaffinity(0, psutil.Process(1).cpu_affinity() or own_cores)
            started.callback(os.sched_setaffinity, 0, own_cores)
            flags = ["--database-url", urls.database, "--redis-url", urls.redis, "--no-sample-orders"]
            flags += ["--workers", str(self._workers), "--max-held-polls", str(polls + 1_000), "--log-level", "warning"]
            node = Node(Path(folder), self.name.replace(" ", "-"), *flags, "--undo-window-s", "600")
            started.callback(node.stop)
            server = psutil.Process(node.pid)
            processes = server.children() or [server]
            target = loopback_target(node.url)
            running = ordertrack_like(self.name, target, OrdertrackProtocol(hold_s), processes)
            yield [replace(running, engines=urls.pids)]


class PeerCluster(ClusterContender):
    """Nodes of fastapi_cluster_server.py. `most` is the number of polls they are tested with at most."""

    def __init__(self, name: str, *, most: int) -> None:
        super().__init__(name)
        self.most = most

    @contextmanager
    def nodes(self, count: int, *, hold_s: float, polls: int) -> Iterator[list[Running]]:
        with engines() as urls, ExitStack() as started:

            def command(folder: Path, port: int) -> list[str]:
                return [str(peers_python()), str(PEER_SCRIPT), str(port), urls.database, urls.redis]

            nodes: list[Running] = []
            for _ in range(count):
                target, process = started.enter_context(peer_process(command))
                nodes.append(ordertrack_like(self.name, target, OrdertrackProtocol(hold_s), [process]))
            yield [replace(each, engines=urls.pids) for each in nodes]


def versions() -> str:
    """Return the versions of PostgreSQL and Redis. Raises: Skipped."""
    found = installed()
    redis = program("valkey-server") or program("redis-server")
    if not found or redis is None:
        raise Skipped("PostgreSQL or Redis is not installed")
    said = subprocess.run([redis, "--version"], capture_output=True, text=True, check=True).stdout
    return f"PostgreSQL {next(iter(found))}, Redis {said.partition('v=')[2].split()[0]}"
