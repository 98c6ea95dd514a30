"""The embedded store: one SQLite file, one process, every acknowledged change on disk.

`ports/store.py` is the contract. The writer thread makes changes (writer.py, transaction.py). Reads of orders that were
used recently come from memory on the event loop; reader threads do all others.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import sqlite3
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple, TypeVar

import structlog
from msgspec.structs import replace

from ordertrack.adapters.shared.commit_cache import CommitCache
from ordertrack.adapters.sqlite.database import FILE_NAME, SQL, DataDirLock, connect, migrate
from ordertrack.adapters.sqlite.feeds import read_changes, read_feed_versions
from ordertrack.adapters.sqlite.links import find_link, read_links
from ordertrack.adapters.sqlite.lists import count_by_status, read_etas_to_check, read_orders
from ordertrack.adapters.sqlite.readers import Load, Readers, Waiting
from ordertrack.adapters.sqlite.rows import read_each_order, read_steps
from ordertrack.adapters.sqlite.transaction import CACHED_FEEDS, CACHED_ORDERS, Changed, Transaction
from ordertrack.adapters.sqlite.writer import FAILED_RETRY_AFTER_S, Writer
from ordertrack.core.errors import OrdertrackError, StoreUnavailable
from ordertrack.core.eta.rules import NO_ETA, EtaRules
from ordertrack.core.event import Status
from ordertrack.core.feed import PAGE_ENTRIES, FeedChanges, FeedKey, order_feed
from ordertrack.core.order import NewOrder, Order
from ordertrack.core.order_rules import Change
from ordertrack.core.simulation import Step, WorkflowOptions
from ordertrack.core.tracking_link import Link
from ordertrack.ports.clock import Clock
from ordertrack.ports.commits import Applied, CommitListener, CommitMeter, Created, Idempotency
from ordertrack.ports.order_store import EtaPage, History, OrderFilter
from ordertrack.ports.simulation_store import SimulationListener
from ordertrack.ports.store import StoreCannotOpen

READERS = 2
"""Threads for polls and single orders. Lists have a thread of their own, so that a long list delays no poll."""
READ_LIMIT_S = 5.0
LIST_LIMIT_S = 10.0
"""Seconds from a request to its result, the wait for a thread included."""
MAX_READS_WAITING = 30_000
"""Polls that return after a restart, each for an order of its own: about half a second of work."""
MAX_LISTS_WAITING = 100
CLOSE_LIMIT_S = 10.0
K = TypeVar("K")
T = TypeVar("T")
log = structlog.get_logger("ordertrack.sqlite")


class _Open(NamedTuple):
    """The parts of an open store."""

    lock: DataDirLock
    writer: Writer
    readers: Readers
    list_reader: Readers


class SqliteStore:
    name = "sqlite"

    def __init__(
        self,
        data_dir: Path,
        clock: Clock,
        meter: CommitMeter = lambda requests, took_s: None,
        eta_rules: EtaRules = NO_ETA,
    ) -> None:
        self.path = data_dir / FILE_NAME
        self._epoch: str | None = None
        self.left_out = 0
        self._data_dir = data_dir
        self._clock = clock
        self._meter = meter
        self._eta_rules = eta_rules
        self._orders: CommitCache[int, Order] = CommitCache(CACHED_ORDERS)
        self._feed_versions: CommitCache[FeedKey, int] = CommitCache(CACHED_FEEDS)
        self._begin_order_read = partial(self._begin_read, read_each_order)
        self._begin_feed_read = partial(self._begin_read, read_feed_versions)
        self._counts: Counter[Status] = Counter()
        self._listeners: Sequence[CommitListener] = ()
        self._simulations: SimulationListener = lambda order_id, steps: None
        self._open: _Open | None = None

    @property
    def waiting(self) -> int:
        return self._open.writer.waiting if self._open else 0

    @property
    def cached_orders(self) -> int:
        return len(self._orders)

    @property
    def cached_bytes(self) -> int:
        return self._orders.estimate_bytes() + self._feed_versions.estimate_bytes()

    @property
    def trouble(self) -> str | None:
        if self._open is None:
            return "without its database"
        if self._open.writer.is_cut_off:
            return "cut off from its database, which was deleted or replaced"
        if self._open.writer.stalled or self._open.readers.stalled:
            return "waiting for its disk"
        return None

    async def open(
        self,
        *listeners: CommitListener,
        simulations: SimulationListener | None = None,
        is_watched: Callable[[FeedKey], bool] | None = None,
    ) -> None:
        """Open the database.

        Raises: StoreCannotOpen the folder is in use or not writable, or the database is damaged or of another kind.
        """
        self._listeners = listeners
        if simulations is not None:
            self._simulations = simulations
        if is_watched is not None:
            self._orders.is_watched = lambda order_id: is_watched(order_feed(order_id))
            self._feed_versions.is_watched = is_watched
        undo = contextlib.ExitStack()
        try:
            lock = await asyncio.to_thread(self._lock)
            undo.callback(lock.release)
            await asyncio.to_thread(self._prepare)
            # Connect now: at the first use another database may be at the path.
            connections = [connect(self.path, read_only=True, check_same_thread=False) for _ in range(1 + READERS)]
            for connection in connections:
                undo.callback(connection.close)
            writer = Writer(self.path, self._deliver, self._clock, self._meter, self._eta_rules)
            self._open = _Open(
                lock,
                writer,
                Readers("read", connections[1:], writer.announcing, self._clock, READ_LIMIT_S, MAX_READS_WAITING),
                Readers("list", connections[:1], writer.announcing, self._clock, LIST_LIMIT_S, MAX_LISTS_WAITING),
            )
            undo.pop_all()
        except OSError as error:
            raise StoreCannotOpen(f"The database {self.path} cannot be opened: {error}.") from error
        except (sqlite3.Error, ValueError) as error:
            raise StoreCannotOpen(
                f"The database {self.path.resolve()} cannot be opened: {error}. If it is damaged, put a backup in its "
                "place as docs/operating.md says, or begin anew in another folder with --data-dir."
            ) from error
        finally:
            undo.close()

    def _lock(self) -> DataDirLock:
        self._data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        return DataDirLock(self._data_dir)

    def _prepare(self) -> None:
        """Raises: StoreCannotOpen, sqlite3.Error, OSError, ValueError for rows that mean nothing."""
        connection = connect(self.path)
        try:
            self.path.chmod(0o600)
            migrate(connection, self._clock.now_ms())
            row = connection.execute(SQL["epoch"]).fetchone()
            if row is None:
                row = (secrets.token_hex(4),)
                connection.execute(SQL["insert_epoch"], {"epoch": row[0]})
            self._epoch = row[0]
            self._counts.update(count_by_status(connection))
            damaged: list[int] = []
            read_steps(connection, damaged)
            if damaged:  # report it before the server is ready
                raise ValueError(f"the simulated steps of order {damaged[0]} are damaged")
        finally:
            connection.close()

    async def close(self, limit_s: float = CLOSE_LIMIT_S) -> None:
        if self._open is None:
            return
        (lock, writer, *readers), self._open = self._open, None
        ends_at_s = self._clock.monotonic_s() + limit_s
        has_ended = await writer.close(limit_s)
        for each in readers:
            has_ended &= await each.close(max(0.0, ends_at_s - self._clock.monotonic_s()))
        if has_ended:
            lock.release()
        else:  # this process may still write, so the folder stays locked
            log.error("the database could not be closed in time: the disk does not answer", limit_s=limit_s)

    # Changes

    def create(self, new: NewOrder, now_ms: int, *, idempotency: Idempotency | None = None) -> asyncio.Future[Created]:
        return self._opened().writer.submit(lambda tx: tx.create(new, now_ms, idempotency))

    async def load(self, histories: Sequence[History]) -> bool:
        return await self._opened().writer.submit(lambda tx: tx.load(histories))

    def apply(self, changes: Sequence[Change], now_ms: int) -> asyncio.Future[list[Applied | OrdertrackError]]:
        if self._open is None:
            raise StoreUnavailable(retry_after_s=FAILED_RETRY_AFTER_S)
        return self._open.writer.submit(partial(Transaction.apply, changes=changes, now_ms=now_ms))

    async def start_simulation(self, order_id: int, options: WorkflowOptions, now_ms: int) -> tuple[Step, ...]:
        return await self._opened().writer.submit(lambda tx: tx.start_simulation(order_id, options, now_ms))

    async def stop_simulation(self, order_id: int) -> tuple[Step, ...]:
        return await self._opened().writer.submit(lambda tx: tx.stop_simulation(order_id))

    async def create_link(self, order_id: int, token_hash: bytes, created_by: str, now_ms: int) -> Link:
        return await self._opened().writer.submit(lambda tx: tx.create_link(order_id, token_hash, created_by, now_ms))

    async def revoke_link(self, order_id: int, link_id: int, now_ms: int) -> Link:
        return await self._opened().writer.submit(lambda tx: tx.revoke_link(order_id, link_id, now_ms))

    def _opened(self) -> _Open:
        if self._open is None:
            raise StoreUnavailable(retry_after_s=FAILED_RETRY_AFTER_S)
        return self._open

    def _deliver(self, changed: Changed) -> None:
        self._orders.commit({committed.order.id: committed.order for _, committed in changed.orders})
        feed_versions: dict[FeedKey, int] = {}
        for status_before, committed in changed.orders:
            for feed, version in committed.feeds.items():
                feed_versions[feed] = max(version, feed_versions.get(feed, 0))
            if status_before is not None:
                self._counts[status_before] -= 1
            self._counts[committed.order.status] += 1
        self._feed_versions.commit(feed_versions, only_if_used=True)
        calls: list[tuple[Callable[..., None], tuple[object, ...]]] = [
            (self._simulations, steps) for steps in changed.steps.items()
        ]
        if changed.orders:
            commits = [committed for _, committed in changed.orders]
            calls += [(listener, (commits,)) for listener in self._listeners]
        for listener, arguments in calls:  # one that fails must not keep the news from the others
            try:
                listener(*arguments)
            except Exception:
                log.exception("a listener failed")

    # Reads

    @property
    def epoch(self) -> str:
        """Raises: StoreUnavailable before the store is open."""
        if self._epoch is None:
            raise StoreUnavailable(retry_after_s=FAILED_RETRY_AFTER_S)
        return self._epoch

    def peek(self, order_id: int) -> Order | None:
        return self._orders.get(order_id)

    def order(self, order_id: int) -> asyncio.Future[Order]:
        return self._orders.read(order_id, self._begin_order_read)

    async def orders(self, order_filter: OrderFilter) -> list[Order]:
        if order_filter.statuses:
            # A list of a status that no order has would read the last event of every active order.
            statuses = tuple(status for status in order_filter.statuses if self._counts[status] > 0)
            if not statuses:
                return []
            order_filter = replace(order_filter, statuses=statuses)
        damaged: list[int] = []
        orders = await self._read(lambda connection: read_orders(connection, order_filter, damaged), of_many=True)
        self.left_out += len(damaged)
        return orders

    def peek_feed_version(self, feed: FeedKey) -> int | None:
        return self._feed_versions.get(feed)

    def feed_version(self, feed: FeedKey) -> asyncio.Future[int]:
        return self._feed_versions.read(feed, self._begin_feed_read)

    async def feed_changes(
        self, feed: FeedKey, after: int | None, *, limit: int = PAGE_ENTRIES, after_id: int = 0
    ) -> FeedChanges:
        damaged: list[int] = []
        changes = await self._read(lambda connection: read_changes(connection, feed, after, after_id, limit, damaged))
        self.left_out += len(damaged)
        return changes

    async def etas_to_check(self, now_ms: int, after_id: int, limit: int) -> EtaPage:
        damaged: list[int] = []
        page = await self._read(
            lambda connection: read_etas_to_check(connection, now_ms, after_id, limit, damaged), of_many=True
        )
        self.left_out += len(damaged)
        return page

    async def orders_by_status(self) -> dict[Status, int]:
        return {status: self._counts[status] for status in Status}

    async def simulations(self) -> dict[int, tuple[Step, ...]]:
        return await self._read(lambda connection: read_steps(connection, []), of_many=True)

    async def links(self, order_id: int) -> list[Link]:
        await self.order(order_id)
        return await self._read(lambda connection: read_links(connection, order_id))

    async def find_link(self, token_hash: bytes) -> Link | None:
        return await self._read(lambda connection: find_link(connection, token_hash))

    def _begin_read(self, load: Load[K], key: K, waiting: Waiting) -> None:
        if self._open is None:
            waiting.resolve(StoreUnavailable(retry_after_s=FAILED_RETRY_AFTER_S))
        else:
            self._open.readers.submit(load, key, waiting)

    def _read(self, read: Callable[[sqlite3.Connection], T], *, of_many: bool = False) -> asyncio.Future[T]:
        """Run `read` in a read transaction on a reader thread. The commits it saw are announced before its result.

        Raises: StoreUnavailable. The future: StoreBusy, StoreUnavailable, and what `read` raises but sqlite3.Error.
        """
        opened = self._opened()
        return (opened.list_reader if of_many else opened.readers).read(read)
