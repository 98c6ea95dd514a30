"""Wait for what happens in another thread or process without a signal."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

BOUND_S = 60.0
LOOK_EVERY_S = 0.01


async def until(happened: Callable[[], object]) -> None:
    """Return once `happened` returns something true.

    Raises: TimeoutError, after BOUND_S seconds.
    """
    async with asyncio.timeout(BOUND_S):
        while not happened():  # noqa: ASYNC110 - nothing tells it
            await asyncio.sleep(LOOK_EVERY_S)
