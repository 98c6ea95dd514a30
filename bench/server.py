"""Starts the real server for a measurement and looks at it from outside."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

import psutil

READY_WITHIN_S = 30.0
STOPPED_WITHIN_S = 30.0


@dataclass(frozen=True)
class Server:
    """A running server. `private_bytes` is memory that no other process shares."""

    host: str
    port: int
    process: psutil.Process

    def private_bytes(self) -> int:
        return int(self.process.memory_full_info().uss)

    def cpu_s(self) -> float:
        times = self.process.cpu_times()
        return float(times.user + times.system)


@asynccontextmanager
async def server(*flags: str) -> AsyncIterator[Server]:
    with TemporaryDirectory(prefix="ordertrack-bench-") as folder:
        data_dir = str(Path(folder) / "data")
        command = (sys.executable, "-m", "ordertrack", "serve", "--port", "0", "--json", "--data-dir", data_dir)
        child = await asyncio.create_subprocess_exec(*command, *flags, stdout=asyncio.subprocess.PIPE)
        assert child.stdout is not None
        try:
            ready = json.loads(await asyncio.wait_for(child.stdout.readline(), READY_WITHIN_S))
            url = urlsplit(ready["url"])
            yield Server(url.hostname or "", url.port or 0, psutil.Process(child.pid))
        finally:
            if child.returncode is None:
                child.terminate()
            await asyncio.wait_for(child.wait(), STOPPED_WITHIN_S)
