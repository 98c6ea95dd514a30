"""The tables of the SQLite store: databases of earlier versions, what a change writes, and which index a read uses."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from hashlib import sha256
from itertools import permutations
from pathlib import Path

import pytest

from ordertrack.adapters.shared.sql_files import read_migrations
from ordertrack.adapters.sqlite import database, feeds, lists
from ordertrack.adapters.sqlite.database import FILE_NAME, SQL, connect, migrate
from ordertrack.adapters.sqlite.store import SqliteStore
from ordertrack.adapters.system.clock import SystemClock
from ordertrack.core.event import Event, EventType, Status
from ordertrack.core.feed import FeedChanges, FeedKey, FeedKind
from ordertrack.core.order import Details, NewOrder, Order
from ordertrack.core.order_rules import AssignCourier, Change, ChangeStatus
from ordertrack.ports.commits import Applied
from ordertrack.ports.order_store import OrderFilter

pytestmark = pytest.mark.anyio

PlanOf = Callable[[str], str]
NOW_MS = 1_795_342_530_000
BOUND_S = 60
C1, C2, R1 = FeedKey(FeedKind.CUSTOMER, "c1"), FeedKey(FeedKind.CUSTOMER, "c2"), FeedKey(FeedKind.RESTAURANT, "r1")
D1, D2 = FeedKey(FeedKind.COURIER, "d1"), FeedKey(FeedKind.COURIER, "d2")


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[SqliteStore]:
    store = SqliteStore(folder, SystemClock())
    async with asyncio.timeout(BOUND_S):
        await store.open(lambda commits: None)
        try:
            yield store
        finally:
            await store.close()


async def applied(store: SqliteStore, change: Change) -> Order:
    (result,) = await store.apply([change], NOW_MS)
    assert isinstance(result, Applied), result
    return result.order


# Databases of earlier versions

SCHEMA_2 = """
INSERT INTO meta VALUES ('epoch', 'a1b2c3d4');
INSERT INTO orders VALUES
    (1, 'A', 'c1', 'r1', 'd2', '{"note":"bell"}', 'preparing', 4, 1000, 1003, 5, 6, 1),
    (2, NULL, 'c1', 'r1', NULL, '{}', 'cancelled', 2, 1000, 1001, 4, 4, 0),
    (3, NULL, 'c2', 'r1', 'd1', '{}', 'delivered', 2, 1000, 1001, 2, 5, 4);
INSERT INTO events VALUES
    (1, 1, 'created', 'confirmed', 1000, 1000, 'shop', NULL, NULL, 'd1', NULL),
    (1, 2, 'status_changed', 'ready', 1001, 1001, 'cook', NULL, 'preparing', NULL, NULL),
    (1, 3, 'reverted', 'preparing', 1002, 1002, 'cook', 'burnt', NULL, NULL, 2),
    (1, 4, 'courier_assigned', 'preparing', 1003, 1003, 'shop', NULL, NULL, 'd2', NULL),
    (2, 1, 'created', 'confirmed', 1000, 1000, 'shop', NULL, NULL, NULL, NULL),
    (2, 2, 'status_changed', 'cancelled', 1001, 1001, 'shop', NULL, NULL, NULL, NULL),
    (3, 1, 'created', 'confirmed', 1000, 1000, 'shop', NULL, NULL, 'd1', NULL),
    (3, 2, 'status_changed', 'delivered', 1001, 1001, 'shop', NULL, 'preparing,ready,picked_up', NULL, NULL);
INSERT INTO departures VALUES ('d1', 1, 5);
INSERT INTO feeds VALUES
    ('customer', 'c1', 5), ('customer', 'c2', 2), ('restaurant', 'r1', 6), ('courier', 'd1', 5), ('courier', 'd2', 1);
"""
"""Three orders in schema 2."""


SCHEMA_3 = """
INSERT INTO meta VALUES ('epoch', 'a1b2c3d4');
INSERT INTO orders VALUES
    (1, 'A', 'c1', 'r1', 'd1', '{}', 1000, NULL), (2, NULL, 'c1', 'r1', NULL, '{}', 1000, 'cancelled');
