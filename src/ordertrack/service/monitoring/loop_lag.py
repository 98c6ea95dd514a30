"""How late the event loop comes to what is due: whoever waits for an answer waits at least as long.

One timer, twice a second. A loop that was busy for longer is seen once, with the whole time it was late.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

PERIOD_S = 0.5


class LoopWatch:
    """`lagged` is told the lag in seconds, every PERIOD_S from `start` to `stop`."""

    def __init__(self, lagged: Callable[[float], None]) -> None:
        self._lagged = lagged
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        loop = asyncio.get_running_loop()
        due_s = loop.time() + PERIOD_S
        self._timer = loop.call_at(due_s, self._look, loop, due_s)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self, loop: asyncio.AbstractEventLoop, due_s: float) -> None:
        self._lagged(max(0.0, loop.time() - due_s))
        self.start()
