"""The process of a peer, on a free port and with a folder that is removed with it."""

from __future__ import annotations

import resource
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil

from bench.contenders import Skipped, free_port, pinned, stop, wait_for_port
from ordertrack.load import LoadTarget


@contextmanager
def peer_process(command: Callable[[Path, int], Sequence[str]]) -> Iterator[tuple[LoadTarget, psutil.Process]]:
    """Start the command for that folder and port, and stop it at the end of the block. Raises: Skipped."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    port = free_port()
    with TemporaryDirectory(prefix="ordertrack-bench-peer-") as name:
        folder = Path(name)
        log = folder / "log"
        with log.open("wb") as output:
            server = subprocess.Popen(pinned(command(folder, port)), stdout=output, stderr=output, text=True)
        try:
            wait_until_ready(port, server, log)
            yield LoadTarget("127.0.0.1", port), psutil.Process(server.pid)
        finally:
            stop(server)


def wait_until_ready(port: int, server: subprocess.Popen[str] | subprocess.Popen[bytes], log: Path) -> None:
    """Raises: Skipped, with the last line of the log, when the server ends or does not listen in time."""
    try:
        wait_for_port(port, server)
    except Skipped as reason:
        lines = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
        raise Skipped(f"{reason}: {lines[-1]}" if lines else str(reason)) from None
