"""Faults of the PostgreSQL server and of the connections to it: clauses 10, 16, 18 and 22."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest
from structlog.testing import capture_logs

from contract.harness import (
    CUSTOMER,
    NOW_MS,
    Listener,
    apply_one,
    apply_refused,
    assign,
    create_order,
    new_order,
    set_status,
)
from ordertrack.adapters.postgres import group_commit, sessions
from ordertrack.adapters.postgres.batch import Batch
from ordertrack.adapters.postgres.store import PostgresStore
from ordertrack.adapters.system.clock import SystemClock
from ordertrack.core.errors import InternalError, OrderNotFound, OutcomeUnknown, StoreUnavailable
from ordertrack.core.event import Status
from ordertrack.core.order import Order
from ordertrack.core.order_rules import ChangeStatus
from ordertrack.core.simulation import WorkflowOptions
from ordertrack.ports.commits import IDEMPOTENCY_KEPT_MS, Applied, Idempotency
from ordertrack.ports.order_store import OrderFilter
from ordertrack.ports.store import StoreCannotOpen
from servers.child import free_port
from servers.postgres import Postgres
from support.databases import database_url, execute, own_server
from support.waiting import until

pytestmark = pytest.mark.anyio

BOUND_S = 60
DOWN = (StoreUnavailable, OutcomeUnknown)


@pytest.fixture
async def url(tmp_path: Path) -> str:
    return database_url(tmp_path)


@pytest.fixture
async def store(url: str) -> AsyncIterator[PostgresStore]:
    store = PostgresStore(url, SystemClock(), pool=4)
    await store.open(Listener())
    async with asyncio.timeout(BOUND_S):
        yield store
    await store.close()


@pytest.fixture
def server() -> Iterator[Postgres]:
    """A server of its own, to stop and start."""
    with own_server() as server:
        yield server


class Proxy:
    """A TCP proxy in front of the server. While `is_silent`, it forwards nothing and keeps all connections open."""

    def __init__(self, url: str) -> None:
        self._target = urlsplit(url)
        self.port = free_port()
        self.forwarding = asyncio.Event()
        self.forwarding.set()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        return self._target._replace(netloc=f"{self._target.username}@127.0.0.1:{self.port}").geturl()

    async def __aenter__(self) -> Proxy:
        self._listener = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._listener.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        back, forth = await asyncio.open_connection("127.0.0.1", self._target.port)
        for pair in ((reader, forth), (back, writer)):
            task = asyncio.ensure_future(self._copy(*pair))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while chunk := await reader.read(65536):
                await self.forwarding.wait()
                writer.write(chunk)
        finally:
            writer.close()


async def test_a_restarted_server_is_used_again(server: Postgres) -> None:
    store, listener = PostgresStore(server.url, SystemClock(), pool=4), Listener()
    async with asyncio.timeout(BOUND_S):
        await store.open(listener)
        order = await create_order(store)
        assert store.trouble is None
        await asyncio.to_thread(server.stop)
        await until(lambda: store.trouble)
        assert store.trouble == "without its database"
        with pytest.raises(StoreUnavailable) as refused:
            await store.apply([assign(order, "d1")], NOW_MS)
        assert refused.value.retry_after_s >= 1
        for read in (store.order(order.id), store.feed_changes(CUSTOMER, 0), store.orders(OrderFilter(limit=1))):
            with pytest.raises(StoreUnavailable):
                await read
        await asyncio.to_thread(server.start)
        await until(lambda: store.trouble is None)
        assert await store.order(order.id) == order
        changed = await apply_one(store, assign(order, "d1"))
        await store.close()
    assert listener.announced == {order.id: changed.version}


async def test_acknowledged_changes_survive_a_crash(server: Postgres) -> None:
    """Clauses 1 and 22: what is not known to be kept is reported as doubtful."""
    store = PostgresStore(server.url, SystemClock(), pool=4)
    doubts = 0
    acknowledged: dict[int, int] = {}
    unknown: set[int] = set()

    def doubtful() -> None:
        nonlocal doubts
        doubts += 1

    async def change(order: Order) -> None:
        for n in range(100_000):
            try:
                acknowledged[order.id] = (await apply_one(store, assign(order, f"d{n}"))).version
            except StoreUnavailable:
                return
            except OutcomeUnknown:
                unknown.add(order.id)
                return

    store.doubtful = doubtful
    async with asyncio.timeout(BOUND_S):
        await store.open()
        orders = [await create_order(store) for _ in range(20)]
        changes = asyncio.gather(*map(change, orders))
        await until(lambda: len(acknowledged) == len(orders))
        server.crash()
        await changes
        await asyncio.to_thread(server.start)
        await until(lambda: store.trouble is None)
        if unknown:
            await until(lambda: doubts)
        for order in orders:
            kept = await store.order(order.id)
            assert kept.version - acknowledged[order.id] in ((0, 1) if order.id in unknown else (0,))
            assert len(kept.timeline) == kept.version
        await store.close()


async def test_a_silent_connection_is_noticed(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Clause 18, without a request: the network drops everything, and no connection is closed."""
    for module, name, value in (
        (group_commit, "PROBE_LIMIT_S", 0.2), (group_commit, "LOOK_EVERY_S", 0.1), (sessions, "CONNECT_LIMIT_S", 0.2),
    ):  # fmt: skip
        monkeypatch.setattr(module, name, value)
    async with asyncio.timeout(BOUND_S), Proxy(url) as proxy:
        store = PostgresStore(proxy.url, SystemClock(), pool=4)
        await store.open()
        order = await create_order(store)
        proxy.forwarding.clear()
        await until(lambda: store.trouble)
        with pytest.raises(StoreUnavailable):
            await store.order(order.id)
        proxy.forwarding.set()
        await until(lambda: store.trouble is None)
        assert await store.order(order.id) == order
        await store.close()


