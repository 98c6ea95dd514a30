"""The SQLite store beyond the contract: its file, its lock, a failing disk, and races between threads."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from ordertrack.adapters.sqlite import checkpoints
from ordertrack.adapters.sqlite import readers as sqlite_readers
from ordertrack.adapters.sqlite import writer as sqlite_writer
from ordertrack.adapters.sqlite.database import FILE_NAME, LOCK_NAME, connect
from ordertrack.adapters.sqlite.store import SqliteStore
from ordertrack.adapters.system.clock import SystemClock
from ordertrack.core.errors import OrdertrackError, SimulationRunning, StoreBusy, StoreUnavailable
from ordertrack.core.event import Status
from ordertrack.core.feed import FeedKey, FeedKind
from ordertrack.core.order import Details, NewOrder, Order
from ordertrack.core.order_rules import AssignCourier, ChangeStatus
from ordertrack.core.simulation import WorkflowOptions
from ordertrack.ports.commits import Applied, Committed, Idempotency
from ordertrack.ports.order_store import OrderFilter
from ordertrack.ports.store import StoreCannotOpen
from support.waiting import until

pytestmark = pytest.mark.anyio

NOW_MS = 1_795_342_530_000
BOUND_S = 60
NOT_YET_S = 0.1
"""Seconds for which a test checks that something does not happen."""
CUSTOMER = FeedKey(FeedKind.CUSTOMER, "c1")
NEW = NewOrder("c1", "r1")
BIG = NewOrder("c1", "r1", details=Details(note="x" * 300_000))


class Listener:
    def __init__(self) -> None:
        self.calls: list[Sequence[Committed]] = []
        self.announced: dict[int, int] = {}

    def __call__(self, commits: Sequence[Committed]) -> None:
        self.calls.append(commits)
        self.announced.update({order.id: order.version for order, *_ in commits})


@asynccontextmanager
async def opened(folder: Path, listener: Any = None) -> AsyncIterator[SqliteStore]:
    store = SqliteStore(folder, SystemClock())
    async with asyncio.timeout(BOUND_S):
        await store.open(listener or Listener())
        try:
            yield store
        finally:
            await store.close()


async def cannot_open(folder: Path) -> str:
    """Return the message of the error, for the operator."""
    with pytest.raises(StoreCannotOpen) as refused:
        await SqliteStore(folder, SystemClock()).open(Listener())
    return str(refused.value)


async def placed(store: SqliteStore, new: NewOrder = NEW) -> Order:
    return (await store.create(new, NOW_MS)).order


async def assigned(store: SqliteStore, order: Order, courier_id: str) -> Order:
    (result,) = await store.apply([AssignCourier(order.id, courier_id, "test")], NOW_MS)
    assert isinstance(result, Applied), result
    return result.order


def to(order: Order, status: str) -> ChangeStatus:
    return ChangeStatus(order.id, Status(status), "test")


def writer_of(store: SqliteStore) -> sqlite_writer.Writer:
    assert store._open is not None
    return store._open.writer


def readers_of(store: SqliteStore) -> sqlite_readers.Readers:
    assert store._open is not None
    return store._open.readers


@asynccontextmanager
async def writer_busy(store: SqliteStore) -> AsyncIterator[None]:
    """Queue changes behind a commit in progress; they share the next commit."""
    under_way, go_on = threading.Event(), threading.Event()

    def job(transaction: object) -> None:
        under_way.set()
        assert go_on.wait(BOUND_S)

    blocking = writer_of(store).submit(job)
    assert await asyncio.to_thread(under_way.wait, BOUND_S)
    try:
        yield
        await asyncio.sleep(0)  # every task that was created has begun
    finally:
        go_on.set()
        await blocking


@asynccontextmanager
async def writer_busy_and_failing(store: SqliteStore) -> AsyncIterator[None]:
    """Do the same with a commit in progress that fails."""
    with suppress(StoreUnavailable):
        async with writer_busy(store):
            yield


# Reopening


async def test_reopening_restores_everything(tmp_path: Path) -> None:
    """Clauses 1, 8 and 9 of the contract, over the file."""
    key = Idempotency("key", "body")
    async with opened(tmp_path) as store:
        epoch = store.epoch
        created = await store.create(NewOrder("c1", "r1", "d1", "A-1"), NOW_MS, idempotency=key)
        order = await assigned(store, created.order, "d2")
        await store.apply([to(order, "picked_up")], NOW_MS)
        simulated = await placed(store)
        steps = await store.start_simulation(simulated.id, WorkflowOptions(), NOW_MS)
        order = await store.order(order.id)
        feeds = [FeedKey(FeedKind.COURIER, "d1"), FeedKey(FeedKind.COURIER, "d2"), CUSTOMER]
        changes = [await store.feed_changes(feed, after) for feed in feeds for after in (None, 0, 1)]
        counts = await store.orders_by_status()
    async with opened(tmp_path) as store:
        assert store.epoch == epoch
        assert await store.order(order.id) == order
        assert await store.orders(OrderFilter(limit=10)) == [simulated, order]
        assert [await store.feed_changes(feed, after) for feed in feeds for after in (None, 0, 1)] == changes
        assert await store.orders_by_status() == counts
        assert await store.simulations() == {simulated.id: steps}
        assert (await store.create(NewOrder("c1", "r1", "d1", "A-1"), NOW_MS, idempotency=key)).order == created.order
        (stepped,) = await store.apply(
            [ChangeStatus(simulated.id, Status.PREPARING, "simulator", simulated=(steps[0].seq, steps[0].due_at_ms))],
            NOW_MS,
        )
        assert isinstance(stepped, Applied)
        assert (await store.feed_changes(CUSTOMER, None)).version == changes[6].version + 1
        assert (await placed(store)).id == simulated.id + 1


async def test_an_announcement_says_when_the_change_was_requested(tmp_path: Path) -> None:
    """Also when the change waits for the commit of others. Of several changes of an order, the first counts."""
    listener, clock = Listener(), SystemClock()
    async with opened(tmp_path, listener) as store:
        order = await placed(store)
        async with writer_busy(store):
            before_s = clock.monotonic_s()
            first = store.apply([AssignCourier(order.id, "d1", "test")], NOW_MS)
            after_s = clock.monotonic_s()
            second = store.apply([AssignCourier(order.id, "d2", "test")], NOW_MS)
        await asyncio.gather(first, second)
    assert before_s <= listener.calls[-1][0].requested_at_s <= after_s


async def test_stores_of_different_folders_have_different_epochs(tmp_path: Path) -> None:
    async with opened(tmp_path / "a") as one, opened(tmp_path / "b") as other:
        assert one.epoch != other.epoch


KILLED = """
import asyncio, sys
from pathlib import Path
from ordertrack.adapters.sqlite.store import SqliteStore
from ordertrack.adapters.system.clock import SystemClock
from ordertrack.core.order import NewOrder
from ordertrack.core.order_rules import AssignCourier

