"""The process port: what this process uses, in the operating system's view."""

from __future__ import annotations

from typing import NamedTuple, Protocol


class ProcessView(NamedTuple):
    """`private_bytes` is memory that only this process has; `cpu_s` is all it has used; `started_at_s` since 1970."""

    cpu_s: float
    resident_bytes: int
    private_bytes: int
    open_files: int
    max_open_files: int
    started_at_s: float


class ProcessFigures(Protocol):
    """Asked on the event loop: each method returns at once."""

    def memory_bytes(self) -> int:
        """Memory that only this process has."""

    def cpu_percent(self) -> float:
        """Of one core, since the last call."""

    def view(self) -> ProcessView: ...
