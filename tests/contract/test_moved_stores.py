"""Random histories in the SQLite store, copied to PostgreSQL: every read and every later change gives the same."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import count, product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from contract.harness import ETA_RULES, NOW_MS, assign, hash_of, set_status, step_change
from contract.test_equal_stores import EqualStores, comparable
from ordertrack.adapters.memory.store import MemoryStore
from ordertrack.adapters.postgres.store import PostgresStore
from ordertrack.adapters.sqlite.store import SqliteStore
from ordertrack.adapters.system.clock import SystemClock
from ordertrack.app.maintenance import check_database, move
from ordertrack.core.errors import OrdertrackError
from ordertrack.core.event import Status
from ordertrack.core.feed import FeedKey, FeedKind
from ordertrack.core.order import NewOrder
from ordertrack.core.simulation import WorkflowOptions
from ordertrack.database_url import parse_database_url
from ordertrack.ports.commits import Idempotency
from ordertrack.ports.order_store import OrderFilter
from ordertrack.ports.store import Store
from servers.postgres import Postgres

IDS = range(1, 8)
FEEDS = [
    FeedKey(kind, id_)
    for kind, ids in (
        (FeedKind.CUSTOMER, ("c1", "c2")),
        (FeedKind.RESTAURANT, ("r1", "r2")),
        (FeedKind.COURIER, ("d1", "d2", "d3")),
    )
    for id_ in ids
]
Operation = Callable[[Store, int], Any]


def creation(customer_id: str, courier_id: str | None, reference: str | None, key: str | None) -> Operation:
    new = NewOrder(customer_id, "r1", courier_id, reference)
    idempotency = None if key is None else Idempotency(key, "f1")
    return lambda store, now_ms: store.create(new, now_ms, idempotency=idempotency)


def simulation(order_id: int, steps_to_take: int) -> Operation:
    async def simulate(store: Store, now_ms: int) -> Any:
        steps = await store.start_simulation(order_id, WorkflowOptions(), now_ms)
        return [await store.apply([step_change(step)], now_ms) for step in steps[:steps_to_take]]

    return simulate


def link(order_id: int, token: int, is_revoked: bool) -> Operation:
    async def create(store: Store, now_ms: int) -> Any:
        made = await store.create_link(order_id, hash_of(token), "test", now_ms)
        return await store.revoke_link(order_id, made.id, now_ms) if is_revoked else made

    return create


OPERATIONS = st.one_of(
    st.builds(creation, EqualStores.customers, st.none() | EqualStores.couriers, st.none() | st.sampled_from("AB"),
              st.none() | st.sampled_from(["k1", "k2"])),
    st.lists(EqualStores.changes, min_size=1).map(lambda batch: lambda store, now_ms: store.apply(batch, now_ms)),
    st.builds(simulation, EqualStores.ids, st.integers(0, 4)),
    st.builds(link, EqualStores.ids, EqualStores.tokens, st.booleans()),
)  # fmt: skip
FIRST = [creation(customer, courier, None, None) for customer, courier in (("c1", "d1"), ("c2", None), ("c1", "d1"))]


def reads() -> Iterator[Operation]:
    """Yield every read of everything that a history may have."""
    yield lambda store, now_ms: store.simulations()
    yield lambda store, now_ms: store.orders_by_status()
    yield lambda store, now_ms: store.etas_to_check(now_ms, 0, 100)
    for order_id in IDS:
        yield lambda store, now_ms, order_id=order_id: store.order(order_id)
        yield lambda store, now_ms, order_id=order_id: store.links(order_id)
    for token in range(31):
        yield lambda store, now_ms, token=token: store.find_link(hash_of(token))
    for statuses in [(), *((status,) for status in Status)]:
        for party in ({}, {"customer_id": "c1"}, {"restaurant_id": "r1"}, {"courier_id": "d1"}):
            listed = OrderFilter(limit=3, statuses=statuses, **party)
            yield lambda store, now_ms, listed=listed: store.orders(listed)
    for feed in FEEDS:
        yield lambda store, now_ms, feed=feed: store.feed_version(feed)
        for after, after_id, limit in product((None, *range(9)), (0, 2, 5), (2, 100)):
            yield (
                lambda store, now_ms, page=(feed, after), more={"after_id": after_id, "limit": limit}: (
                    store.feed_changes(*page, **more)
                )
            )


def later_changes() -> Iterator[Operation]:
    """Yield changes that depend on what the history left: keys, references, ids, versions, steps."""
    yield creation("c1", "d1", None, "k1")
    yield creation("c2", None, "A", None)
    for order_id in IDS:
        yield lambda store, now_ms, order_id=order_id: store.stop_simulation(order_id)
        yield lambda store, now_ms, order_id=order_id: store.apply([set_status(order_id, "cancelled")], now_ms)
        yield lambda store, now_ms, order_id=order_id: store.apply([assign(order_id, "d3")], now_ms)
        yield link(order_id, 100 + order_id, is_revoked=False)


async def compare(memory: Store, other: Store, operations: Iterable[Operation], now_ms: int) -> None:
    for operation in operations:
        results = []
        for store in (memory, other):
            try:
                results.append(await operation(store, now_ms))
            except OrdertrackError as error:
                results.append(error)
        assert comparable(results[0]) == comparable(results[1])


async def move_and_compare(history: Sequence[Operation], folder: Path, url: str) -> None:
    target = parse_database_url(url)
    memory, sqlite = (
        MemoryStore("a1b2", SystemClock(), ETA_RULES),
        SqliteStore(folder, SystemClock(), eta_rules=ETA_RULES),
    )
    await memory.open()
    await sqlite.open()
    for age_s, operation in enumerate((*FIRST, *history)):
        await compare(memory, sqlite, [operation], NOW_MS + age_s * 1_000)
    await sqlite.close()
    await move(folder, target, ignore, skip_damaged=False)
    assert [finding async for finding in check_database(target, folder, ignore)] == []
    moved = PostgresStore(target.dsn, SystemClock(), eta_rules=ETA_RULES)
    await moved.open()
    assert moved.epoch == sqlite.epoch
    for operations in (reads(), later_changes(), reads()):
        await compare(memory, moved, operations, NOW_MS + 1_000_000)
    await moved.close()
    assert [finding async for finding in check_database(target, folder, ignore)] == []


def ignore(*progress: object) -> None: ...


_names = count()


@settings(max_examples=10)
@given(history=st.lists(OPERATIONS, min_size=5, max_size=25))
def test_copied_store_gives_the_results_of_the_source(postgres: Postgres, history: list[Operation]) -> None:
    with TemporaryDirectory() as folder:
        asyncio.run(move_and_compare(history, Path(folder), postgres.create_database(f"moved{next(_names)}")))
