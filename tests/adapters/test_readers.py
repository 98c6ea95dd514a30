"""Reader threads: reads that wait are done together, and each has its own result."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from typing import Any

import pytest

from ordertrack.adapters.shared.commit_cache import CommitCache
from ordertrack.adapters.sqlite import readers as sqlite_readers
from ordertrack.adapters.sqlite.readers import Readers
from ordertrack.adapters.system.clock import SystemClock
from ordertrack.core.errors import StoreUnavailable

pytestmark = pytest.mark.anyio

BOUND_S = 60


@pytest.fixture
async def readers() -> AsyncIterator[Readers]:
    """One thread."""
    connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    readers = Readers("test", [connection], threading.Lock(), SystemClock(), BOUND_S, 1_000)
    async with asyncio.timeout(BOUND_S):
        yield readers
    assert await readers.close(BOUND_S)


@pytest.fixture
def busy(readers: Readers) -> Iterator[Callable[[], None]]:
    """Keep the thread busy until this is called."""
    free = threading.Event()
    readers.read(lambda connection: free.wait(BOUND_S))
    yield free.set
    free.set()


class Loads:
    """A cache, and the groups of keys that were loaded for it. The value of a key is twice the key; 13 is damaged."""

    def __init__(self, readers: Readers) -> None:
        self.groups: list[list[int]] = []
        self.cache: CommitCache[int, int] = CommitCache(1_000)
        self._readers = readers
        self._load = self.load

    def load(self, connection: sqlite3.Connection, keys: Sequence[int]) -> Mapping[int, Any]:
        self.groups.append(list(keys))
        if 99 in keys:
            raise sqlite3.OperationalError("disk I/O error")
        return {key: KeyError(key) if key == 13 else key * 2 for key in keys}

    def read(self, key: int) -> asyncio.Future[int]:
        return self.cache.read(key, lambda key, waiting: self._readers.submit(self._load, key, waiting))


@pytest.fixture
def loads(readers: Readers) -> Loads:
    return Loads(readers)


async def test_waiting_reads_are_one_group(loads: Loads, busy: Callable[[], None]) -> None:
    reads = [loads.read(key) for key in range(5)]
    busy()
    assert await asyncio.gather(*reads) == [0, 2, 4, 6, 8]
    assert loads.groups == [[0, 1, 2, 3, 4]]


async def test_a_group_is_bounded(loads: Loads, busy: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_readers, "MAX_TOGETHER", 2)
    reads = [loads.read(key) for key in range(5)]
    busy()
    await asyncio.gather(*reads)
    assert loads.groups == [[0, 1], [2, 3], [4]]


async def test_reads_of_another_kind_keep_their_turn(readers: Readers, loads: Loads, busy: Callable[[], None]) -> None:
    reads: list[asyncio.Future[Any]] = [loads.read(1), loads.read(2)]
    reads += [readers.read(lambda connection: list(loads.groups)), loads.read(3)]
    busy()
    assert await asyncio.gather(*reads) == [2, 4, [[1, 2]], 6]
    assert loads.groups == [[1, 2], [3]]


async def test_callers_of_one_key_share_a_read(loads: Loads, busy: Callable[[], None]) -> None:
    reads = [loads.read(7) for _ in range(10)]
    busy()
    assert await asyncio.gather(*reads) == [14] * 10
    assert loads.groups == [[7]]


async def test_a_caller_that_gives_up_cancels_only_itself(loads: Loads, busy: Callable[[], None]) -> None:
    first, second = loads.read(7), loads.read(7)
    first.cancel()
    busy()
    assert await second == 14


async def test_a_read_that_all_callers_gave_up_is_skipped(loads: Loads, busy: Callable[[], None]) -> None:
    for read in (loads.read(7), loads.read(7), loads.read(8)):
        read.cancel()
    again, other = loads.read(7), loads.read(9)
    busy()
    assert (await again, await other) == (14, 18)
    assert loads.groups == [[7, 9]]
    assert loads.cache._pending == {}


async def test_a_key_fails_alone(loads: Loads, busy: Callable[[], None]) -> None:
    reads = [loads.read(key) for key in (12, 13, 14, 13)]
    busy()
    outcomes = await asyncio.gather(*reads, return_exceptions=True)
    assert [outcome if isinstance(outcome, int) else type(outcome) for outcome in outcomes] == [
        24, KeyError, 28, KeyError,
    ]  # fmt: skip
    assert loads.cache._pending == {}


async def test_a_failing_medium_fails_the_group(loads: Loads, busy: Callable[[], None]) -> None:
    reads = [loads.read(key) for key in (1, 99)]
    busy()
    outcomes = await asyncio.gather(*reads, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [StoreUnavailable] * 2
    assert await loads.read(1) == 2


async def test_a_commit_during_a_read_is_its_result(loads: Loads, busy: Callable[[], None]) -> None:
    reads = [loads.read(key) for key in (12, 13)]
    loads.cache.commit({12: 1, 13: 2}, only_if_used=True)
    reads.append(loads.read(12))
    busy()
    assert await asyncio.gather(*reads) == [1, 2, 1]
    assert loads.cache.get(12) == 1
