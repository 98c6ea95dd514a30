"""Faults: a schedule that a seed determines, and how each is made and ended.

Each kind comes once before one comes again. At a calm pace there is mostly time to recover between two faults, so that
the strict bounds of the checks apply. At a dense pace faults overlap.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable
from random import Random
from typing import Literal, NamedTuple

from cluster.cluster import Cluster, Node, Signal
from cluster.history import Fault, History

Pace = Literal["calm", "dense"]
FIRST_S = 4.0
LENGTH_S = (0.5, 4.0)
PAUSES_S: dict[Pace, tuple[tuple[float, float], tuple[float, float]]] = {
    "calm": ((7.0, 10.0), (0.5, 3.0)),
    "dense": ((0.3, 1.5), (-2.5, 0.0)),
}
"""Bounds of most pauses, and of the others. The next fault begins before the end of one when they are negative."""
SHORT_SHARE = 0.3
SLOW_S = (0.05, 0.4)
"""Delay of a slow connection, in each direction."""
LINKS = tuple(f"{link}_{how}" for link in ("store", "signal") for how in ("cut", "hold", "slow"))
HARMLESS = frozenset(("redis_flush",))
"""Faults that excuse no delay: no message is in a key."""
KINDS: dict[Signal, tuple[str, ...]] = {
    "redis": (
        "node_kill", "node_stop", "node_drain", "redis_kill", "redis_pause", "redis_flush", "postgres_restart",
        "postgres_crash", *LINKS,
    ),
    "postgresql": ("node_kill", "node_stop", "node_drain", "postgres_restart", "postgres_crash", *LINKS),
    "sqlite": ("node_kill", "node_stop", "node_drain"),
}  # fmt: skip


class Planned(NamedTuple):
    """A fault `at_s` seconds after the beginning. `node` is the number of the node that it concerns."""

    at_s: float
    kind: str
    node: int
    length_s: float
    delay_s: float

    def __str__(self) -> str:
        node = f" n{self.node}" if self.kind.startswith("node") or self.kind in LINKS else ""
        delay = f", {self.delay_s * 1000:.0f} ms" if self.kind.endswith("slow") else ""
        return f"{self.at_s:5.1f} s  {self.kind}{node}, {self.length_s:.1f} s{delay}"


def plan(seed: int, seconds: float, kinds: tuple[str, ...], nodes: int, pace: Pace = "calm") -> list[Planned]:
    """Return the faults that end before `seconds`, the same for the same arguments."""
    random = Random(f"{seed} faults")
    planned: list[Planned] = []
    deck: list[str] = []
    at_s = FIRST_S
    while True:
        if not deck:
            deck = random.sample(kinds, len(kinds))
        length_s = random.uniform(*LENGTH_S)
        fault = Planned(at_s, deck.pop(), random.randrange(nodes), length_s, random.uniform(*SLOW_S))
        if at_s + length_s > seconds:
            return planned
        planned.append(fault)
        pause_s = random.uniform(*PAUSES_S[pace][random.random() < SHORT_SHARE])
        at_s += length_s + pause_s


class Faults:
    """Makes the faults of a schedule. Two that concern the same process come one after the other."""

    def __init__(self, cluster: Cluster, history: History, say: Callable[[str], None]) -> None:
        self._cluster, self._history, self._say = cluster, history, say
        self._locks: dict[str, asyncio.Lock] = {}
        self._begun_s = time.monotonic()

    async def run(self, schedule: list[Planned]) -> None:
        """Return when all faults have ended. Raises: TimeoutError, when a node does not start again."""
        async with asyncio.TaskGroup() as group:
            for planned in sorted(schedule):
                await asyncio.sleep(self._begun_s + planned.at_s - time.monotonic())
                group.create_task(self._make(planned))

    async def _make(self, planned: Planned) -> None:
        node = self._cluster.nodes[planned.node]
        is_of_node = planned.kind.startswith("node")
        target = node.name if is_of_node or planned.kind in LINKS else planned.kind.split("_")[0]
        async with self._locks.setdefault(target, asyncio.Lock()):
            fault = Fault(planned.kind, node.name if is_of_node else None, time.monotonic())
            if planned.kind not in HARMLESS:
                self._history.faults.append(fault)
            self._say(str(planned))
            if planned.kind in LINKS:
                await self._disturb_link(node, planned)
            elif is_of_node:
                await self._disturb_node(node, planned, fault)
            else:
                await self._disturb_server(planned)
            fault.end_s = time.monotonic()
            self._say(f"         {planned.kind} ended after {fault.end_s - fault.begin_s:.1f} s {fault.failure}")

    async def _disturb_node(self, node: Node, planned: Planned, fault: Fault) -> None:
        if planned.kind == "node_stop":
            node.send(signal.SIGSTOP)
            await asyncio.sleep(planned.length_s)
            node.send(signal.SIGCONT)
            return
        if planned.kind == "node_drain":
            fault.failure = await node.drain()
        else:
            await node.end()
        await asyncio.sleep(planned.length_s)
        await node.start()

    async def _disturb_server(self, planned: Planned) -> None:
        redis, postgres = self._cluster.redis, self._cluster.postgres
        if planned.kind.startswith("postgres"):
            assert postgres is not None
            stop = postgres.stop if planned.kind == "postgres_restart" else postgres.crash
            await self._cycle(stop, planned.length_s, postgres.start)
            return
        assert redis is not None
        if planned.kind == "redis_flush":
            await flush_redis(redis.port)
        elif planned.kind == "redis_pause":
            await self._cycle(redis.pause, planned.length_s, redis.go_on)
        else:
            await self._cycle(redis.kill, planned.length_s, redis.start)

    async def _cycle(self, stop: Callable[[], None], length_s: float, start: Callable[[], None]) -> None:
        await asyncio.to_thread(stop)
        await asyncio.sleep(length_s)
        await asyncio.to_thread(start)

    async def _disturb_link(self, node: Node, planned: Planned) -> None:
        link, how = planned.kind.split("_")
        proxy = node.proxies[link]
        if how == "cut":
            proxy.refuse()
            proxy.cut()
            await asyncio.sleep(planned.length_s)
            proxy.accept()
        elif how == "hold":
            proxy.hold()
            await asyncio.sleep(planned.length_s)
            proxy.go_on()
        else:
            proxy.delay(planned.delay_s)
            await asyncio.sleep(planned.length_s)
            proxy.delay(0)


async def flush_redis(port: int) -> None:
    """Delete all keys. Raises: OSError, when Redis does not run."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"FLUSHALL\r\n")
    await reader.readline()
    writer.close()