INSERT INTO events VALUES
    (1, 1, 'created', 'confirmed', 1000, 1000, 'shop', NULL, NULL, 'd1', NULL, 1, 1, 1),
    (1, 2, 'status_changed', 'ready', 1001, 1002, 'cook', 'so', 'preparing', NULL, NULL, 3, 3, 2),
    (2, 1, 'created', 'confirmed', 1000, 1000, 'shop', NULL, NULL, NULL, NULL, 2, 2, 0),
    (2, 2, 'status_changed', 'cancelled', 1003, 1003, 'shop', NULL, NULL, NULL, NULL, 4, 4, 0);
INSERT INTO parties VALUES (1, 'customer', 'c1'), (2, 'restaurant', 'r1'), (3, 'courier', 'd1');
INSERT INTO feed_entries VALUES
    (1, 1, 1), (1, 2, 2), (1, 3, 1), (1, 4, 2), (2, 1, 1), (2, 2, 2), (2, 3, 1), (2, 4, 2), (3, 1, 1), (3, 2, 1);
"""
"""Two orders in schema 3: without addresses of events, and without links."""


SCHEMA_4 = """
INSERT INTO meta VALUES ('epoch', 'a1b2c3d4');
INSERT INTO orders VALUES
    (1, 'A', 'c1', 'r1', 'd1', '{}', 1000, NULL), (2, NULL, 'c1', 'r1', NULL, '{}', 1000, 'cancelled'),
    (3, NULL, 'c1', 'r1', NULL, '{}', 1000, NULL);
INSERT INTO events VALUES
    (1, 1, 'created', 'confirmed', 1000, 1000, 'shop', NULL, NULL, 'd1', NULL, 1, 1, 1, NULL),
    (2, 1, 'created', 'confirmed', 1000, 1000, 'shop', NULL, NULL, NULL, NULL, 2, 2, 0, NULL),
    (2, 2, 'status_changed', 'cancelled', 1003, 1003, 'shop', NULL, NULL, NULL, NULL, 3, 3, 0, NULL),
    (3, 1, 'created', 'confirmed', 1000, 1000, 'shop', NULL, NULL, NULL, NULL, 4, 4, 0, NULL);
INSERT INTO parties VALUES (1, 'customer', 'c1'), (2, 'restaurant', 'r1'), (3, 'courier', 'd1');
INSERT INTO feed_entries VALUES
    (1, 1, 1), (1, 2, 2), (1, 3, 2), (1, 4, 3), (2, 1, 1), (2, 2, 2), (2, 3, 2), (2, 4, 3), (3, 1, 1);
