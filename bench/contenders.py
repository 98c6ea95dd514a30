"""The servers under test: a process on a free port, pinned to the first core, and its memory and CPU time."""

from __future__ import annotations

import json
import os
import secrets
import shlex
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

import jwt
import psutil

from ordertrack.load import (
    Feed,
    LoadTarget,
    OrdertrackProtocol,
    PollPool,
    ServerProtocol,
    create_feeds,
    fetch_statistics,
    loopback_target,
)

SERVER_CORE, GENERATOR_CORE = 0, 1
READY_WITHIN_S = 30.0
STOPPED_WITHIN_S = 40.0
IDLE_AFTER_S = 0.025
"""Longer than two ticks of the kernel's CPU times."""
POLLS_PER_ORDER = 10
FOLDERS = "ordertrack-bench-"
SHARED_MEMORY = ("/dev/zero", "/dev/shm", "/SYSV")


class Skipped(Exception):
    """The contender or the measurement is not available here; the message says why."""


@dataclass(frozen=True)
class Memory:
    """`private` is memory that no other process shares, including shared zones only this process has touched; `zones`
    is the content of shared zones (nginx keeps its messages there), also those that others have mapped."""

    private: int
    zones: int


@dataclass(frozen=True)
class Running:
    """A running server. `feeds` creates that many feeds to poll; `held` returns the number of polls it holds."""

    name: str
    target: LoadTarget
    protocol: ServerProtocol
    processes: list[psutil.Process]
    feeds: Callable[[PollPool, int], list[Feed]]
    held: Callable[[PollPool], int]
    lost_wakeups: Callable[[PollPool], int] = lambda pool: 0
    engines: dict[str, int] = field(default_factory=dict)
    """The process ids of the servers that it uses, by name."""

    def pool(self) -> PollPool:
        return PollPool(self.target, self.protocol)

    def connections_when_idle(self) -> int:
        """Return the number of open descriptors once the server sleeps and uses no CPU time: it has then read what it
        was sent. A request for statistics would add to its CPU time."""
        spent_s = -1.0
        while spent_s != (now_s := self.cpu_s()) or not self.is_asleep():
            spent_s = now_s
            time.sleep(IDLE_AFTER_S)
        return sum(process.num_fds() for process in self.processes)

    def is_asleep(self) -> bool:
        """Return True when the first thread of no process is running or ready to run."""
        return all(process.status() == psutil.STATUS_SLEEPING for process in self.processes)

    def written_bytes(self) -> int:
        """Return the bytes that the server has caused to be written to storage."""
        return sum(process.io_counters().write_bytes for process in self.processes)

    def memory(self) -> Memory:
        private = zones = 0
        for process in self.processes:
            for mapped in process.memory_maps(grouped=False):
                private += mapped.private_clean + mapped.private_dirty
                zones += mapped.pss if mapped.path.startswith(SHARED_MEMORY) else 0
        return Memory(private, zones)

    def engines_cpu_s(self) -> dict[str, float]:
        """Return the CPU time of each server that it uses, child processes included."""
        return {name: _cpu_s_of_tree(psutil.Process(pid)) for name, pid in self.engines.items()}

    def cpu_s(self) -> float:
        times = [process.cpu_times() for process in self.processes]
        return float(sum(each.user + each.system for each in times))


def _cpu_s_of_tree(process: psutil.Process) -> float:
    times = [each.cpu_times() for each in (process, *process.children(recursive=True))]
    of_ended = process.cpu_times()
    return float(sum(each.user + each.system for each in times) + of_ended.children_user + of_ended.children_system)


class Contender(Protocol):
    name: str

    def running(self, *, hold_s: float, polls: int) -> AbstractContextManager[Running]:
        """Start the server, and stop it at the end of the block. Raises: Skipped."""


class Ordertrack:
    """ordertrack, as users start it, with `flags` for `ordertrack serve`; `needs` is a setting that must exist."""

    def __init__(self, name: str, *flags: str, durable: bool, needs: str | None = None, tokens: bool = False) -> None:
        self.name = name
        self._flags, self._durable, self._needs, self._tokens = flags, durable, needs, tokens

    def with_flags(self, *flags: str) -> Ordertrack:
        return Ordertrack(
            self.name, *self._flags, *flags, durable=self._durable, needs=self._needs, tokens=self._tokens
        )

    @contextmanager
    def running(self, *, hold_s: float, polls: int) -> Iterator[Running]:
        with (
            TemporaryDirectory(prefix="ordertrack-bench-") as folder,
            self.serving(Path(folder), hold_s, polls) as server,
        ):
            yield server

    @contextmanager
    def serving(self, folder: Path, hold_s: float, polls: int) -> Iterator[Running]:
        """Run the server with its data in `folder`, of which it keeps what a server before it wrote."""
        if self._needs is not None and self._needs not in settings():
            raise Skipped(f"this version has no setting `{self._needs}`")
        command = [*product(), "serve", "--port", "0", "--json"]
        command += ["--data-dir", str(folder / "data"), "--no-sample-orders", "--log-level", "warning"]
        command += ["--max-held-polls", str(polls + 1_000), "--undo-window-s", "600"]
        command += ["--database-url", "sqlite:" if self._durable else "memory:", *self._flags]
        protocol = OrdertrackProtocol(hold_s)
        if self._tokens:
            secret = folder / "secret"
            secret.write_text(secrets.token_urlsafe(32))
            command += ["--token-secret-file", str(secret), "--polls-per-minute", "0"]
            command += ["--max-connections-per-order", "15"]  # one customer may hold 70 % of them and polls ten
            protocol = _with_tokens(hold_s, secret.read_text())
        log = folder / "log"
        with log.open("wb") as stderr:
            server = subprocess.Popen(pinned(command), stdout=subprocess.PIPE, stderr=stderr, text=True)
        try:
            target = loopback_target(_ready(server, log)["url"])
            yield ordertrack_like(self.name, target, protocol, [psutil.Process(server.pid)], _lost_wakeups)
        finally:
            stop(server)
            _show_log(self.name, log)


