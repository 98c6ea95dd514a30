"""A slow disk or query: callers get their results at the limits, and no work accumulates."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from ordertrack.adapters.sqlite import store as sqlite_store
from ordertrack.adapters.sqlite import writer as sqlite_writer
from ordertrack.adapters.sqlite.database import SQL
from ordertrack.adapters.sqlite.store import SqliteStore, _Open
from ordertrack.adapters.system.clock import SystemClock
from ordertrack.core.errors import OrderNotFound, OutcomeUnknown, StoreBusy, StoreUnavailable
from ordertrack.core.feed import FeedKey, FeedKind
from ordertrack.core.order import NewOrder
from ordertrack.core.order_rules import AssignCourier
from ordertrack.ports.commits import Committed
from ordertrack.ports.order_store import OrderFilter
from ordertrack.ports.store import StoreCannotOpen
from support.waiting import until

pytestmark = pytest.mark.anyio

NOW_MS, BOUND_S, LIMIT_S = 1_795_342_530_000, 60, 0.2
COLD = FeedKey(FeedKind.COURIER, "cold")
LISTS = OrderFilter(limit=5)


class Stall:
    """Block the threads that run statements with this beginning inside the driver, as a disk does."""

    def __init__(self) -> None:
        self.beginning = "nothing"
        self.waiting = threading.Semaphore(0)
        self._over = threading.Event()

    def trace(self, statement: str) -> None:
        if statement.startswith(self.beginning):
            self.waiting.release()
            assert self._over.wait(BOUND_S)

    def end(self) -> None:
        self._over.set()


@pytest.fixture
def stall(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stall]:
    stall = Stall()
    connect = sqlite3.connect

    def connected(*arguments: Any, **options: Any) -> sqlite3.Connection:
        connection = connect(*arguments, **options)
        connection.set_trace_callback(stall.trace)
        return connection

    monkeypatch.setattr(sqlite3, "connect", connected)
    yield stall
    stall.end()


@pytest.fixture
async def store(tmp_path: Path, stall: Stall, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[SqliteStore]:
    """A store with one order and short limits."""
    monkeypatch.setattr(sqlite_store, "READ_LIMIT_S", LIMIT_S)
    monkeypatch.setattr(sqlite_store, "LIST_LIMIT_S", LIMIT_S)
    monkeypatch.setattr(sqlite_store, "MAX_READS_WAITING", 3)
    monkeypatch.setattr(sqlite_writer, "COMMIT_LIMIT_S", LIMIT_S)
    store = SqliteStore(tmp_path, SystemClock())
    await store.open(lambda commits: None)
    await store.create(NewOrder("c1", "r1"), NOW_MS)
    async with asyncio.timeout(BOUND_S):
        yield store
    stall.end()
    await store.close()


def open_parts(store: SqliteStore) -> _Open:
    assert store._open is not None
    return store._open


def assign(store: SqliteStore, courier_id: str) -> asyncio.Task[Any]:
    return asyncio.ensure_future(store.apply([AssignCourier(1, courier_id, "test")], NOW_MS))


async def test_a_stalled_read_is_store_unavailable(store: SqliteStore, stall: Stall) -> None:
    stall.beginning = "SELECT"
    assert store.trouble is None
    for read in (lambda: store.feed_version(COLD), lambda: store.order(77), lambda: store.orders(LISTS)):
        with pytest.raises(StoreUnavailable) as refused:
            await read()
        assert refused.value.retry_after_s >= 1
    assert store.trouble == "waiting for its disk"
    assert store.peek(1) is not None, "what is cached is there all the same"
    stall.end()
    await until(lambda: store.trouble is None)
    assert await store.feed_version(COLD) == 0


async def test_stalled_readers_collect_no_work(store: SqliteStore, stall: Stall) -> None:
    stall.beginning = "SELECT"
    reads = [store.feed_version(FeedKey(FeedKind.COURIER, f"d{n}")) for n in range(20)]
    outcomes = await asyncio.gather(*reads, return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {StoreBusy, StoreUnavailable}
    for _ in range(20):
        with pytest.raises((StoreBusy, StoreUnavailable)):
            await store.feed_version(COLD)
    queue = open_parts(store).readers._queue
    assert queue.qsize() <= 3
    begun: list[str] = []
    stall.trace = begun.append  # type: ignore[method-assign]
    stall.end()
    await until(queue.empty)
    with pytest.raises(OrderNotFound):
        await store.order(77)
    assert len([statement for statement in begun if statement.startswith("BEGIN")]) <= 2, "the callers had gone"


async def test_a_slow_list_delays_no_poll(store: SqliteStore, stall: Stall) -> None:
    stall.beginning = SQL["orders"].partition(" WHERE")[0]
    listing = asyncio.create_task(store.orders(LISTS))
    assert await asyncio.to_thread(stall.waiting.acquire, timeout=BOUND_S)
    with pytest.raises(OrderNotFound):
        await store.order(77)
    assert await store.feed_version(COLD) == 0
    assert not listing.done()
    assert store.trouble is None
    stall.end()
    await asyncio.wait([listing])


async def test_an_endless_query_is_interrupted(store: SqliteStore) -> None:
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
    readers = open_parts(store).readers
    for _ in range(3):
        with pytest.raises(StoreUnavailable):
            await store._read(lambda connection: connection.execute(endless).fetchall())
    await until(lambda: not readers.stalled)
    assert await store.feed_version(COLD) == 0


async def test_an_unconfirmed_change_is_made_and_announced(store: SqliteStore, stall: Stall) -> None:
    """Contract clause 10: its outcome is unknown; the changes behind it are refused."""
    commits: list[Committed] = []
    store._listeners = (lambda committed: commits.extend(committed),)
    stall.beginning = "COMMIT"
    in_commit = assign(store, "d1")
    assert await asyncio.to_thread(stall.waiting.acquire, timeout=BOUND_S)
    behind = assign(store, "d2")
    with pytest.raises(OutcomeUnknown):
        await in_commit
    with pytest.raises(StoreUnavailable):
        await behind
    assert store.trouble == "waiting for its disk"
    with pytest.raises(StoreUnavailable):  # what is committing may be seen, and is not announced
        await store.orders(LISTS)
    stall.end()
    await until(lambda: store.waiting == 0)
    assert [(commit.order.version, commit.order.courier_id) for commit in commits] == [(2, "d1")]
    assert store.trouble is None
    assert (await assign(store, "d3"))[0].order.version == 3


@pytest.mark.parametrize("beginning", ["SELECT", "COMMIT"])
async def test_closing_a_stalled_store_ends(store: SqliteStore, stall: Stall, beginning: str) -> None:
    stall.beginning = beginning
    tasks = [assign(store, "d1"), *(store.feed_version(COLD) for _ in range(3))]
    assert await asyncio.to_thread(stall.waiting.acquire, timeout=BOUND_S)
    await store.close(LIMIT_S)
    with pytest.raises(StoreUnavailable):
        await store.order(77)
    with pytest.raises(StoreCannotOpen):  # nothing else may write while this may still do
        await SqliteStore(store.path.parent, SystemClock()).open(lambda commits: None)
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_cancelled_read_does_not_begin(store: SqliteStore, stall: Stall) -> None:
    stall.beginning = "SELECT"
    blocking = []
    for n in range(2):  # one after the other: together, one thread would read both
        blocking.append(store.feed_version(FeedKey(FeedKind.COURIER, f"d{n}")))
        assert await asyncio.to_thread(stall.waiting.acquire, timeout=BOUND_S)
    begun: list[object] = []
    store._read(begun.append).cancel()
    stall.end()
    await asyncio.gather(*blocking, return_exceptions=True)
    assert await store.feed_version(COLD) == 0
    assert begun == []
