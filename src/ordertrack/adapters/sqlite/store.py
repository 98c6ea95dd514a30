"""The embedded store: one SQLite file, one process, every acknowledged change on disk.

`ports/store.py` is its contract. Changes go through the writer thread (writer.py, transaction.py); reads of orders that
were touched lately are served from memory on the event loop, all others by reader threads.
"""

from __future__ import annotations

import asyncio
import secrets
import sqlite3
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import structlog

from ordertrack.adapters.sqlite.database import FILE_NAME, SQL, DataDirLock, connect, migrate
from ordertrack.adapters.sqlite.feeds import read_changes, read_party
from ordertrack.adapters.sqlite.links import find_link, read_links
from ordertrack.adapters.sqlite.lists import count_by_status, read_orders
from ordertrack.adapters.sqlite.recent import AtHand
from ordertrack.adapters.sqlite.rows import read_order, step_of
from ordertrack.adapters.sqlite.transaction import CACHED_FEEDS, CACHED_ORDERS
from ordertrack.adapters.sqlite.writer import FAILED_RETRY_AFTER_S, Changed, Writer
from ordertrack.core.errors import OrderNotFound, OrdertrackError, StoreUnavailable
from ordertrack.core.event import Status
from ordertrack.core.feed import PAGE_ENTRIES, FeedChanges, FeedKey
from ordertrack.core.order import Change, NewOrder, Order
from ordertrack.core.workflow import Step, WorkflowOptions
from ordertrack.ports.clock import Clock
from ordertrack.ports.store import (
    Applied,
    CommitListener,
    CommitMeter,
    Created,
    Idempotency,
    Link,
    OrderFilter,
    StoreCannotOpen,
)

READERS = 2
T = TypeVar("T")
log = structlog.get_logger("ordertrack.sqlite")


