"""Servers of signals and recording nodes for the tests of the signal contract. A new signal needs a line in SERVERS."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Protocol
from urllib.parse import urlsplit

import pytest

from ordertrack.adapters.memory.signal import Bus, MemorySignal
from ordertrack.adapters.postgres.signal import PostgresSignal
from ordertrack.adapters.redis.signal import RedisSignal
from ordertrack.adapters.shared.reconnecting_signal import SignalLimits
from ordertrack.ports.signal import Signal
from servers.fault_proxy import FaultProxy
from servers.postgres import Postgres
from servers.redis import Redis, RedisCluster, client

BOUND_S = 60
QUEUED = 2_000
LIMITS = SignalLimits(queued=QUEUED, first_pause_s=0.01, longest_pause_s=0.1)
IMPATIENT = replace(LIMITS, connect_s=0.5, silence_s=0.6)


class SignalServer(Protocol):
    """The server of one kind of signal."""

    def signal(self, prefix: str, limits: SignalLimits) -> Signal: ...

    def stop(self) -> None: ...

    def start(self) -> None: ...

    def close(self) -> None: ...


class BusServer:
    def __init__(self, folder: Path) -> None:
        self.buses: dict[str, Bus] = {}

    def signal(self, prefix: str, limits: SignalLimits) -> Signal:
        return MemorySignal(self.buses.setdefault(prefix, Bus()), queued=limits.queued)

    def stop(self) -> None:
        for bus in self.buses.values():
            bus.stop()

    def start(self) -> None:
        for bus in self.buses.values():
            bus.start()

    def close(self) -> None:
        self.buses.clear()


class RealServer:
    """A server that listens on one port. `through` gives signals that reach it through a proxy."""

    def __init__(self, server: Redis | Postgres) -> None:
        self.server = server
        self.port = server.port
        self.url = server.url

    def guard(self, password: str) -> str:
        """Make the user `guarded`, and return the URL that it needs."""
        if isinstance(self.server, Redis):
            with client(self.port) as commands:
                commands.execute_command("ACL", "SETUSER", "guarded", "on", f">{password}", "+@all", "~*", "&*")
            return self.url.replace("//", f"//guarded:{password}@")
        self.server.execute(f"DROP ROLE IF EXISTS guarded; CREATE ROLE guarded LOGIN PASSWORD '{password}'")
        rules = self.server.data / "pg_hba.conf"
        rule = "host all guarded 127.0.0.1/32 scram-sha-256\n"
        rules.write_text(rule + rules.read_text().replace(rule, ""))
        self.server.execute("SELECT pg_reload_conf()")
        return self.url.replace("ordertrack@", f"guarded:{password}@")

    def signal(self, prefix: str, limits: SignalLimits) -> Signal:
        return new_signal(self.url, prefix, limits)

    def through(self, proxy: FaultProxy, prefix: str, limits: SignalLimits) -> Signal:
        return new_signal(self.url.replace(str(self.port), str(proxy.port)), prefix, limits)

    def stop(self) -> None:
        if isinstance(self.server, Redis):
            self.server.kill()
        else:
            self.server.crash()

    def start(self) -> None:
        self.server.start()

    def close(self) -> None:
        self.server.close()


class ClusterServer:
    def __init__(self, folder: Path) -> None:
        self.cluster = RedisCluster(folder)

    def signal(self, prefix: str, limits: SignalLimits) -> Signal:
        return RedisSignal(self.cluster.url, prefix, limits=limits)

    def stop(self) -> None:
        self.cluster.kill()

    def start(self) -> None:
        self.cluster.start()

    def close(self) -> None:
        self.cluster.close()


REMOTE = pytest.mark.parametrize("server", ["redis", "postgresql"], indirect=True)
"""The signals with connections that a proxy can break."""
SERVERS: dict[str, Callable[[Path], SignalServer]] = {
    "in-process": BusServer,
    "redis": lambda folder: RealServer(Redis(folder)),
    "redis-cluster": ClusterServer,
    "postgresql": lambda folder: RealServer(Postgres(folder, durable=False)),
}


def new_signal(url: str, prefix: str, limits: SignalLimits = LIMITS) -> Signal:
    if urlsplit(url).scheme.startswith("redis"):
        return RedisSignal(url, prefix, limits=limits)
    return PostgresSignal(url, prefix, limits=limits)


@dataclass
class Node:
    """A node of a cluster: it records what its signal calls."""

    signal: Signal

    def __post_init__(self) -> None:
        self.received: list[tuple[int, str]] = []
        self.is_interested = True
        self.calls: list[str] = []
        self._changed = asyncio.Event()

    async def __aenter__(self) -> Node:
        async with asyncio.timeout(BOUND_S):
            await self.signal.open(self._receive, lambda: self._call("interrupted"), lambda: self._call("restored"))
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None):
        async with asyncio.timeout(BOUND_S):
            await self.signal.close()

    def _receive(self, channel: int, text: str) -> bool:
        assert asyncio.get_running_loop()
        self.received.append((channel, text))
        self._changed.set()
        return self.is_interested

    def _call(self, name: str) -> None:
        self.calls.append(name)
        self._changed.set()

    async def until(self, is_so: Callable[[], bool]) -> None:
        async with asyncio.timeout(BOUND_S):
            while not is_so():
                self._changed.clear()
                await self._changed.wait()

    async def until_received(self, *messages: tuple[int, str]) -> None:
        await self.until(lambda: set(messages) <= set(self.received))

    async def until_called(self, name: str) -> None:
        await self.until(lambda: name in self.calls)

    async def subscribe(self, *channels: int) -> None:
        for channel in channels:
            await self.signal.subscribe(channel)


async def open_and_close(signal: Signal) -> None:
    async with Node(signal):
        pass