async def test_a_commit_in_silence_has_an_unknown_outcome(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Clauses 10 and 22."""
    async with asyncio.timeout(BOUND_S), Proxy(url) as proxy:
        store = PostgresStore(proxy.url, SystemClock(), pool=4)
        doubtful = asyncio.Event()
        store.doubtful = doubtful.set
        await store.open()
        order = await create_order(store)
        proxy.forwarding.clear()
        with monkeypatch.context() as patched:
            patched.setattr(sessions.Session.fetch, "__kwdefaults__", {"limit_s": 0.3})
            with pytest.raises(OutcomeUnknown):
                await store.apply([set_status(order, "preparing")], NOW_MS)
        assert not doubtful.is_set()
        proxy.forwarding.set()
        await doubtful.wait()
        (again,) = await store.apply([set_status(order, "preparing")], NOW_MS)
        assert isinstance(again, Applied)
        assert again.order.version == 2
        await store.close()


async def test_ended_sessions_are_replaced(store: PostgresStore, url: str) -> None:
    """An operator, or a proxy with a time limit, ended connections that were idle."""
    order = await create_order(store)
    await asyncio.gather(store.order(order.id), store.orders(OrderFilter(limit=1)))
    others = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname IS NOT NULL"
    )
    execute(url, others)
    assert await store.order(order.id) == order
    assert await store.orders(OrderFilter(limit=1)) == [order]
    with contextlib.suppress(*DOWN):
        await store.apply([set_status(order, "preparing")], NOW_MS)
    changed = await apply_one(store, set_status(order, "preparing"))
    assert changed == await store.order(order.id)


async def test_a_statement_past_its_limit_is_ended(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Clause 10: the rows are locked by another program."""
    monkeypatch.setitem(sessions._SESSION, "statement_timeout", "300")
    store = PostgresStore(url, SystemClock(), pool=4)
    async with asyncio.timeout(BOUND_S):
        await store.open()
        order = await create_order(store)
        other = await asyncpg.connect(url)
        async with other.transaction():
            await other.execute("SELECT FROM orders FOR UPDATE")
            with pytest.raises(StoreUnavailable):
                await store.apply([assign(order, "d1")], NOW_MS)
        await other.close()
        assert (await apply_one(store, assign(order, "d1"))).version == 2
        await store.close()


async def test_an_unreachable_server_is_named(tmp_path: Path) -> None:
    port = free_port()
    store = PostgresStore(f"postgresql://shop:s3cr3t@127.0.0.1:{port}/orders", SystemClock())
    with pytest.raises(StoreCannotOpen) as failed:
        await store.open()
    assert f"127.0.0.1:{port}" in str(failed.value)
    assert "s3cr3t" not in str(failed.value)


async def test_a_server_that_does_not_answer_is_named(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "CONNECT_LIMIT_S", 0.3)
    async with asyncio.timeout(BOUND_S), Proxy(url) as proxy:
        proxy.forwarding.clear()
        with pytest.raises(StoreCannotOpen, match="did not answer in time"):
            await PostgresStore(proxy.url, SystemClock()).open()


@pytest.mark.parametrize("url", ["postgresql://shop:s3#cr3t@host/orders", "postgresql://shop:s3cr3t@host:5x2/orders"])
async def test_a_bad_url_is_not_repeated(url: str) -> None:
    with pytest.raises(StoreCannotOpen) as failed:
        await PostgresStore(url, SystemClock()).open()
    assert "cr3t" not in str(failed.value)


async def test_a_newer_schema_is_refused(store: PostgresStore, url: str) -> None:
    execute(url, "INSERT INTO schema_migrations VALUES (9999, '9999_later.sql', 'x', 0)")
    try:
        with pytest.raises(StoreCannotOpen, match="newer ordertrack"):
            await PostgresStore(url, SystemClock()).open()
    finally:
        execute(url, "DELETE FROM schema_migrations WHERE number = 9999")


async def test_nodes_that_start_at_once_migrate_once(server: Postgres) -> None:
    stores = [PostgresStore(server.url, SystemClock(), pool=3) for _ in range(5)]
    async with asyncio.timeout(BOUND_S):
        await asyncio.gather(*(store.open() for store in stores))
        assert len({store.epoch for store in stores}) == 1
        await asyncio.gather(*(store.close() for store in stores))


DAMAGES = {
    "status": "UPDATE events SET event = replace(event, 'confirmed', 'eaten') WHERE order_id = 3",
    "details": "UPDATE orders SET details = '{\"items\": 7}' WHERE id = 3",
    "json": "UPDATE orders SET details = '{' WHERE id = 3",
    "event": "UPDATE events SET event = '],[' WHERE order_id = 3",
    "gap": "UPDATE events SET event = replace(event, '[1,', '[2,') WHERE order_id = 3",
    "no events": "DELETE FROM events WHERE order_id = 3",
}
"""Statements that damage order 3."""


@pytest.mark.parametrize("what", DAMAGES)
async def test_only_the_damaged_order_fails(store: PostgresStore, url: str, what: str) -> None:
    """Clause 16."""
    for _ in range(5):
        await create_order(store)
    execute(url, DAMAGES[what])
    opened: Any = store._open
    opened.commits.remembered.clear()
    outcomes = await asyncio.gather(*map(store.order, (1, 3, 4)), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [Order, InternalError, Order]
    with capture_logs() as logs:
        assert [order.id for order in await store.orders(OrderFilter(limit=3))] == [5, 4, 2]
        assert [order.id for order in (await store.feed_changes(CUSTOMER, None)).orders] == [1, 2, 4, 5]
        assert list(await store.orders_by_id([1, 3, 4])) == [1, 4]
    assert store.left_out == sum(entry["order_ids"] == [3] for entry in logs) == 3
    results = await store.apply([ChangeStatus(n, Status.READY, "test") for n in range(1, 6)], NOW_MS)
    assert [type(result) for result in results] == [Applied, Applied, InternalError, Applied, Applied]


@pytest.mark.parametrize("what", DAMAGES)
async def test_orders_to_check_leave_out_a_damaged_one(store: PostgresStore, url: str, what: str) -> None:
    """Clauses 16 and 25."""
    for _ in range(5):
        await create_order(store)
    execute(url, "UPDATE events SET event = replace(event, ',[],null]', ',[],[[1,2],false,3]]')")
    execute(url, DAMAGES[what])
    page = await store.etas_to_check(NOW_MS, 0, 10)
    assert [order.id for order in page.due] == [1, 2, 4, 5]


async def test_damaged_steps_end_one_simulation(store: PostgresStore, url: str) -> None:
    """Clause 16."""
    for _ in range(2):
        await store.start_simulation((await create_order(store)).id, WorkflowOptions(), NOW_MS)
    execute(url, "UPDATE orders SET steps = '[7]', revision = revision + 1 WHERE id = 1")
    assert list(await store.simulations()) == [2]
    assert len(await store.start_simulation(1, WorkflowOptions(), NOW_MS)) == 4


async def test_a_request_that_fails_by_itself_fails_alone(store: PostgresStore) -> None:
    """Clause 2: nothing of the failed request is kept."""
    orders = [await create_order(store) for _ in range(3)]

    def job(order: Order) -> Callable[[Batch], object]:
        def run(batch: Batch) -> object:
            result = batch.apply([assign(order, "d9")], NOW_MS)
            return result if order.id != 2 else [].pop()

        return run

    outcomes = await asyncio.gather(*(store._submit(job(order)) for order in orders), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [list, InternalError, list]
    assert [(order.id, order.version) for order in await store.orders(OrderFilter(limit=5))] == [(3, 2), (2, 1), (1, 2)]


async def test_a_collision_of_rows_fails_alone(store: PostgresStore, url: str) -> None:
    """The damaged order has an event that its row does not count."""
    orders = [await create_order(store) for _ in range(3)]
    columns = "customer, 99, restaurant, 99, courier, 99, event"
    execute(url, f"INSERT INTO events SELECT 2, 2, {columns} FROM events WHERE order_id = 2")
    changes = (store.apply([assign(order, "d1")], NOW_MS) for order in orders)
    outcomes = await asyncio.gather(*changes, return_exceptions=True)
    kinds = [type(outcome[0]) if isinstance(outcome, list) else type(outcome) for outcome in outcomes]
    assert kinds == [Applied, InternalError, Applied]


async def test_expired_keys_are_deleted(store: PostgresStore, url: str) -> None:
    day_ms = IDEMPOTENCY_KEPT_MS
    await store.create(new_order(), NOW_MS, idempotency=Idempotency("old", "body"))
    opened: Any = store._open
    opened.commits._purge_s = 0.0
    await store.create(new_order(), NOW_MS + day_ms + 1, idempotency=Idempotency("new", "body"))
    await store.apply([], NOW_MS)  # after the deletion
    assert [key for (key,) in execute(url, "SELECT key FROM idempotency")] == ["new"]


async def test_a_lost_transaction_is_not_committed(store: PostgresStore, url: str) -> None:
    """The connection breaks between the last statement and COMMIT, which must not go to another connection."""
    server = sessions.Server(url, is_pooled=False)
    await server.open()
    session = server.session()

    async def lose_a_transaction() -> None:
        async with session.transaction():
            await session.fetch("INSERT INTO meta VALUES ('a', 'b')")
            session.terminate()

    with pytest.raises(sessions.ConnectionLost):
        await lose_a_transaction()
    assert await session.fetch("SELECT FROM meta WHERE key = 'a'") == []
    await server.close(BOUND_S)


async def test_a_new_connection_is_not_trusted(store: PostgresStore, url: str) -> None:
    """After a failover to a standby that was behind, orders and parties that are remembered may not exist."""
    order = await create_order(store)
    await apply_one(store, assign(order, "d1"))
    execute(url, "TRUNCATE orders, events, parties, tracking_links RESTART IDENTITY")
    opened: Any = store._open
    opened.commits._session.terminate()
    assert isinstance(await apply_refused(store, assign(order, "d2")), OrderNotFound)
    again = await create_order(store)
    assert (again.id, await store.feed_version(CUSTOMER)) == (order.id, 1)


async def test_an_order_of_a_failed_commit_is_forgotten(store: PostgresStore, url: str) -> None:
    execute(url, "ALTER TABLE status_counts ADD CONSTRAINT none_allowed CHECK (orders < 0)")
    with pytest.raises(InternalError):
        await create_order(store)
    execute(url, "ALTER TABLE status_counts DROP CONSTRAINT none_allowed")
    assert isinstance(await apply_refused(store, assign(1, "d1")), OrderNotFound)
    assert (await create_order(store)).id == 1
