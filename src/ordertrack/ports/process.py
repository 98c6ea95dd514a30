"""The process port: resources of this process as the operating system counts them."""

from __future__ import annotations

from typing import NamedTuple, Protocol


class ProcessView(NamedTuple):
    """`private_bytes` is memory without shared pages; `cpu_s` is the total; `started_at_s` is seconds since 1970."""

    cpu_s: float
    resident_bytes: int
    private_bytes: int
    open_files: int
    max_open_files: int
    started_at_s: float


class ProcessFigures(Protocol):
    """Each method is called on the event loop and does not wait."""

    def memory_bytes(self) -> int:
        """Return the memory without shared pages."""

    def cpu_percent(self) -> float:
        """Return the use since the last call, in percent of one core."""

    def view(self) -> ProcessView: ...