async def customer(store, n):
    order = (await store.create(NewOrder("c1", "r1"), n)).order
    while True:
        (applied,) = await store.apply([AssignCourier(order.id, f"d{order.version}", "test")], n)
        order = applied.order
        print(order.id, order.version, flush=True)

async def main():
    store = SqliteStore(Path(sys.argv[1]), SystemClock())
    await store.open(lambda commits: None)
    await asyncio.gather(*(customer(store, n) for n in range(8)))

asyncio.run(main())
"""


async def test_a_killed_process_keeps_acknowledged_changes(tmp_path: Path) -> None:
    """Clause 1."""
    process = subprocess.Popen([sys.executable, "-c", KILLED, str(tmp_path)], stdout=subprocess.PIPE, text=True)  # noqa: ASYNC220
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(100)]
    process.send_signal(signal.SIGKILL)
    lines += process.stdout.read().splitlines(keepends=True)
    process.stdout.close()
    assert process.wait(BOUND_S) == -signal.SIGKILL
    acknowledged = dict(tuple(map(int, line.split())) for line in lines if line.endswith("\n"))
    assert len(acknowledged) == 8
    async with opened(tmp_path) as store:
        for order_id, version in acknowledged.items():
            order = await store.order(order_id)
            assert order.version >= version
            assert [event.version for event in order.timeline] == list(range(1, order.version + 1))


async def test_acknowledged_changes_are_in_the_file_before_close(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        order = await assigned(store, await placed(store), "d1")
        other = sqlite3.connect(store.path)
        try:
            rows = other.execute("SELECT version FROM events WHERE order_id = ? ORDER BY version", (order.id,))
            assert rows.fetchall() == [(1,), (2,)]
        finally:
            other.close()


# The folder


async def test_a_second_store_in_a_folder_names_the_process(tmp_path: Path) -> None:
    async with opened(tmp_path) as first:
        message = await cannot_open(tmp_path)
        assert str(tmp_path) in message
        assert f"process {os.getpid()}" in message
        assert "--data-dir" in message
        assert (await placed(first)).id == 1
    async with opened(tmp_path) as again:
        assert (await placed(again)).id == 2


async def test_a_deleted_lock_file_admits_no_second_store(tmp_path: Path) -> None:
    async with opened(tmp_path) as first:
        (tmp_path / LOCK_NAME).unlink()
        assert "in use by another ordertrack" in await cannot_open(tmp_path)
        assert (await placed(first)).id == 1


def move_folder(folder: Path) -> Callable[[], object]:
    elsewhere = folder.rename(folder.with_name("elsewhere"))
    return lambda: elsewhere.rename(folder)


def replace_file(folder: Path) -> Callable[[], object]:
    file, kept = folder / FILE_NAME, folder / "kept"
    file.rename(kept)
    file.write_bytes(kept.read_bytes())
    return lambda: kept.replace(file)


def move_log(folder: Path) -> Callable[[], object]:
    file = folder / f"{FILE_NAME}-wal"
    kept = file.rename(folder / "kept")
    return lambda: kept.rename(file)


@pytest.mark.parametrize("take_away", [move_folder, replace_file, move_log])
async def test_a_store_without_its_file_refuses_changes(
    tmp_path: Path, take_away: Callable[[Path], Callable[[], object]]
) -> None:
    """Contract clause 18."""
    listener = Listener()
    async with opened(tmp_path / "data", listener) as store:
        order = await placed(store)
        put_back = take_away(tmp_path / "data")
        await until(lambda: store.trouble is not None)  # without a request
        assert str(store.trouble).startswith("cut off from its database")
        for _ in range(2):
            with pytest.raises(StoreUnavailable):
                await assigned(store, order, "d1")
        assert await store.order(order.id) == order
        assert [len(call) for call in listener.calls] == [1]
        put_back()
        await until(lambda: store.trouble is None)
        assert (await assigned(store, order, "d1")).version == 2
    async with opened(tmp_path / "data") as store:
        assert (await store.order(order.id)).version == 2


async def test_a_change_after_the_folder_was_deleted_is_refused(tmp_path: Path) -> None:
    async with opened(tmp_path / "data") as store:
        order = await placed(store)
        shutil.rmtree(tmp_path / "data")
        with pytest.raises(StoreUnavailable):
            await assigned(store, order, "d1")
        async with opened(tmp_path / "data") as other:  # on the same path, and on a database of its own
            assert (await placed(other)).id == 1
            with pytest.raises(StoreUnavailable):
                await assigned(store, order, "d1")
    async with opened(tmp_path / "data") as other:
        assert (await other.order(1)).version == 1, "the end of the first has not touched the other's files"


async def test_the_error_names_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    assert str(tmp_path / "file" / "data") in await cannot_open(tmp_path / "file" / "data")
    assert "/proc/ordertrack" in await cannot_open(Path("/proc/ordertrack"))


async def test_a_refused_file_leaves_the_folder_unlocked(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_bytes(b"this is not a database" * 100)
    assert str(tmp_path / FILE_NAME) in await cannot_open(tmp_path)
    (tmp_path / FILE_NAME).unlink()
    async with opened(tmp_path) as store:
        assert (await placed(store)).id == 1


async def test_only_the_owner_can_read_the_files(tmp_path: Path) -> None:
    async with opened(tmp_path / "data") as store:
        await placed(store)
        modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "data").iterdir()}
    assert modes.pop(FILE_NAME) == modes.pop(LOCK_NAME) == 0o600
    assert set(modes.values()) == {0o600}
    assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700


# The schema


async def meddle(folder: Path, statement: str) -> None:
    async with opened(folder) as store:
        await placed(store)
    connection = sqlite3.connect(folder / FILE_NAME)
    connection.execute(statement)
    connection.commit()
    connection.close()


async def test_a_database_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    await meddle(tmp_path, "INSERT INTO schema_migrations VALUES (999, '0999_future.sql', 'abc', 0)")
    message = await cannot_open(tmp_path)
    assert "newer" in message
    assert "999" in message


async def test_a_database_with_another_migration_is_refused(tmp_path: Path) -> None:
    await meddle(tmp_path, "UPDATE schema_migrations SET sha256 = 'abc' WHERE number = 1")
    assert "0001_orders.sql" in await cannot_open(tmp_path)


async def test_a_refused_database_is_unchanged(tmp_path: Path) -> None:
    await meddle(tmp_path, "INSERT INTO schema_migrations VALUES (999, '0999_future.sql', 'abc', 0)")
    await cannot_open(tmp_path)
    await meddle_again(tmp_path, "DELETE FROM schema_migrations WHERE number = 999")
    async with opened(tmp_path) as store:
        assert (await store.order(1)).version == 1


async def meddle_again(folder: Path, statement: str) -> None:
    connection = sqlite3.connect(folder / FILE_NAME)
    connection.execute(statement)
    connection.commit()
    connection.close()


# Durability settings


async def test_every_connection_syncs_every_commit(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await placed(store)
        fresh, reading = connect(store.path), connect(store.path, read_only=True)
        try:
            for connection in (writer_of(store)._connection, fresh, reading):
                pragmas = {
                    name: connection.execute(f"PRAGMA {name}").fetchone()[0]
                    for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
                }
                assert pragmas == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 5_000}
            with pytest.raises(sqlite3.OperationalError, match="readonly"):
                reading.execute("DELETE FROM orders")
        finally:
            fresh.close()
            reading.close()


# Group commit


async def test_waiting_changes_share_a_commit(tmp_path: Path) -> None:
    listener = Listener()
    async with opened(tmp_path, listener) as store:
        orders = [await placed(store) for _ in range(50)]
        listener.calls.clear()
        async with writer_busy(store):
            changes = [asyncio.create_task(assigned(store, order, "d1")) for order in orders]
        assert {order.version for order in await asyncio.gather(*changes)} == {2}
        assert [len(commits) for commits in listener.calls] == [50]


async def test_a_commit_has_a_limit_of_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_writer, "MAX_BATCH", 20)
    listener = Listener()
    async with opened(tmp_path, listener) as store:
        async with writer_busy(store):
            changes = [asyncio.create_task(placed(store)) for _ in range(50)]
        assert sorted(order.id for order in await asyncio.gather(*changes)) == list(range(1, 51))
        assert [len(commits) for commits in listener.calls] == [20, 20, 10]


async def test_one_commit_announces_each_of_its_orders_once(tmp_path: Path) -> None:
    """Clause 5, for changes of different callers."""
    listener = Listener()
    async with opened(tmp_path, listener) as store:
        order, other = await placed(store), await placed(store)
        listener.calls.clear()
        async with writer_busy(store):
            changes = [asyncio.create_task(assigned(store, order, f"d{n}")) for n in range(5)]
            changes.append(asyncio.create_task(assigned(store, other, "d1")))
        await asyncio.gather(*changes)
        (commits,) = listener.calls
        assert {(o.id, o.version, previous) for o, _, previous, _ in commits} == {(order.id, 6, 1), (other.id, 2, 1)}
        assert commits[0].feeds[CUSTOMER] + commits[1].feeds[CUSTOMER] == 7 + 8


async def test_changes_beyond_the_queue_limit_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Clause 10."""
    monkeypatch.setattr(sqlite_writer, "MAX_WAITING", 6)
    async with opened(tmp_path) as store:
        order = await placed(store)
        async with writer_busy(store):
            changes = [asyncio.create_task(assigned(store, order, f"d{n}")) for n in range(5)]
            await asyncio.sleep(0)  # each of them has begun
            assert store.waiting == 6
            with pytest.raises(StoreBusy) as busy:
                await store.apply([to(order, "preparing")], NOW_MS)
            assert busy.value.retry_after_s == 1
        await asyncio.gather(*changes)
        assert (await assigned(store, order, "last")).version == 7


