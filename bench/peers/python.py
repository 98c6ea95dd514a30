"""FastAPI, Flask and granian, in a separate venv installed from bench/peers.lock."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.contenders import Running, Skipped, ordertrack_like
from bench.peers.process import peer_process
from ordertrack.load import OrdertrackProtocol

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
        with peer_process(self._command) as (target, process):
            yield ordertrack_like(self.name, target, OrdertrackProtocol(hold_s), [process])

    def _command(self, folder: Path, port: int) -> list[str]:
        return [str(peers_python()), str(self._script), str(port)]


def peers_python() -> Path:
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
    script = "import sys; from importlib.metadata import version as v; print(*(f'{n} {v(n)}' for n in sys.argv[1:]))"
    command = [str(peers_python()), "-c", script, "fastapi", "uvicorn", "flask", "granian", "sqlalchemy"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
