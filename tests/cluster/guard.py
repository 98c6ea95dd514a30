"""End all processes of a run when the process that started them is gone, even killed, and remove its folder.

    guard.py MARKER FOLDER < pipe

Every process of a run has MARKER in its environment. The pipe ends when its writer does. "keep" in it keeps the folder.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

VARIABLE = "CLUSTER_CHECKER_RUN"
ROUNDS = 100
PAUSE_S = 0.05


class Guard:
    """The guard of a run. `close` ends what is left and, unless `keep`, removes the folder."""

    def __init__(self, folder: Path) -> None:
        self.environment = {VARIABLE: uuid.uuid4().hex}
        self._process = subprocess.Popen(
            [sys.executable, __file__, self.environment[VARIABLE], str(folder)],
            stdin=subprocess.PIPE,
            start_new_session=True,
        )

    def close(self, *, keep: bool) -> None:
        self._process.communicate(b"keep" if keep else b"", timeout=60)


def marked(marker: str) -> Iterator[int]:
    """Yield the ids of the processes with the marker."""
    wanted = f"{VARIABLE}={marker}".encode()
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and int(folder.name) != os.getpid():
            with contextlib.suppress(OSError):
                if wanted in (folder / "environ").read_bytes().split(b"\0"):
                    yield int(folder.name)


def main() -> None:
    marker, folder = sys.argv[1:]
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    words = sys.stdin.read()
    for _ in range(ROUNDS):
        left = list(marked(marker))
        if not left:
            break
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(PAUSE_S)
    if "keep" not in words:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