async def test_a_created_order_is_used_in_the_same_commit(tmp_path: Path) -> None:
    listener = Listener()
    async with opened(tmp_path, listener) as store:
        async with writer_busy(store):
            created = asyncio.create_task(placed(store, NewOrder("c1", "r1", reference="A-1")))
            link = asyncio.create_task(store.create_link(1, bytes(32), "test", NOW_MS))
            steps = asyncio.create_task(store.start_simulation(1, WorkflowOptions(), NOW_MS))
        order = await created
        assert order.id == (await link).order_id == (await steps)[0].order_id
        assert len(listener.calls) == 1
    async with opened(tmp_path) as store:
        assert await store.order(order.id) == order


async def test_the_log_is_written_from_its_start_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoints, "CHECKPOINT_BYTES", 64 * 1024)
    async with opened(tmp_path) as store:
        order = await placed(store)
        header = log_header(store)
        while log_header(store) == header:
            order = await assigned(store, order, f"d{order.version}")
            order = order if order.version < 400 else await placed(store)
    async with opened(tmp_path) as store:
        assert await store.order(order.id) == order


def log_header(store: SqliteStore) -> bytes:
    """Return the header of the log: SQLite changes it when it starts the log again."""
    with Path(f"{store.path}-wal").open("rb") as log:
        return log.read(32)