DELETE FROM feed_entries WHERE order_id = 3;
DELETE FROM events WHERE order_id = 3;
DELETE FROM orders WHERE id = 3;
"""
"""Two orders in schema 4, and one that was deleted."""


def make_schema(number: int, rows: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = [migration for migration in read_migrations("ordertrack.adapters.sqlite") if migration.number <= number]
    connection = connect(folder / FILE_NAME)
    with monkeypatch.context() as patched:
        patched.setattr(database, "read_migrations", lambda package: first)
        migrate(connection, NOW_MS)
    connection.executescript(rows)
    connection.close()


def make_schema_2(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_schema(2, SCHEMA_2, folder, monkeypatch)


def execute(folder: Path, *statements: str) -> object:
    """Return the value of the last statement."""
    connection = sqlite3.connect(folder / FILE_NAME)
    try:
        rows = [connection.execute(statement).fetchone() for statement in statements]
        return rows[-1] and rows[-1][0]
    finally:
        connection.close()


async def test_a_database_of_schema_2_keeps_its_orders_and_feeds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_schema_2(tmp_path, monkeypatch)
    async with opened(tmp_path) as store:
        assert store.epoch == "a1b2c3d4"
        first, second, third = [await store.order(order_id) for order_id in (1, 2, 3)]
        assert first == Order(
            id=1,
            reference="A",
            customer_id="c1",
            restaurant_id="r1",
            courier_id="d2",
            details=Details(note="bell"),
            status=Status.PREPARING,
            version=4,
            created_at_ms=1000,
            updated_at_ms=1003,
            timeline=(
                Event(1, EventType.CREATED, Status.CONFIRMED, 1000, 1000, "shop", courier_id="d1"),
                Event(2, EventType.STATUS_CHANGED, Status.READY, 1001, 1001, "cook", skipped=(Status.PREPARING,)),
                Event(3, EventType.REVERTED, Status.PREPARING, 1002, 1002, "cook", "burnt", undoes=2),
                Event(4, EventType.COURIER_ASSIGNED, Status.PREPARING, 1003, 1003, "shop", courier_id="d2"),
            ),
        )
        assert await store.feed_changes(C1, 0) == FeedChanges(5, (second, first))
        assert await store.feed_changes(C1, None) == FeedChanges(5, (first,))
        assert await store.feed_changes(C2, 1) == FeedChanges(2, (third,))
        assert await store.feed_changes(R1, 0) == FeedChanges(6, (second, third, first))
        assert await store.feed_changes(R1, 4, limit=1) == FeedChanges(5, (third,), more=True)
        assert await store.feed_changes(D1, 0) == FeedChanges(5, (third,), (1,))
        assert await store.feed_changes(D1, None) == FeedChanges(5)
        assert await store.feed_changes(D2, 0) == FeedChanges(1, (first,))
        counts = {status: count for status, count in (await store.orders_by_status()).items() if count}
        assert counts == {Status.PREPARING: 1, Status.CANCELLED: 1, Status.DELIVERED: 1}


async def test_a_database_of_schema_2_continues_its_versions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_schema_2(tmp_path, monkeypatch)
    async with opened(tmp_path) as store:
        back = await applied(store, AssignCourier(1, "d1", "shop"))
        assert back.version == 5
        assert await store.feed_changes(C1, 5) == FeedChanges(6, (back,))
        assert await store.feed_changes(D1, 5) == FeedChanges(6, (back,))
        assert await store.feed_changes(D1, None) == FeedChanges(6, (back,))
        assert await store.feed_changes(D2, 1) == FeedChanges(2, (), (1,))
        again = await applied(store, ChangeStatus(3, Status.READY, "cook", undo=True))
        assert await store.feed_changes(C2, None) == FeedChanges(3, (again,))
        assert (await store.create(NewOrder("c1", "r1"), NOW_MS)).order.id == 4


async def test_events_of_schema_3_have_no_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_schema(3, SCHEMA_3, tmp_path, monkeypatch)
    async with opened(tmp_path) as store:
        assert store.epoch == "a1b2c3d4"
        first, second = await store.order(1), await store.order(2)
        assert first.timeline == (
            Event(1, EventType.CREATED, Status.CONFIRMED, 1000, 1000, "shop", courier_id="d1"),
            Event(2, EventType.STATUS_CHANGED, Status.READY, 1001, 1002, "cook", "so", skipped=(Status.PREPARING,)),
        )
        assert {event.origin for order in (first, second) for event in order.timeline} == {None}
        assert await store.feed_changes(C1, 0) == FeedChanges(4, (first, second))
        assert await store.feed_changes(D1, None) == FeedChanges(2, (first,))
        assert await store.links(1) == []


async def test_a_database_of_schema_3_gets_addresses_and_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_schema(3, SCHEMA_3, tmp_path, monkeypatch)
    token_hash = sha256(b"token").digest()
    async with opened(tmp_path) as store:
        change = ChangeStatus(1, Status.PICKED_UP, "courier:d1", origin="203.0.113.9")
        order = await applied(store, change)
        link = await store.create_link(2, token_hash, "service:shop", NOW_MS)
        revoked = await store.revoke_link(2, (await store.create_link(2, bytes(32), "shop", NOW_MS)).id, NOW_MS + 1)
    async with opened(tmp_path) as store:
        assert await store.order(1) == order
        assert [event.origin for event in order.timeline] == [None, None, "203.0.113.9"]
        assert await store.feed_changes(C1, 4) == FeedChanges(5, (order,))
        assert await store.links(2) == [link, revoked]
        assert await store.find_link(token_hash) == link


async def test_a_database_of_schema_4_lists_its_orders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_schema(4, SCHEMA_4, tmp_path, monkeypatch)
    async with opened(tmp_path) as store:
        first, second = await store.order(1), await store.order(2)
        for party in ({"customer_id": "c1"}, {"restaurant_id": "r1"}, {"customer_id": "c1", "restaurant_id": "r1"}):
            assert await store.orders(OrderFilter(limit=5, **party)) == [second, first]
            assert await store.orders(OrderFilter(limit=5, statuses=(Status.CONFIRMED,), **party)) == [first]
            assert await store.orders(OrderFilter(limit=5, statuses=(Status.CANCELLED,), **party)) == [second]
        assert await store.orders(OrderFilter(limit=5, courier_id="d1")) == [first]
        assert (await store.feed_changes(D1, None)).orders == (first,)


async def test_a_deleted_order_keeps_its_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_schema(4, SCHEMA_4, tmp_path, monkeypatch)
    async with opened(tmp_path) as store:
        assert (await store.create(NewOrder("c1", "r1"), NOW_MS)).order.id == 4


async def test_a_database_of_4_kib_pages_keeps_them(tmp_path: Path) -> None:
    execute(tmp_path, "PRAGMA page_size = 4096", "PRAGMA journal_mode = WAL")
    async with opened(tmp_path) as store:
        order = (await store.create(NewOrder("c1", "r1"), NOW_MS)).order
    assert execute(tmp_path, "PRAGMA page_size") == 4096
    convert = ("PRAGMA journal_mode = DELETE", "PRAGMA page_size = 1024", "VACUUM")  # as docs/operating.md says
    execute(tmp_path, *convert)
    assert execute(tmp_path, "PRAGMA page_size") == 1024
    async with opened(tmp_path) as store:
        assert await store.order(1) == order
    assert execute(tmp_path, "PRAGMA journal_mode") == "wal"


# What a change writes


async def test_a_change_writes_its_event_and_feed_entries_only(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        order = (await store.create(NewOrder("c1", "r1", "d1"), NOW_MS)).order
        assert store._open is not None
        connection = store._open.writer._connection
        before = connection.total_changes
        await applied(store, ChangeStatus(order.id, Status.PREPARING, "cook"))
        assert connection.total_changes - before == 1 + 3


@pytest.mark.parametrize("status", ["delivered", "cancelled"])
async def test_a_reverted_end_makes_the_order_active_again(tmp_path: Path, status: str) -> None:
    async with opened(tmp_path) as store:
        order = (await store.create(NewOrder("c1", "r1"), NOW_MS)).order
        ended = await applied(store, ChangeStatus(order.id, Status(status), "shop"))
        assert await store.orders(OrderFilter(limit=5, statuses=(Status(status),))) == [ended]
        assert await store.orders(OrderFilter(limit=5, statuses=(Status.CONFIRMED,))) == []
        back = await applied(store, ChangeStatus(order.id, Status.CONFIRMED, "shop", undo=True))
        assert await store.orders(OrderFilter(limit=5, statuses=(Status(status),))) == []
        assert await store.orders(OrderFilter(limit=5, statuses=(Status.CONFIRMED,))) == [back]
        assert await store.feed_changes(C1, None) == FeedChanges(3, (back,))


# Which index a read uses


@pytest.fixture
def plan_of(tmp_path: Path) -> Iterator[PlanOf]:
    connection = connect(tmp_path / FILE_NAME)
    migrate(connection, NOW_MS)
    names = (
        *("party", "id", "after", "since", "limit", "customer_id", "restaurant_id", "courier_id", "before_id"),
        *("version", "order_id", "link_id", "token_hash", "now_ms"),
    )

    def plan(query: str) -> str:
        rows = connection.execute(f"EXPLAIN QUERY PLAN {query}", dict.fromkeys(names, 1))
        return "\n".join(detail for *_, detail in rows)

    yield plan
    connection.close()


@pytest.mark.parametrize("kind", [FeedKind.CUSTOMER, FeedKind.RESTAURANT, FeedKind.COURIER])
def test_a_page_of_a_feed_is_a_range_of_its_entries(plan_of: PlanOf, kind: FeedKind) -> None:
    plan = plan_of(feeds.CHANGED[kind].orders)
    assert plan.startswith("SEARCH f USING PRIMARY KEY (party=? AND version>?)")
    assert "SCAN" not in plan
    assert "TEMP B-TREE" not in plan


@pytest.mark.parametrize("kind", [FeedKind.CUSTOMER, FeedKind.RESTAURANT, FeedKind.COURIER])
def test_a_snapshot_reads_only_active_orders(plan_of: PlanOf, kind: FeedKind) -> None:
    plan = plan_of(feeds.ACTIVE[kind].orders)
    assert plan.startswith(f"SEARCH orders USING INDEX orders_{kind} ({kind}_id=? AND final_status=? AND rowid>?)")
    assert "SCAN" not in plan
    assert "TEMP B-TREE" not in plan


def test_counts_do_not_read_final_orders(plan_of: PlanOf) -> None:
    plan = plan_of(lists.BY_STATUS)
    assert plan.count("USING COVERING INDEX orders_final_status") == 2
    assert "SCAN" not in plan


def test_orders_to_check_are_a_range_of_an_index(plan_of: PlanOf) -> None:
    plan = plan_of(SQL["etas_to_check"])
    assert plan.startswith("SEARCH orders USING COVERING INDEX orders_final_status (final_status=? AND rowid>?)")
    assert "SCAN" not in plan
    assert "TEMP B-TREE" not in plan


def every_filter() -> Iterator[tuple[OrderFilter, tuple[str, ...]]]:
    """Yield each combination of statuses, parties and a position, with each of the parties as the rarest."""
    for bits in range(1 << len(Status)):
        statuses = tuple(status for place, status in enumerate(Status) if bits >> place & 1)
        for before_id in (None, 9):
            yield OrderFilter(limit=5, statuses=statuses, before_id=before_id), ()
            for count in range(1, 4):
                for parties in permutations(lists.PARTIES, count):
                    ids = dict.fromkeys(parties, "x")
                    yield OrderFilter(limit=5, statuses=statuses, before_id=before_id, **ids), parties


def test_every_list_is_a_merge_of_index_ranges(plan_of: PlanOf) -> None:
    for order_filter, parties in every_filter():
        below = "" if order_filter.before_id is None else " AND rowid<?"
        if parties:
            index = f"{parties[0].removesuffix('_id')} ({parties[0]}=? AND final_status=?{below})"
        elif order_filter.statuses:
            index = f"final_status (final_status=?{below})"
        else:
            continue
        plan = plan_of(lists.list_query(order_filter, parties))
        _, *reads = plan.split("SEARCH orders USING ")
        assert all(read.removeprefix("COVERING ").startswith(f"INDEX orders_{index}") for read in reads), order_filter
        assert len(reads) == len({status if status.ended else None for status in order_filter.statuses or Status})
        assert "SCAN" not in plan
        assert "TEMP B-TREE" not in plan


def test_a_list_of_all_orders_reads_them_by_id(plan_of: PlanOf) -> None:
    assert plan_of(lists.list_query(OrderFilter(limit=5), ())) == "SCAN orders"
    assert plan_of(lists.list_query(OrderFilter(limit=5, before_id=9), ())) == (
        "SEARCH orders USING INTEGER PRIMARY KEY (rowid<?)"
    )


@pytest.mark.parametrize(
    ("statement", "index"),
    [
        ("find_link", "USING INDEX sqlite_autoindex_tracking_links_1 (token_hash=?)"),
        ("links", "USING INDEX tracking_links_order (order_id=?)"),
        ("count_links", "USING INDEX tracking_links_order (order_id=?)"),
        ("revoke_link", "USING INTEGER PRIMARY KEY (rowid=?)"),
    ],
)
def test_a_link_is_found_by_an_index(plan_of: PlanOf, statement: str, index: str) -> None:
    assert plan_of(SQL[statement]) == f"SEARCH tracking_links {index}"
