"""A result that needs a future first, for callers that wait without a task."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from typing import Any, Generic, TypeVar

import msgspec

T_co = TypeVar("T_co", covariant=True)


class Pending(msgspec.Struct, Generic[T_co], frozen=True, gc=False):
    """`finish` is called once with the future, when it is done or cancelled. It returns the result or what is pending
    next, or raises an OrdertrackError.

    It may also be awaited.
    """

    future: asyncio.Future[Any]
    finish: Callable[[asyncio.Future[Any]], T_co | Pending[T_co]]

    def __await__(self) -> Generator[Any, Any, T_co]:
        outcome: T_co | Pending[T_co] = self
        while isinstance(outcome, Pending):
            try:
                yield from outcome.future.__await__()
            except asyncio.CancelledError:
                cancelled = asyncio.get_running_loop().create_future()
                cancelled.cancel()
                outcome.finish(cancelled)
                raise
            except Exception:  # noqa: BLE001 - `finish` raises it
                pass
            outcome = outcome.finish(outcome.future)
        return outcome
