"""This process as the operating system sees it."""

from __future__ import annotations

import psutil


class PsutilProcess:
    def __init__(self) -> None:
        self._process = psutil.Process()
        self._process.cpu_percent()

    def memory_bytes(self) -> int:
        memory = self._process.memory_info()
        return int(memory.rss - getattr(memory, "shared", 0))

    def cpu_percent(self) -> float:
        return float(self._process.cpu_percent())
