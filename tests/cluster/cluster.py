"""The cluster under test: nodes, PostgreSQL and Redis as processes, and a fault proxy on each way between them.

    n0 ──proxy──► PostgreSQL        each node has a proxy of its own to each server, so that
    n0 ──proxy──► Redis             one node can lose its connections while the others keep theirs

With LISTEN/NOTIFY the second proxy leads to PostgreSQL too. With `sqlite` there is one node, and no proxy.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from servers.fault_proxy import FaultProxy
from servers.postgres import Postgres
from servers.redis import Redis
from support.ports import unused
from support.server import environment

Signal = Literal["redis", "postgresql", "sqlite"]
NODES = 3
START_S = 60.0
STOP_S = 20.0
RETRY_S = 0.5
DRAIN_WINDOW_S = 0.5
TESTS = Path(__file__).parent.parent


class Node:
    """A node that may be started again on its port. `proxies` lead to the store and to the signal."""

    def __init__(self, name: str, folder: Path, arguments: list[str], *, clock_ms: int, defect: str | None) -> None:
        self.name, self.port = name, unused()
        self.proxies: dict[str, FaultProxy] = {}
        self.process: asyncio.subprocess.Process | None = None
        self.log = folder / f"{name}.log"
        options = [f"--clock-ms={clock_ms}", *([f"--break={defect}"] if defect else [])]
        self._command = [
            sys.executable, "-m", "cluster.node", *options, "--", "serve", "--json", "--port", str(self.port),
            "--drain-window-s", str(DRAIN_WINDOW_S), "--no-sample-orders", *arguments,
        ]  # fmt: skip
        self._environment = environment({"PYTHONPATH": os.pathsep.join((str(TESTS), *sys.path))})
        self._environment.pop("PYTHONDONTWRITEBYTECODE", None)  # each start would compile all modules again

    async def start(self) -> None:
        """Start the node, again and again while it ends at once: its store may be unavailable. Raises: TimeoutError."""
        ends_at_s = time.monotonic() + START_S
        while not await self._start():
            if time.monotonic() > ends_at_s:
                raise TimeoutError(f"{self.name} did not start:\n{self.log.read_text()[-2_000:]}")
            await asyncio.sleep(RETRY_S)

    async def _start(self) -> bool:
        with self.log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *self._command, stdout=asyncio.subprocess.PIPE, stderr=log, env=self._environment
            )
        assert self.process.stdout is not None
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(START_S):
                line = await self.process.stdout.readline()
                if line and "url" in json.loads(line).get("data", {}):
                    return True
        await self.end()
        return False

    def send(self, number: signal.Signals) -> None:
        if self.process is not None and self.process.returncode is None:
            with contextlib.suppress(ProcessLookupError):  # `send_signal` would take the exit code from asyncio
                os.kill(self.process.pid, number)

    async def drain(self) -> str:
        """Stop the node with SIGTERM. Return what was wrong with its end."""
        assert self.process is not None
        self.send(signal.SIGTERM)
        try:
            async with asyncio.timeout(STOP_S):
                code = await self.process.wait()
        except TimeoutError:
            await self.end()
            return f"it did not stop within {STOP_S:g} s after SIGTERM"
        return f"it stopped with exit code {code}" if code else ""

    async def end(self) -> None:
        """Kill the node."""
        self.send(signal.SIGKILL)
        if self.process is not None:
            await self.process.wait()


class Cluster:
    """`clocks_ms` has the difference of each node's clock to the machine's; its length is the number of nodes."""

    def __init__(self, folder: Path, kind: Signal, clocks_ms: list[int], defect: str | None = None) -> None:
        self._folder, self._kind, self._defect = folder, kind, defect
        self.clocks_ms = clocks_ms
        self.postgres: Postgres | None = None
        self.redis: Redis | None = None
        self.nodes: list[Node] = []

    async def open(self) -> None:
        """Start everything. Raises: NotInstalled, DidNotStart, TimeoutError."""
        if self._kind != "sqlite":
            # Processes are killed, the machine is not: what PostgreSQL has given to the system is safe without fsync.
            self.postgres = await asyncio.to_thread(Postgres, self._folder / "postgres", options=("fsync=off",))
        if self._kind == "redis":
            self.redis = await asyncio.to_thread(Redis, self._folder / "redis")
        for number, clock_ms in enumerate(self.clocks_ms):
            self.nodes.append(await asyncio.to_thread(self._node, f"n{number}", clock_ms))
        await self.nodes[0].start()  # alone: it creates the tables
        await asyncio.gather(*(node.start() for node in self.nodes[1:]))

    def _node(self, name: str, clock_ms: int) -> Node:
        proxies: dict[str, FaultProxy] = {}
        if self.postgres is None:
            arguments = ["--data-dir", str(self._folder / "data")]
        else:
            proxies["store"] = FaultProxy(self.postgres.port)
            database = self.postgres.url.replace(str(self.postgres.port), "{}")
            arguments = ["--database-url", database.format(proxies["store"].port), "--node-name", name]
            proxies["signal"] = FaultProxy(self.redis.port if self.redis else self.postgres.port)
            signal_port = proxies["signal"].port
            if self.redis is None:
                arguments += ["--database-listen-url", database.format(signal_port)]
            else:
                arguments += ["--redis-url", f"redis://127.0.0.1:{signal_port}"]
        node = Node(name, self._folder, arguments, clock_ms=clock_ms, defect=self._defect)
        node.proxies = proxies
        return node

    async def close(self) -> None:
        await asyncio.gather(*(node.end() for node in self.nodes))
        for node in self.nodes:
            for proxy in node.proxies.values():
                await asyncio.to_thread(proxy.close)
        for server in (self.redis, self.postgres):
            if server is not None:
                await asyncio.to_thread(server.close)

    def pids(self) -> Iterator[int]:
        """Yield the ids of the processes that run now."""
        parents = [server.child.process.pid for server in (self.redis, self.postgres) if server is not None]
        parents += [node.process.pid for node in self.nodes if node.process and node.process.returncode is None]
        for pid in parents:
            yield pid
            with contextlib.suppress(OSError):
                yield from map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
