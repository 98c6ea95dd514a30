"""FastAPI and Flask, in a separate venv installed from bench/peers.lock."""

from __future__ import annotations

import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil

from bench.contenders import Running, Skipped, free_port, ordertrack_like, pinned, stop, wait_for_port
from ordertrack.load import LoadTarget, OrdertrackProtocol

HERE = Path(__file__).parent
VENV = HERE.parent / ".venv-peers"
LOCK = HERE.parent / "peers.lock"
STAMP = VENV / ".installed"


class PythonPeer:
    """A Python server. `most` is the number of polls it is tested with at most."""

    def __init__(self, name: str, script: str, *, most: int) -> None:
        self.name, self.most = name, most
        self._script = HERE / script

    @contextmanager
    def running(self, *, hold_s: float, polls: int) -> Iterator[Running]:
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        port = free_port()
        with TemporaryDirectory(prefix="ordertrack-bench-peer-") as folder:
            log = Path(folder) / "log"
            with log.open("wb") as stderr:
                command = pinned([str(_python()), str(self._script), str(port)])
                server = subprocess.Popen(command, stdout=stderr, stderr=stderr, text=True)
            try:
                wait_for_port(port, server)
                target = LoadTarget("127.0.0.1", port)
                yield ordertrack_like(self.name, target, OrdertrackProtocol(hold_s), [psutil.Process(server.pid)])
            finally:
                stop(server)


def _python() -> Path:
    """Return the peers' Python, after installing them if the lock file is newer. Raises: Skipped."""
    python = VENV / "bin" / "python"
    if STAMP.exists() and STAMP.stat().st_mtime >= LOCK.stat().st_mtime:
        return python
    install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes"]
    for command in ([sys.executable, "-m", "venv", VENV], [*install, "--requirement", LOCK]):
        done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
        if done.returncode:
            raise Skipped(f"its packages cannot be installed: {done.stderr.strip()[-300:]}")
    STAMP.touch()
    return python


def versions() -> str:
    script = (
        "from importlib.metadata import version as v; print(*(f'{n} {v(n)}' for n in ('fastapi','uvicorn','flask')))"
    )
    return subprocess.run([str(_python()), "-c", script], capture_output=True, text=True, check=True).stdout.strip()
