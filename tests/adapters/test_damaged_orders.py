"""Rows that are damaged while the server runs: contract clause 16, over the file."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from ordertrack.adapters.sqlite.store import SqliteStore
from ordertrack.adapters.sqlite.transaction import Transaction
from ordertrack.adapters.sqlite.writer import Writer
from ordertrack.adapters.system.clock import SystemClock
from ordertrack.core.errors import InternalError, OrderNotFound, StoreUnavailable
from ordertrack.core.event import Status
from ordertrack.core.feed import FeedKey, FeedKind
from ordertrack.core.order import NewOrder, Order
from ordertrack.core.order_rules import AssignCourier, ChangeStatus
from ordertrack.core.simulation import WorkflowOptions
from ordertrack.ports.commits import Applied, Committed
from ordertrack.ports.order_store import OrderFilter

pytestmark = pytest.mark.anyio

NOW_MS, BOUND_S = 1_795_342_530_000, 60
CUSTOMER = FeedKey(FeedKind.CUSTOMER, "c1")
_WINDOW = "eta_from_ms = 1, eta_to_ms = 253402300800000, eta_late = 0, eta_check_at_ms = 1"
"""It ends in the year 10000."""
DAMAGES = {
    "status": "UPDATE events SET status = 'eaten' WHERE order_id = 3",
    "details": "UPDATE orders SET details = '{\"items\": 7}' WHERE id = 3",
    "json": "UPDATE orders SET details = '{' WHERE id = 3",
    "text": "UPDATE orders SET details = CAST(x'7b22ff227d' AS TEXT) WHERE id = 3",
    "reference": "UPDATE orders SET reference = CAST(x'ff' AS TEXT) WHERE id = 3",
    "actor": "UPDATE events SET actor = CAST(x'ff' AS TEXT) WHERE order_id = 3",
    "skipped": "UPDATE events SET skipped = '\"],[' WHERE order_id = 3",
    "eta": "UPDATE events SET eta_from_ms = 1 WHERE order_id = 3",
    "window": f"UPDATE events SET {_WINDOW} WHERE order_id = 3",
    "time": "UPDATE events SET at_ms = 1000000000000000000 WHERE order_id = 3",
    "creation": "UPDATE orders SET created_at_ms = -1000000000000000000 WHERE id = 3",
    "gap": "UPDATE events SET version = 9 WHERE order_id = 3",
    "no events": "DELETE FROM events WHERE order_id = 3 AND version < 9",
}
"""Statements that damage order 3."""


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    """Five orders of one customer, none of them cached."""
    store = SqliteStore(tmp_path, SystemClock())
    await store.open(lambda commits: None)
    for _ in range(5):
        await store.create(NewOrder("c1", "r1", "d1"), NOW_MS)
    await store.close()
    await store.open(lambda commits: None)
    store._orders._cache.clear()
    async with asyncio.timeout(BOUND_S):
        yield store
    await store.close()


def damage(store: SqliteStore, statement: str) -> None:
    with sqlite3.connect(store.path) as database:
        database.execute("PRAGMA foreign_keys = OFF")
        database.execute(statement)
    database.close()


def writer_of(store: SqliteStore) -> Writer:
    assert store._open is not None
    return store._open.writer


def ids(orders: Sequence[Order]) -> list[int]:
    return [order.id for order in orders]


def logged_ids(logs: list[dict[str, object]]) -> list[object]:
    return [entry.get("order_ids", entry.get("order_id")) for entry in logs if "damaged" in str(entry["event"])]


@pytest.mark.parametrize("what", DAMAGES)
async def test_only_the_damaged_order_fails(store: SqliteStore, what: str) -> None:
    damage(store, DAMAGES[what])
    with capture_logs() as logs:
        with pytest.raises(InternalError):
            await store.order(3)
        assert ids(await store.orders(OrderFilter(limit=10))) == [5, 4, 2, 1]
        assert ids((await store.feed_changes(CUSTOMER, None)).orders) == [1, 2, 4, 5]
        assert ids((await store.feed_changes(CUSTOMER, 0)).orders) == [1, 2, 4, 5]
        assert (await store.order(4)).version == 1
    alone, *left_out = logged_ids(logs)
    assert alone == 3
    assert left_out == [[3]] * store.left_out
    assert store.left_out == (2 if what == "no events" else 3), "without events it is no change of a feed"


@pytest.mark.parametrize("what", DAMAGES)
async def test_a_damaged_order_fails_no_read_beside_it(store: SqliteStore, what: str) -> None:
    damage(store, DAMAGES[what])
    reads = [store.order(order_id) for order_id in (1, 3, 9, 4, 3)]
    outcomes = await asyncio.gather(*reads, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [Order, InternalError, OrderNotFound, Order, InternalError]


@pytest.mark.parametrize("what", DAMAGES)
async def test_only_changes_of_the_damaged_order_fail(store: SqliteStore, what: str) -> None:
    damage(store, DAMAGES[what])
    changes = [AssignCourier(order_id, f"d{n}", "test") for n in range(2, 20) for order_id in (1, 2, 3, 4, 5)]
    singles = await asyncio.gather(*(store.apply([change], NOW_MS) for change in changes))
    bulk = await store.apply([ChangeStatus(n, Status.READY, "test") for n in (1, 2, 3, 4, 5)], NOW_MS)
    for change, (result,) in zip(changes, singles, strict=True):
        assert isinstance(result, InternalError if change.order_id == 3 else Applied), change
    assert [type(result) for result in bulk] == [Applied, Applied, InternalError, Applied, Applied]


@pytest.mark.parametrize("limit", [1, 2, 3, 4])
async def test_pages_leave_out_only_damaged_orders(store: SqliteStore, limit: int) -> None:
    damage(store, DAMAGES["json"])
    damage(store, DAMAGES["reference"].replace("3", "5"))
    listed: list[int] = []
    page = await store.orders(OrderFilter(limit=limit))
    while page:
        listed += ids(page)
        page = await store.orders(OrderFilter(limit=limit, before_id=page[-1].id))
    assert listed == [4, 2, 1]
    followed: list[int] = []
    changes = await store.feed_changes(CUSTOMER, None, limit=limit)
    followed += ids(changes.orders)
    while changes.more:
        changes = await store.feed_changes(CUSTOMER, changes.version, limit=limit, after_id=changes.after_id)
        followed += ids(changes.orders)
    assert followed == [1, 2, 4]
    assert changes.version == 5, "the feed's own version"


async def test_orders_to_check_leave_out_a_damaged_one(store: SqliteStore) -> None:
    damage(store, "UPDATE events SET eta_from_ms = 1, eta_to_ms = 2, eta_late = 0, eta_check_at_ms = 3")
    damage(store, DAMAGES["actor"])
    page = await store.etas_to_check(NOW_MS, 0, 10)
    assert (ids(page.due), page.last_id) == ([1, 2, 4, 5], None)
    assert store.left_out == 1


async def test_damaged_steps_end_one_simulation(store: SqliteStore) -> None:
    for order_id in (3, 4):
        await store.start_simulation(order_id, WorkflowOptions(), NOW_MS)
    damage(store, "UPDATE simulation_steps SET status = CAST(x'ff' AS TEXT) WHERE order_id = 3 AND seq = 1")
    writer_of(store)._transaction.forget()
    assert list(await store.simulations()) == [4]
    (changed,) = await store.apply([AssignCourier(1, "d2", "test")], NOW_MS)
    assert isinstance(changed, Applied)
    assert len(await store.start_simulation(3, WorkflowOptions(), NOW_MS)) == 4
    assert list(await store.simulations()) == [3, 4]


async def test_a_request_that_fails_by_itself_fails_alone(store: SqliteStore) -> None:
    """Nothing of the failed request is kept."""
    commits: list[Committed] = []
    store._listeners = (lambda committed: commits.extend(committed),)

    def job(order_id: int) -> Callable[[Transaction], object]:
        def run(tx: Transaction) -> object:
            result = tx.apply([AssignCourier(order_id, "d9", "test")], NOW_MS)
            return result if order_id != 3 else [].pop()

        return run

    submit = writer_of(store).submit
    outcomes = await asyncio.gather(*(submit(job(n)) for n in (1, 2, 3, 4, 5)), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [list, list, InternalError, list, list]
    assert [committed.order.id for committed in commits] == [1, 2, 4, 5]
    assert [(order.id, order.version) for order in await store.orders(OrderFilter(limit=5))] == [
        (5, 2), (4, 2), (3, 1), (2, 2), (1, 2),
    ]  # fmt: skip


async def test_a_collision_in_the_file_is_read_and_passed(store: SqliteStore) -> None:
    """The writer's cached order is wrong: it is read again, and all requests of the commit succeed."""
    for order_id in (1, 3):
        await store.apply([AssignCourier(order_id, "d2", "test")], NOW_MS)
    columns = "type, status, at_ms, recorded_at_ms, actor, reason, skipped, courier_id, undoes, 0, 0, 0, origin, " + (
        "eta_from_ms, eta_to_ms, eta_late, eta_check_at_ms"
    )
    damage(store, f"INSERT INTO events SELECT 3, 3, {columns} FROM events WHERE order_id = 1 AND version = 2")
    changes = [store.apply([AssignCourier(order_id, "d9", "test")], NOW_MS) for order_id in (1, 2, 3, 4)]
    results = [result for (result,) in await asyncio.gather(*changes)]
    assert [result.order.version for result in results if isinstance(result, Applied)] == [3, 2, 4, 2]


async def test_a_failing_medium_fails_the_whole_commit(store: SqliteStore) -> None:
    """The commit is not retried in halves when the medium is full."""
    writer_of(store)._connection.execute("PRAGMA query_only = ON")
    changes = [store.apply([AssignCourier(order_id, "d9", "test")], NOW_MS) for order_id in (1, 2, 3)]
    outcomes = await asyncio.gather(*changes, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [StoreUnavailable] * 3
