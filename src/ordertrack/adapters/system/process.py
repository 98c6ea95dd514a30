"""The process port over psutil."""

from __future__ import annotations

import resource
from contextlib import suppress
from pathlib import Path

import psutil

from ordertrack.ports.process import ProcessView

_DESCRIPTORS = Path("/proc/self/fd")


class PsutilProcess:
    """Reading the figures needs a free descriptor. Without one, the last figures are returned."""

    def __init__(self) -> None:
        self._process = psutil.Process()
        self._cpu_percent = float(self._process.cpu_percent())
        self._view = self._read()

    def memory_bytes(self) -> int:
        return self.view().private_bytes

    def cpu_percent(self) -> float:
        with suppress(OSError):
            self._cpu_percent = float(self._process.cpu_percent())
        return self._cpu_percent

    def view(self) -> ProcessView:
        with suppress(OSError):
            self._view = self._read()
        return self._view

    def _read(self) -> ProcessView:
        cpu = self._process.cpu_times()
        memory = self._process.memory_info()
        return ProcessView(
            cpu_s=cpu.user + cpu.system,
            resident_bytes=int(memory.rss),
            private_bytes=int(memory.rss - getattr(memory, "shared", 0)),
            open_files=self._open_files(),
            max_open_files=resource.getrlimit(resource.RLIMIT_NOFILE)[0],
            started_at_s=self._process.create_time(),
        )

    def _open_files(self) -> int:
        """Use the count that Linux 6.2 and newer have: listing takes microseconds per descriptor, on the event loop."""
        try:
            return _DESCRIPTORS.stat().st_size or int(self._process.num_fds())
        except OSError:
            return int(self._process.num_fds())