def _with_tokens(hold_s: float, secret: str) -> OrdertrackProtocol:
    """Return a protocol that updates as an administrator and polls as the customer, with a token for each order."""
    expires_at_s = int(time.time()) + 24 * 3600

    def token(**claims: object) -> str:
        return jwt.encode({**claims, "exp": expires_at_s}, secret, "HS256")

    @cache
    def poll_token(order_id: int, customer_id: str) -> str:
        return token(role="customer", sub=f"phone-{order_id}", customer_id=customer_id)

    return OrdertrackProtocol(hold_s, token(role="admin", sub="bench"), poll_token)


def ordertrack_like(
    name: str,
    target: LoadTarget,
    protocol: OrdertrackProtocol,
    processes: list[psutil.Process],
    lost_wakeups: Callable[[PollPool], int] = lambda pool: 0,
) -> Running:
    """Return a server with the protocol of ordertrack, or the part of it that polls and updates need."""
    return Running(
        name=name,
        target=target,
        protocol=protocol,
        processes=processes,
        feeds=create_feeds,
        held=lambda pool: int(fetch_statistics(pool)["active_connections"]),
        lost_wakeups=lost_wakeups,
    )


def _lost_wakeups(pool: PollPool) -> int:
    return int(fetch_statistics(pool)["lost_wakeups_total"])


def _ready(server: subprocess.Popen[str], log: Path) -> dict[str, str]:
    assert server.stdout is not None
    line = server.stdout.readline()
    if not line:
        status = server.wait(STOPPED_WITHIN_S)
        raise Skipped(f"the server ended with status {status}: {log.read_text(encoding='utf-8')[-300:].strip()}")
    ready: dict[str, str] = _data(line)
    return ready


def _show_log(name: str, log: Path) -> None:
    """Print the end of the log: a server that logs warnings is not in the state to be measured."""
    lines = log.read_text(encoding="utf-8").splitlines()
    if lines:
        print(f"  {name} logged {len(lines)} lines; the last: {lines[-1][:200]}", file=sys.stderr)


def stop(server: subprocess.Popen[str]) -> None:
    server.terminate()
    try:
        server.wait(STOPPED_WITHIN_S)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()
    if server.stdout is not None:
        server.stdout.close()


def product() -> list[str]:
    """Return the command `ordertrack` of this checkout, or of another version by ORDERTRACK_BENCH_COMMAND."""
    return shlex.split(os.environ.get("ORDERTRACK_BENCH_COMMAND", f"{sys.executable} -m ordertrack"))


def settings() -> set[str]:
    """Return the names of the settings of this version."""
    shown = subprocess.run([*product(), "config", "--json"], capture_output=True, text=True, check=True)
    answer = _data(shown.stdout)
    return {setting["name"] for setting in (answer["settings"] if isinstance(answer, dict) else answer)}


def _data(printed: str) -> Any:
    """Return the data a command printed as JSON; older versions print them without an envelope."""
    answer = json.loads(printed)
    return answer["data"] if isinstance(answer, dict) and "success" in answer else answer


def pinned(command: Sequence[str]) -> list[str]:
    """Return the command, pinned to the first core if possible."""
    if cores_apart():
        return ["taskset", "--cpu-list", str(SERVER_CORE), *command]
    return list(command)


def pin_generator() -> None:
    if cores_apart():
        os.sched_setaffinity(0, {GENERATOR_CORE})


def cores_apart() -> bool:
    """Return True if server and generator get a core each. Read from process 1, because this one may be pinned."""
    allowed = psutil.Process(1).cpu_affinity() or []
    return {SERVER_CORE, GENERATOR_CORE} <= set(allowed) and shutil.which("taskset") is not None


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for_port(port: int, server: subprocess.Popen[str] | subprocess.Popen[bytes]) -> None:
    """Raises: Skipped, when the server ends or does not listen in time."""
    deadline_s = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < deadline_s:
        if server.poll() is not None:
            raise Skipped(f"the server ended with status {server.returncode}")
        with socket.socket() as probe:
            probe.settimeout(1)
            if not probe.connect_ex(("127.0.0.1", port)):
                return
        time.sleep(0.05)
    raise Skipped(f"the server does not listen after {READY_WITHIN_S:g} s")
