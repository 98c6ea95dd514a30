"""The service layer's tests run in virtual time: when nothing is left to do, the clock jumps to the next timer.

So a hold of two minutes takes no time, deadlines are exact, and a test that would hang fails at once.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import AsyncIterator
from typing import Any

import pytest

from service.node import Node


class _JumpingSelector(selectors.DefaultSelector):
    def __init__(self) -> None:
        super().__init__()
        self.now_s = 1_000.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            ready = super().select(60.0)
            assert ready, "deadlock: every task waits and no timer runs"
            return ready
        ready = super().select(0)
        if not ready:
            self.now_s += timeout
        return ready


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now_s


class LoopClock:
    """Both clocks follow the loop's time; `jump_ms` is how far the wall clock was put forward or back."""

    START_MS = 1_795_342_530_000

    def __init__(self) -> None:
        self.jump_ms = 0

    def now_ms(self) -> int:
        return self.START_MS + self.jump_ms + round((self.monotonic_s() - 1_000) * 1000)

    def monotonic_s(self) -> float:
        return asyncio.get_running_loop().time()


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"loop_factory": VirtualTimeLoop}


@pytest.fixture
def clock() -> LoopClock:
    return LoopClock()


@pytest.fixture(params=[True, False], ids=["at-hand", "to-be-read"])
async def node(request: pytest.FixtureRequest, clock: LoopClock) -> AsyncIterator[Node]:
    """A node whose store has everything at hand, or nothing."""
    node = Node(clock, at_hand=request.param)
    await node.store.open(node.tracking.committed)
    yield node
    await node.tracking.close()
