"""`make cluster`: three nodes behind nginx, with PostgreSQL and Redis, and a simulated lunch hour.

Everything runs on free ports of 127.0.0.1 in a temporary folder. Ctrl-C ends all processes and removes the folder.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import TypeVar

from ordertrack.client.values import Stats
from servers.child import DidNotStart, NotInstalled
from servers.lunch_hour import ORDERS, LunchHour
from servers.nginx import Nginx
from servers.node import Node
from servers.postgres import Postgres
from servers.redis import Redis

NODES = 3
LINE_EVERY_S = 1.0
LINE_EVERY_UNWATCHED_S = 10.0
"""For an output that is no terminal."""
RESTART_AFTER_S = 10.0
DRAIN_WINDOW_S = "2"

T = TypeVar("T")


class Demo:
    """The running cluster. `redis` is None when it is not installed: the nodes then use LISTEN and NOTIFY."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._stack = stack
        self.postgres = self._started("PostgreSQL", lambda: Postgres(folder / "postgres"))
        self.redis: Redis | None = None
        try:
            self.redis = self._started("Redis", lambda: Redis(folder / "redis"))
        except NotInstalled as error:
            print(f"{error}. Without it the nodes signal each other through PostgreSQL (LISTEN and NOTIFY).")
        arguments = ["--database-url", self.postgres.url, "--trusted-proxies", "127.0.0.1"]
        arguments += ["--drain-window-s", DRAIN_WINDOW_S]
        arguments += [] if self.redis is None else ["--redis-url", self.redis.url]
        self.nodes = [
            self._started(f"node{number}", lambda number=number: Node(folder, f"node{number}", *arguments))  # type: ignore[misc]
            for number in range(1, NODES + 1)
        ]
        self.nginx = self._started("nginx", lambda: Nginx(folder / "nginx", [node.port for node in self.nodes]))
        self._ended_at_s: dict[Node, float] = {}

    def _started(self, name: str, start: Callable[[], T]) -> T:
        print(f"Starting {name} ...", flush=True)
        server = start()
        self._stack.enter_context(closing(server))  # type: ignore[type-var]
        return server

    async def restart_ended(self) -> None:
        """Start nodes again that ended RESTART_AFTER_S ago."""
        for node in self.nodes:
            if node.exit_code is None:
                continue
            if node not in self._ended_at_s:
                self._ended_at_s[node] = time.monotonic()
                _say(f"{node.name} has ended ({_words(node.exit_code)}). It is started again in {RESTART_AFTER_S:g} s.")
            elif time.monotonic() - self._ended_at_s[node] > RESTART_AFTER_S:
                del self._ended_at_s[node]
                try:
                    await asyncio.to_thread(node.start)
                except DidNotStart as error:
                    _say(str(error))
                else:
                    _say(f"{node.name} runs again: process {node.pid}.")

    def what_to_try(self) -> str:
        api = f"{self.nginx.url}/api/v1/orders"
        first, second, third = self.nodes
        update = """-H "Content-Type: application/json" -d '{"status": "preparing"}'"""
        lines = [
            f"The cluster is ready at {self.nginx.url} (nginx, round robin). {ORDERS} customers wait for their orders.",
            *(f"  {node.name}  {node.url}  process {node.pid}" for node in self.nodes),
            f"  PostgreSQL  {self.postgres.url}",
            *([] if self.redis is None else [f"  Redis  {self.redis.url}"]),
            "",
            "Try, in another terminal:",
            "  Wait for an update on one node, and make it on another:",
            f'    curl "{first.url}/api/v1/orders/101/track?timeout=60"',
            f'    curl -X PUT "{second.url}/api/v1/orders/101/status" {update}',
            "  See the statistics of all nodes:",
            f'    curl "{api}/system/stats"',
            f"  Drain a node: its polls are answered within {DRAIN_WINDOW_S} s and move to the others. Or kill it:",
            f"    kill {third.pid}",
            f"    kill -9 {third.pid}",
        ]
        if self.redis is not None:
            pid = self.redis.child.process.pid
            lines += [
                "  Stop Redis: the first updates take up to 3 s, the next up to 1 s, and none is lost. Let it go on:",
                f"    kill -STOP {pid}",
                f"    kill -CONT {pid}",
            ]
        return "\n".join(("", *lines, "", "Ctrl-C ends everything and removes its files.", ""))


def _words(code: int) -> str:
    return f"exit status {code}" if code >= 0 else signal.Signals(-code).name


def _say(text: str) -> None:
    """Print a text on a line of its own, above the line of progress."""
    print(f"\r\x1b[K{text}" if sys.stdout.isatty() else text, flush=True)


def _progress(lunch: LunchHour, stats: Stats | None) -> str:
    if stats is None:
        return "no node answers"
    held = " ".join(f"{node.node}: {node.active_connections}" for node in sorted(stats.by_node, key=lambda n: n.node))
    latencies = sorted(lunch.latencies_ms)
    p50, p99 = (latencies[int(len(latencies) * share)] for share in (0.5, 0.99)) if latencies else (0.0, 0.0)
    return (
        f"held polls {held} | {lunch.updates:,} updates, {lunch.delivered:,} delivered | update to customer: "
        f"p50 {p50:.0f} ms, p99 {p99:.0f} ms | lost wake-ups {stats.lost_wakeups_total} | retries {lunch.retries}"
    )


async def _watch(demo: Demo, lunch: LunchHour) -> None:
    is_terminal = sys.stdout.isatty()
    shown_at_s = 0.0
    while True:
        await demo.restart_ended()
        line = _progress(lunch, await lunch.stats())
        if is_terminal:
            print(f"\r\x1b[K{line}", end="", flush=True)
        elif time.monotonic() - shown_at_s > LINE_EVERY_UNWATCHED_S:
            shown_at_s = time.monotonic()
            print(line, flush=True)
        await asyncio.sleep(LINE_EVERY_S)


async def _run(demo: Demo) -> None:
    lunch = LunchHour(demo.nginx.url)
    tasks = [asyncio.create_task(lunch.play()), asyncio.create_task(_watch(demo, lunch))]
    stopping = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    stopped = asyncio.create_task(stopping.wait())
    await asyncio.wait([stopped, *tasks], return_when=asyncio.FIRST_COMPLETED)
    for task in (stopped, *tasks):
        task.cancel()
    for task in tasks:
        with suppress(asyncio.CancelledError):
            await task


def main() -> None:
    logging.getLogger("ordertrack.client").setLevel(logging.ERROR)  # its retries are counted in the line of progress
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    try:
        with tempfile.TemporaryDirectory(prefix="ordertrack-lunch-") as folder, ExitStack() as stack:
            demo = Demo(Path(folder), stack)
            print(demo.what_to_try(), flush=True)
            asyncio.run(_run(demo))
            _say("Stopping ...")
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    except (NotInstalled, DidNotStart) as error:
        raise SystemExit(f"Error: {error}") from None


if __name__ == "__main__":
    main()