# A medium that fails


def fill_the_disk(store: SqliteStore) -> None:
    connection = writer_of(store)._connection
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {pages + 8}")


def empty_the_disk(store: SqliteStore) -> None:
    writer_of(store)._connection.execute("PRAGMA max_page_count = 1000000")


async def test_a_failed_commit_keeps_nothing(tmp_path: Path) -> None:
    """Clause 10: all requests of the commit fail, and its decisions are dropped."""
    listener = Listener()
    async with opened(tmp_path, listener) as store:
        order, simulated = await placed(store), await placed(store)
        counts, changes = await store.orders_by_status(), await store.feed_changes(CUSTOMER, 0)
        listener.calls.clear()
        fill_the_disk(store)
        async with writer_busy(store):
            doomed: list[asyncio.Task[Any]] = [
                asyncio.ensure_future(store.apply([to(order, "preparing")], NOW_MS)),
                asyncio.create_task(store.start_simulation(simulated.id, WorkflowOptions(), NOW_MS)),
                asyncio.ensure_future(store.create(BIG, NOW_MS, idempotency=Idempotency("key", "body"))),
            ]
        outcomes = await asyncio.gather(*doomed, return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [StoreUnavailable] * 3
        assert {outcome.retry_after_s for outcome in outcomes} == {5}
        assert listener.calls == []
        assert await store.order(order.id) == order
        assert (await store.orders_by_status(), await store.feed_changes(CUSTOMER, 0)) == (counts, changes)
        assert await store.simulations() == {}
        assert store.waiting == 0

        empty_the_disk(store)
        assert (await assigned(store, order, "d1")).version == 2
        assert (await store.start_simulation(simulated.id, WorkflowOptions(), NOW_MS))[0].seq == 0
        created = await store.create(BIG, NOW_MS, idempotency=Idempotency("key", "body"))
        assert (created.order.id, created.replayed) == (3, False)
        assert (await store.feed_changes(CUSTOMER, None)).version == changes.version + 2
    async with opened(tmp_path) as store:
        assert [o.version for o in await store.orders(OrderFilter(limit=10))] == [1, 1, 2]


@pytest.mark.parametrize("refuses", ["ROLLBACK", "simulation_steps"])
async def test_a_failed_rollback_leaves_no_stale_cache(tmp_path: Path, refuses: str) -> None:
    """SQLite's authorizer stands for the medium: it refuses the COMMIT, then the ROLLBACK or the read after it."""

    def authorize(action: int, first: str | None, *_: object) -> int:
        refused = first in ("COMMIT", refuses) and (first != "simulation_steps" or action == sqlite3.SQLITE_READ)
        return sqlite3.SQLITE_DENY if refused else sqlite3.SQLITE_OK

    async with opened(tmp_path) as store:
        order, running = await placed(store), await placed(store)
        steps = await store.start_simulation(running.id, WorkflowOptions(), NOW_MS)
        writer_of(store)._connection.set_authorizer(authorize)
        async with writer_busy_and_failing(store):
            doomed = [
                asyncio.create_task(store.start_simulation(order.id, WorkflowOptions(), NOW_MS)),
                asyncio.ensure_future(store.apply([AssignCourier(order.id, "d1", "test")], NOW_MS)),
            ]
        outcomes = await asyncio.gather(*doomed, return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [StoreUnavailable] * 2
        with pytest.raises(StoreUnavailable):
            await store.start_simulation(running.id, WorkflowOptions(), NOW_MS)
        writer_of(store)._connection.set_authorizer(None)
        with suppress(StoreUnavailable):  # an open transaction may have to be got rid of first
            await store.apply([], NOW_MS)
        assert (await assigned(store, order, "d2")).timeline[-1].version == 2
        assert await store.simulations() == {running.id: steps}
        with pytest.raises(SimulationRunning):
            await store.start_simulation(running.id, WorkflowOptions(), NOW_MS)
        assert len(await store.start_simulation(order.id, WorkflowOptions(), NOW_MS)) == 4


async def test_a_full_disk_still_allows_reads(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        order = await placed(store)
        fill_the_disk(store)
        for _ in range(3):
            with pytest.raises(StoreUnavailable):
                await placed(store, BIG)
        assert await store.orders(OrderFilter(limit=10)) == [order]


async def test_a_failed_read_is_store_unavailable(tmp_path: Path) -> None:
    """Clause 10."""
    async with opened(tmp_path) as store:
        await placed(store)
        writer_of(store)._connection.execute("ALTER TABLE orders RENAME TO gone")
        with pytest.raises(StoreUnavailable):
            await store.orders(OrderFilter(limit=10))
        writer_of(store)._connection.execute("ALTER TABLE gone RENAME TO orders")
        assert len(await store.orders(OrderFilter(limit=10))) == 1


@pytest.mark.parametrize("was_opened", [True, False])
async def test_a_closed_store_is_unavailable_at_once(tmp_path: Path, was_opened: bool) -> None:
    store = SqliteStore(tmp_path, SystemClock())
    if was_opened:
        await store.open(Listener())
        await placed(store)
    await store.close()
    for ask in (
        lambda: store.create(NEW, NOW_MS),
        lambda: store.apply([], NOW_MS),
        lambda: store.order(77),
        lambda: store.orders(OrderFilter(limit=1)),
        lambda: store.feed_changes(CUSTOMER, None),
        lambda: store.simulations(),
    ):
        with pytest.raises(StoreUnavailable):
            async with asyncio.timeout(BOUND_S):
                await ask()


async def test_a_raising_listener_does_not_fail_changes(tmp_path: Path) -> None:
    """The contract forbids it to raise. Its error must not reach a caller whose change is durable."""

    def raises(commits: Sequence[Committed]) -> None:
        raise RuntimeError("on purpose")

    async with opened(tmp_path, raises) as store:
        order = await assigned(store, await placed(store), "d1")
        assert await store.order(order.id) == order


# Races between the writer, the readers and the loop


class SlowLoop:
    """The event loop for the writer thread, with a pause between a commit and its announcement."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.committed = threading.Event()
        self.announce = threading.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loop, name)

    def call_soon_threadsafe(self, *args: Any) -> None:
        self.committed.set()
        assert self.announce.wait(BOUND_S)
        self._loop.call_soon_threadsafe(*args)


async def test_a_read_waits_for_the_announcement_of_a_commit(tmp_path: Path) -> None:
    """Clause 5, between COMMIT and the listener."""
    async with opened(tmp_path) as store:
        order = await placed(store)
    listener = Listener()
    async with opened(tmp_path, listener) as store:  # nothing is in its caches
        slow = SlowLoop()
        writer_of(store)._loop = slow  # type: ignore[assignment]
        change = asyncio.ensure_future(
            writer_of(store).submit(lambda tx: tx.apply([AssignCourier(order.id, "d1", "test")], NOW_MS))
        )
        assert await asyncio.to_thread(slow.committed.wait, BOUND_S)
        seen: list[tuple[int, int]] = []

        async def read(versions: Any) -> None:
            version = await versions
            seen.append((version, listener.announced.get(order.id, 1)))

        async def version_of_one() -> int:
            return (await store.order(order.id)).version

        async def version_in_list() -> int:
            return (await store.orders(OrderFilter(limit=1)))[0].version

        reads = [asyncio.create_task(read(version_of_one())), asyncio.create_task(read(version_in_list()))]
        await asyncio.wait(reads, timeout=NOT_YET_S)
        slow.announce.set()
        await asyncio.gather(change, *reads)
        assert [version for version, _ in seen] == [2, 2]
        assert all(version <= announced for version, announced in seen), "a read was faster than the announcement"


class SlowReaders:
    """The writer's lock, which pauses readers between their read and their return."""

    def __init__(self, lock: threading.Lock) -> None:
        self._lock = lock
        self.have_read = threading.Event()
        self.go_on = threading.Event()

    def acquire(self, timeout: float) -> bool:
        self.have_read.set()
        assert self.go_on.wait(BOUND_S)
        return self._lock.acquire(timeout=timeout)

    def release(self) -> None:
        self._lock.release()


async def test_a_slow_read_does_not_replace_a_newer_commit(tmp_path: Path) -> None:
    """Clause 6: a reader returns with an old snapshot after a newer one was announced."""
    async with opened(tmp_path) as store:
        order = await placed(store)
    async with opened(tmp_path) as store:  # nothing is in its caches
        slow = SlowReaders(writer_of(store).announcing)
        readers_of(store)._announcing = slow  # type: ignore[assignment]
        read = store.order(order.id)
        assert await asyncio.to_thread(slow.have_read.wait, BOUND_S)
        changed = await assigned(store, order, "d1")
        slow.go_on.set()
        assert await read == changed
        assert await store.order(order.id) == changed
        assert store._orders._pending == {}


async def test_reads_of_a_missing_order_leave_no_state(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        outcomes = await asyncio.gather(*(store.order(404) for _ in range(5)), return_exceptions=True)
        assert all(isinstance(outcome, OrdertrackError) for outcome in outcomes)
        assert store._orders._pending == {}
