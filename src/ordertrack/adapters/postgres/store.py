"""The store of a cluster: a PostgreSQL database that several processes use at once.

`ports/shared_store.py` is the contract. Changes are decided here and written by one statement a commit
(group_commit.py, batch.py); every read asks the server (batched_reads.py, order_pages.py).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple, TypeVar

import structlog

from ordertrack.adapters.postgres.batch import Batch
from ordertrack.adapters.postgres.batched_reads import BatchedReads, ReadKind
from ordertrack.adapters.postgres.decoding import ORDERS_BY_ID, Damage, RememberedOrders, decode_each, decode_steps
from ordertrack.adapters.postgres.group_commit import GroupCommit, InFlight
from ordertrack.adapters.postgres.links import add_link, end_link, fetch_link, fetch_links
from ordertrack.adapters.postgres.order_pages import (
    count_by_status_now,
    fetch_etas_to_check,
    fetch_feed_page,
    fetch_list,
    fetch_versions,
)
from ordertrack.adapters.postgres.schema import prepare_schema
from ordertrack.adapters.postgres.sessions import DOWN_RETRY_AFTER_S, Server, Session
from ordertrack.adapters.postgres.statements import SQL
from ordertrack.adapters.shared.memory_estimate import estimate_bytes
from ordertrack.core.errors import OrdertrackError, StoreUnavailable
from ordertrack.core.eta.rules import NO_ETA, EtaRules
from ordertrack.core.event import Status
from ordertrack.core.feed import PAGE_ENTRIES, FeedChanges, FeedKey
from ordertrack.core.order import NewOrder, Order
from ordertrack.core.order_rules import Change
from ordertrack.core.simulation import Step, WorkflowOptions
from ordertrack.core.tracking_link import Link
from ordertrack.ports.clock import Clock
from ordertrack.ports.commits import Applied, CommitListener, CommitMeter, Committed, Created, Idempotency
from ordertrack.ports.order_store import EtaPage, History, OrderFilter
from ordertrack.ports.simulation_store import SimulationListener

MIN_CONNECTIONS = 3
"""One to write, one for polls and single orders, one for lists: so that a long list delays no poll."""
READ_LIMIT_S = 5.0
LIST_LIMIT_S = 10.0
"""Seconds from a request to its result, the wait for a connection included."""
MAX_READS_WAITING = 30_000
MAX_LISTS_WAITING = 100
CLOSE_LIMIT_S = 10.0
T = TypeVar("T")
log = structlog.get_logger("ordertrack.postgresql")


async def _load_orders(
    remembered: RememberedOrders, session: Session, order_ids: Sequence[int]
) -> Mapping[int, Order | Exception]:
    rows = await session.fetch(ORDERS_BY_ID, order_ids)
    known = decode_each(order_ids, rows, remembered.decode)
    return {id_: each if isinstance(each, Exception) else each.order for id_, each in known.items()}


_VERSION: ReadKind[FeedKey] = ReadKind(fetch_versions, InFlight.changes_feed)


class _Open(NamedTuple):
    """The parts of an open store."""

    server: Server
    commits: GroupCommit
    reads: BatchedReads
    lists: BatchedReads
    order: ReadKind[int]


class PostgresStore:
    """`pool` is the highest number of connections, at least MIN_CONNECTIONS. `is_pooled` is True behind a pooler in
    transaction mode. The URL may hold a password: no message has it."""

    name = "postgresql"

    def __init__(
        self,
        url: str,
        clock: Clock,
        meter: CommitMeter = lambda requests, took_s: None,
        *,
        pool: int = 10,
        is_pooled: bool = False,
        eta_rules: EtaRules = NO_ETA,
    ) -> None:
        self.doubtful: Callable[[], None] = lambda: None
        self.left_out = 0
        self._url = url
        self._clock = clock
        self._meter = meter
        self._eta_rules = eta_rules
        self._connections = max(pool, MIN_CONNECTIONS)
        self._is_pooled = is_pooled
        self._epoch: str | None = None
        self._listeners: Sequence[CommitListener] = ()
        self._simulations: SimulationListener = lambda order_id, steps: None
        self._open: _Open | None = None

    @property
    def waiting(self) -> int:
        return self._open.commits.waiting if self._open else 0

    @property
    def cached_orders(self) -> int:
        return len(self._open.commits.remembered) if self._open else 0

    @property
    def cached_bytes(self) -> int:
        return estimate_bytes(self._open.commits.remembered) if self._open else 0

    @property
    def trouble(self) -> str | None:
        if self._open is None or not self._open.server.is_up:
            return "without its database"
        if self._open.commits.is_stalled:
            return "waiting for its database"
        return None

    async def open(
        self,
        *listeners: CommitListener,
        simulations: SimulationListener | None = None,
        is_watched: Callable[[FeedKey], bool] | None = None,
    ) -> None:
        """Connect, and migrate the database.

        Raises: StoreCannotOpen the server cannot be reached, or its database is newer than this code.
        """
        self._listeners = listeners
        if simulations is not None:
            self._simulations = simulations
        server = Server(self._url, is_pooled=self._is_pooled)
        await server.open()
        try:
            self._epoch = await prepare_schema(server, self._clock.now_ms())
        except BaseException:
            await server.close(0)
            raise
        commits = GroupCommit(server, self._deliver, self._report_doubt, self._clock, self._meter, self._eta_rules)
        for_lists = max(1, self._connections // 4)

        def in_flight() -> InFlight | None:
            return commits.in_flight

        self._open = _Open(
            server,
            commits,
            BatchedReads(server, self._connections - 1 - for_lists, in_flight, READ_LIMIT_S, MAX_READS_WAITING),
            BatchedReads(server, for_lists, in_flight, LIST_LIMIT_S, MAX_LISTS_WAITING),
            ReadKind(
                partial(_load_orders, commits.remembered), lambda in_flight, order_id: order_id in in_flight.orders
            ),
        )

    async def close(self, limit_s: float = CLOSE_LIMIT_S) -> None:
        if self._open is None:
            return
        (server, commits, reads, lists, _), self._open = self._open, None
        ends_at_s = self._clock.monotonic_s() + limit_s
        has_ended = await commits.close(limit_s)
        for part in (reads, lists):
            has_ended &= await part.close(max(0.0, ends_at_s - self._clock.monotonic_s()))
        await server.close(max(0.0, ends_at_s - self._clock.monotonic_s()))
        if not has_ended:
            log.error("the store could not be closed in time: the database does not answer", limit_s=limit_s)

    # Changes

    def create(self, new: NewOrder, now_ms: int, *, idempotency: Idempotency | None = None) -> asyncio.Future[Created]:
        return self._submit(lambda batch: batch.create(new, now_ms, idempotency))

    async def load(self, histories: Sequence[History]) -> bool:
        return await self._submit(lambda batch: batch.load(histories))

    def apply(self, changes: Sequence[Change], now_ms: int) -> asyncio.Future[list[Applied | OrdertrackError]]:
        return self._submit(lambda batch: batch.apply(changes, now_ms), len(changes))

    async def start_simulation(self, order_id: int, options: WorkflowOptions, now_ms: int) -> tuple[Step, ...]:
        return await self._submit(lambda batch: batch.start_simulation(order_id, options, now_ms))

    async def stop_simulation(self, order_id: int) -> tuple[Step, ...]:
        return await self._submit(lambda batch: batch.stop_simulation(order_id))

    async def create_link(self, order_id: int, token_hash: bytes, created_by: str, now_ms: int) -> Link:
        return await self._opened().reads.run(
            lambda session: add_link(session, order_id, token_hash, created_by, now_ms), is_change=True
        )

    async def revoke_link(self, order_id: int, link_id: int, now_ms: int) -> Link:
        return await self._opened().reads.run(
            lambda session: end_link(session, order_id, link_id, now_ms), is_change=True
        )

    def _submit(self, job: Callable[[Batch], T], weight: int = 1) -> asyncio.Future[T]:
        return self._opened().commits.submit(job, weight)

    def _opened(self) -> _Open:
        if self._open is None:
            raise StoreUnavailable(retry_after_s=DOWN_RETRY_AFTER_S)
        return self._open

    def _deliver(self, committed: Sequence[Committed], steps: Mapping[int, tuple[Step, ...]]) -> None:
        for of_order in steps.items():
            _call(self._simulations, *of_order)
        if committed:
            for listener in self._listeners:
                _call(listener, committed)

    def _report_doubt(self) -> None:
        _call(self.doubtful)

    # Reads

    @property
    def epoch(self) -> str:
        """Raises: StoreUnavailable before the store is open."""
        if self._epoch is None:
            raise StoreUnavailable(retry_after_s=DOWN_RETRY_AFTER_S)
        return self._epoch

    def peek(self, order_id: int) -> None:
        """Return None: other processes may have changed the order."""

    def peek_feed_version(self, feed: FeedKey) -> None:
        """Return None: other processes may have changed the feed."""

    def order(self, order_id: int) -> asyncio.Future[Order]:
        opened = self._opened()
        return opened.reads.read(opened.order, order_id)

    def feed_version(self, feed: FeedKey) -> asyncio.Future[int]:
        return self._opened().reads.read(_VERSION, feed)

    async def orders(self, order_filter: OrderFilter) -> list[Order]:
        damage = Damage()
        orders = await self._opened().lists.run(lambda session: fetch_list(session, order_filter, damage))
        self.left_out += damage.report()
        return orders

    async def feed_changes(
        self, feed: FeedKey, after: int | None, *, limit: int = PAGE_ENTRIES, after_id: int = 0
    ) -> FeedChanges:
        damage = Damage()
        page = await self._opened().reads.run(
            lambda session: fetch_feed_page(session, feed, after, after_id, limit, damage),
            may_see=lambda in_flight: in_flight.changes_feed(feed),
        )
        self.left_out += damage.report()
        return page

    async def etas_to_check(self, now_ms: int, after_id: int, limit: int) -> EtaPage:
        damage = Damage()
        page = await self._opened().lists.run(
            lambda session: fetch_etas_to_check(session, now_ms, after_id, limit, damage)
        )
        self.left_out += damage.report()
        return page

    async def orders_by_status(self) -> dict[Status, int]:
        return await self._opened().lists.run(count_by_status_now)

    async def simulations(self) -> dict[int, tuple[Step, ...]]:
        return await self._read_steps(SQL["steps"])

    async def links(self, order_id: int) -> list[Link]:
        return await self._opened().reads.run(lambda session: fetch_links(session, order_id))

    async def find_link(self, token_hash: bytes) -> Link | None:
        return await self._opened().reads.run(
            lambda session: fetch_link(session, token_hash), may_see=lambda in_flight: False
        )

    # For clusters

    async def versions(self, feeds: Collection[FeedKey]) -> dict[FeedKey, int]:
        return await self._opened().reads.run(
            lambda session: fetch_versions(session, list(feeds)),
            may_see=lambda in_flight: any(map(in_flight.changes_feed, feeds)),
        )

    async def orders_by_id(self, order_ids: Collection[int]) -> dict[int, Order]:
        damage = Damage()
        remembered = self._opened().commits.remembered

        async def fetch(session: Session) -> dict[int, Order]:
            rows = await session.fetch(ORDERS_BY_ID, list(order_ids))
            known = [remembered.decode(row, damage) for row in rows]
            return {each.order.id: each.order for each in known if each is not None}

        orders = await self._opened().reads.run(
            fetch, may_see=lambda in_flight: any(order_id in in_flight.orders for order_id in order_ids)
        )
        self.left_out += damage.report()
        return orders

    async def overdue(self, late_ms: int, limit: int) -> dict[int, tuple[Step, ...]]:
        return await self._read_steps(SQL["overdue"], late_ms, limit)

    async def _read_steps(self, statement: str, *parameters: Any) -> dict[int, tuple[Step, ...]]:
        """Return pending steps by order, without those that are damaged."""

        async def fetch(session: Session) -> dict[int, tuple[Step, ...]]:
            rows = await session.fetch(statement, *parameters)
            steps = {order_id: decode_steps(steps) for order_id, steps in rows}
            return {order_id: pending for order_id, pending in steps.items() if pending}

        return await self._opened().lists.run(fetch)


def _call(listener: Callable[..., None], *arguments: Any) -> None:
    """One listener that fails must not keep the news from the others."""
    try:
        listener(*arguments)
    except Exception:
        log.exception("a listener failed")