class SqliteStore:
    name = "sqlite"

    def __init__(self, data_dir: Path, clock: Clock, meter: CommitMeter = lambda requests, took_s: None) -> None:
        self.path = data_dir / FILE_NAME
        self.epoch = ""
        self._data_dir = data_dir
        self._clock = clock
        self._meter = meter
        self._orders: AtHand[int, Order] = AtHand(CACHED_ORDERS)
        self._feed_versions: AtHand[FeedKey, int] = AtHand(CACHED_FEEDS)
        self._counts: Counter[Status] = Counter()
        self._listener: CommitListener = lambda committed, committed_at_s: None
        self._local = threading.local()
        self._lock: DataDirLock | None = None
        self._writer: Writer | None = None
        self._readers: ThreadPoolExecutor | None = None

    @property
    def waiting(self) -> int:
        return self._writer.waiting if self._writer else 0

    async def open(self, listener: CommitListener) -> None:
        """Raises StoreCannotOpen: the folder is in use, cannot be written, or holds a database that is damaged or of
        another kind."""
        self._listener = listener
        try:
            await asyncio.to_thread(self._prepare)
            self._writer = Writer(self.path, self._deliver, self._clock, self._meter)
        except OSError as error:
            self._release()
            raise StoreCannotOpen(f"The database {self.path} cannot be opened: {error}.") from error
        except (sqlite3.Error, ValueError) as error:
            self._release()
            raise StoreCannotOpen(
                f"The database {self.path.resolve()} cannot be opened: {error}. If it is damaged, put a backup in its "
                "place as docs/operating.md says, or begin anew in another folder with --data-dir."
            ) from error
        except StoreCannotOpen:
            self._release()
            raise
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="ordertrack-read")

    def _prepare(self) -> None:
        self._data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = DataDirLock(self._data_dir)
        connection = connect(self.path)
        try:
            self.path.chmod(0o600)
            migrate(connection, self._clock.now_ms())
            row = connection.execute(SQL["epoch"]).fetchone()
            if row is None:
                row = (secrets.token_hex(4),)
                connection.execute(SQL["insert_epoch"], {"epoch": row[0]})
            self.epoch = row[0]
            self._counts.update(count_by_status(connection))
            for row in connection.execute(SQL["steps"]):
                step_of(row)  # a damaged one must not wait until the server says that it is ready
        finally:
            connection.close()

    def _release(self) -> None:
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    async def close(self) -> None:
        writer, self._writer = self._writer, None
        readers, self._readers = self._readers, None
        if writer is not None:
            await writer.close()
        if readers is not None:
            readers.shutdown()
        self._release()

    # Changes

    async def create(
        self,
        new: NewOrder,
        now_ms: int,
        *,
        idempotency: Idempotency | None = None,
        order_id: int | None = None,
    ) -> Created:
        created: Created = await self._write(lambda tx: tx.create(new, now_ms, idempotency, order_id))
        return created

    async def apply(self, changes: Sequence[Change], now_ms: int) -> list[Applied | OrdertrackError]:
        results: list[Applied | OrdertrackError] = await self._write(lambda tx: tx.apply(changes, now_ms))
        return results

    async def start_simulation(self, order_id: int, options: WorkflowOptions, now_ms: int) -> tuple[Step, ...]:
        steps: tuple[Step, ...] = await self._write(lambda tx: tx.start_simulation(order_id, options, now_ms))
        return steps

    async def stop_simulation(self, order_id: int) -> tuple[Step, ...]:
        steps: tuple[Step, ...] = await self._write(lambda tx: tx.stop_simulation(order_id))
        return steps

    async def create_link(self, order_id: int, token_hash: bytes, created_by: str, now_ms: int) -> Link:
        link: Link = await self._write(lambda tx: tx.create_link(order_id, token_hash, created_by, now_ms))
        return link

    async def revoke_link(self, order_id: int, link_id: int, now_ms: int) -> Link:
        link: Link = await self._write(lambda tx: tx.revoke_link(order_id, link_id, now_ms))
        return link

    async def _write(self, job: Callable[[Any], Any]) -> Any:
        if self._writer is None:
            raise StoreUnavailable(retry_after_s=FAILED_RETRY_AFTER_S)
        return await self._writer.submit(job)

    def _deliver(self, changed: Changed, committed_at_s: float) -> None:
        feed_versions: dict[FeedKey, int] = {}
        for before, committed in changed:
            order = committed.order
            self._orders.commit(order.id, order)
            for feed, version in committed.feeds.items():
                feed_versions[feed] = max(version, feed_versions.get(feed, 0))
            if before is not None:
                self._counts[before] -= 1
            self._counts[order.status] += 1
        for feed, version in feed_versions.items():
            self._feed_versions.commit(feed, version, only_if_used=True)
        try:
            self._listener([committed for _, committed in changed], committed_at_s)
        except Exception:
            log.exception("the commit listener failed")

    # Reads

    def peek(self, order_id: int) -> Order | None:
        return self._orders.get(order_id)

    async def order(self, order_id: int) -> Order:
        def read(connection: sqlite3.Connection) -> Order | None:
            return read_order(connection, order_id)

        order = await self._orders.read(order_id, lambda: self._read(read))
        if order is None:
            raise OrderNotFound(order_id)
        return order

    async def orders(self, wanted: OrderFilter) -> list[Order]:
        return await self._read(lambda connection: read_orders(connection, wanted))

    def peek_feed_version(self, feed: FeedKey) -> int | None:
        return self._feed_versions.get(feed)

    async def feed_version(self, feed: FeedKey) -> int:
        def read(connection: sqlite3.Connection) -> int:
            party = read_party(connection, feed)
            return 0 if party is None else party.version

        return await self._feed_versions.read(feed, lambda: self._read(read)) or 0

    async def feed_changes(
        self, feed: FeedKey, after: int | None, *, limit: int = PAGE_ENTRIES, snapshot: int = 0
    ) -> FeedChanges:
        return await self._read(lambda connection: read_changes(connection, feed, after, limit, snapshot))

    async def orders_by_status(self) -> dict[Status, int]:
        return {status: self._counts[status] for status in Status}

    async def simulations(self) -> dict[int, tuple[Step, ...]]:
        steps: dict[int, tuple[Step, ...]] = {}
        for step in await self._read(lambda connection: list(map(step_of, connection.execute(SQL["steps"])))):
            steps[step.order_id] = (*steps.get(step.order_id, ()), step)
        return steps

    async def links(self, order_id: int) -> list[Link]:
        await self.order(order_id)
        return await self._read(lambda connection: read_links(connection, order_id))

    async def find_link(self, token_hash: bytes) -> Link | None:
        return await self._read(lambda connection: find_link(connection, token_hash))

    async def _read(self, read: Callable[[sqlite3.Connection], T]) -> T:
        """Run `read` in a read transaction on a reader thread. What it saw has been announced when this returns."""
        writer, readers = self._writer, self._readers
        if writer is None or readers is None:
            raise StoreUnavailable(retry_after_s=FAILED_RETRY_AFTER_S)

        def work() -> T:
            connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
            if connection is None:
                connection = self._local.connection = connect(self.path, read_only=True)
            connection.execute("BEGIN")
            try:
                value = read(connection)
            finally:
                connection.execute("COMMIT")
            with writer.visible:
                return value

        try:
            return await asyncio.get_running_loop().run_in_executor(readers, work)
        except sqlite3.Error as error:
            log.exception("read failed", error=str(error))
            raise StoreUnavailable(retry_after_s=FAILED_RETRY_AFTER_S) from error
