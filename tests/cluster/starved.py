"""Measures when processes of a run had no CPU although they could run, and when this process was late itself."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from cluster.history import Starvation

EVERY_S = 0.1
LEAST_S = 0.005


async def measure(starvation: Starvation, pids: Callable[[], Iterator[int]]) -> None:
    """Record for each EVERY_S the longest wait of one process, until cancelled."""
    waited_s: dict[int, float] = {}
    due_s = time.monotonic() + EVERY_S
    while True:
        await asyncio.sleep(max(0, due_s - time.monotonic()))
        now_s = time.monotonic()
        before_s, waited_s = waited_s, {pid: _waited_s(pid) for pid in pids()}
        longest_s = max((waited_s[pid] - before_s.get(pid, waited_s[pid]) for pid in waited_s), default=0.0)
        longest_s = max(longest_s, now_s - due_s)
        if longest_s > LEAST_S:
            starvation.add(now_s, longest_s)
        due_s = now_s + EVERY_S


def _waited_s(pid: int) -> float:
    """Return the seconds the main thread of a process has waited in the run queue."""
    try:
        return int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]) / 1e9
    except (OSError, IndexError):
        return 0.0
