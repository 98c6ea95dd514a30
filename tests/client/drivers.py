"""Both clients behind one interface, so that every test runs with each: a complete `track`, the first
updates of any tracking, or one call."""

from __future__ import annotations

import asyncio
import itertools
from contextlib import aclosing
from typing import Any, Protocol

from ordertrack.client import AsyncOrdertrackClient, Connection, LearnedHold, OrdertrackClient, Pace, Update

FAST = Pace(first_hold_s=0.2, min_hold_s=0.1, max_hold_s=0.4, margin_s=1.0, quick_s=0.0)
"""Holds short enough for tests of silence. The waits after trouble are recorded and not slept, and by the clients'
clock every poll takes a second, as if it had been held."""


class Driver(Protocol):
    slept: list[float]
    connections: list[Connection]
    learned_hold: LearnedHold | None
    """Passed from the client of one `track` to that of the next."""

    def track(self, url: str, order_id: int = 101, **options: Any) -> list[Update]: ...

    def take(self, count: int, url: str, method: str, *args: Any, **options: Any) -> list[Any]: ...

    def call(self, url: str, method: str, *args: Any, **kwargs: Any) -> Any: ...


class SyncDriver:
    def __init__(self) -> None:
        self.slept: list[float] = []
        self.connections: list[Connection] = []
        self.learned_hold: LearnedHold | None = None

    def _client(self, url: str) -> OrdertrackClient:
        return OrdertrackClient(
            url,
            learned_hold=self.learned_hold,
            sleep=self.slept.append,
            random=lambda: 0.5,
            monotonic=itertools.count().__next__,
        )

    def track(self, url: str, order_id: int = 101, **options: Any) -> list[Update]:
        with self._client(url) as client:
            updates = list(client.track(order_id, on_connection=self.connections.append, **{"pace": FAST, **options}))
            self.learned_hold = client.learned_hold
            return updates

    def take(self, count: int, url: str, method: str, *args: Any, **options: Any) -> list[Any]:
        with self._client(url) as client:
            updates = getattr(client, method)(*args, on_connection=self.connections.append, **{"pace": FAST, **options})
            return list(itertools.islice(updates, count))

    def call(self, url: str, method: str, *args: Any, **kwargs: Any) -> Any:
        with self._client(url) as client:
            return getattr(client, method)(*args, **kwargs)


class AsyncDriver:
    def __init__(self) -> None:
        self.slept: list[float] = []
        self.connections: list[Connection] = []
        self.learned_hold: LearnedHold | None = None

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)

    def _client(self, url: str) -> AsyncOrdertrackClient:
        return AsyncOrdertrackClient(
            url,
            learned_hold=self.learned_hold,
            sleep=self._sleep,
            random=lambda: 0.5,
            monotonic=itertools.count().__next__,
        )

    def track(self, url: str, order_id: int = 101, **options: Any) -> list[Update]:
        async def run() -> list[Update]:
            async with self._client(url) as client:
                updates = client.track(order_id, on_connection=self.connections.append, **{"pace": FAST, **options})
                delivered = [update async for update in updates]
                self.learned_hold = client.learned_hold
                return delivered

        return asyncio.run(run())

    def take(self, count: int, url: str, method: str, *args: Any, **options: Any) -> list[Any]:
        async def run() -> list[Any]:
            async with self._client(url) as client:
                follow = getattr(client, method)
                updates = follow(*args, on_connection=self.connections.append, **{"pace": FAST, **options})
                async with aclosing(updates):
                    return [await anext(updates) for _ in range(count)]

        return asyncio.run(run())

    def call(self, url: str, method: str, *args: Any, **kwargs: Any) -> Any:
        async def run() -> Any:
            async with self._client(url) as client:
                return await getattr(client, method)(*args, **kwargs)

        return asyncio.run(run())
