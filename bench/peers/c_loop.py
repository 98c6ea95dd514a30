"""The C loop (loop.c), compiled when it starts: the least that the same requests and answers can cost."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.contenders import Running, Skipped, ordertrack_like
from bench.peers.process import peer_process
from ordertrack.load import OrdertrackProtocol

SOURCE = Path(__file__).parent / "loop.c"


class CLoop:
    """With `fdatasync`, it writes each update to a file and syncs it before it answers."""

    def __init__(self, name: str, *, fdatasync: bool = False) -> None:
        self.name = name
        self._fdatasync = fdatasync

    @contextmanager
    def running(self, *, hold_s: float, polls: int) -> Iterator[Running]:
        with peer_process(self._command) as (target, process):
            yield ordertrack_like(self.name, target, OrdertrackProtocol(hold_s), [process])

    def _command(self, folder: Path, port: int) -> list[str]:
        program = compiled(folder)
        return [str(program), str(port), *([str(folder / "updates")] if self._fdatasync else [])]


def compiled(folder: Path) -> Path:
    """Compile loop.c into the folder and return the program. Raises: Skipped."""
    if shutil.which("cc") is None:
        raise Skipped("there is no C compiler `cc` here (on Debian: packages gcc and libc6-dev)")
    program = folder / "loop"
    done = subprocess.run(["cc", "-O2", "-o", str(program), str(SOURCE)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise Skipped(f"{SOURCE.name} cannot be compiled: {done.stderr.strip()[-300:]}")
    return program
