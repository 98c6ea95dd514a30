"""Event loop lag: how late the loop runs a timer that is due. Every answer waits at least as long.

One timer, every PERIOD_S. A loop blocked for longer is reported once, with the whole delay.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

PERIOD_S = 0.5


class LoopLagTimer:
    """Call `record` with the lag in seconds, every PERIOD_S from `start` to `stop`."""

    def __init__(self, record: Callable[[float], None]) -> None:
        self._record = record
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        loop = asyncio.get_running_loop()
        due_s = loop.time() + PERIOD_S
        self._timer = loop.call_at(due_s, self._fire, loop, due_s)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _fire(self, loop: asyncio.AbstractEventLoop, due_s: float) -> None:
        self._record(max(0.0, loop.time() - due_s))
        self.start()
