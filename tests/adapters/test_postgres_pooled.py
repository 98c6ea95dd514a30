"""The PostgreSQL store behind PgBouncer in transaction mode."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from contract.harness import (
    CUSTOMER,
    NOW_MS,
    RESTAURANT,
    apply_one,
    assign,
    create_order,
    hash_of,
    new_order,
    set_status,
)
from ordertrack.adapters.postgres.store import PostgresStore
from ordertrack.adapters.system.clock import SystemClock
from ordertrack.core.simulation import WorkflowOptions
from ordertrack.ports.commits import Applied, Idempotency
from ordertrack.ports.order_store import OrderFilter
from servers.child import NotInstalled
from servers.pgbouncer import PgBouncer
from support.databases import database_url
from support.missing import skip

pytestmark = pytest.mark.anyio

BOUND_S = 60


@pytest.fixture
def pooler(tmp_path: Path) -> Iterator[PgBouncer]:
    url = database_url(tmp_path)
    with tempfile.TemporaryDirectory(prefix="ordertrack-pgbouncer-") as folder:
        try:
            pooler = PgBouncer(Path(folder), url, pool_size=3)
        except NotInstalled as error:
            skip(str(error))
        yield pooler
        pooler.close()


async def test_transactions_may_share_server_sessions(pooler: PgBouncer) -> None:
    """More connections of two nodes than sessions of the server, so each transaction may get another one."""
    stores = [PostgresStore(pooler.url, SystemClock(), pool=6, is_pooled=True) for _ in range(2)]
    async with asyncio.timeout(BOUND_S):
        await asyncio.gather(*(store.open() for store in stores))
        key = Idempotency("key", "body")
        answers = [await store.create(new_order(reference="A"), NOW_MS, idempotency=key) for store in stores]
        assert [answer.replayed for answer in answers] == [False, True]
        orders = [await create_order(stores[0]) for _ in range(5)]

        async def use(store: PostgresStore, n: int) -> None:
            for k in range(10):
                order = orders[(n + k) % len(orders)]
                (result,) = await store.apply([assign(order, f"d{stores.index(store)}-{n}-{k}")], NOW_MS)
                assert isinstance(result, Applied)
                assert (await store.order(order.id)).version >= result.order.version
                assert len(await store.orders(OrderFilter(limit=10, customer_id="c1"))) == 6
                assert (await store.feed_changes(RESTAURANT, 0)).version <= await store.feed_version(RESTAURANT)

        await asyncio.gather(*(use(store, n) for store in stores for n in range(4)))
        assert await stores[1].feed_version(CUSTOMER) == 6 + 80
        steps = await stores[0].start_simulation(orders[0].id, WorkflowOptions(), NOW_MS)
        assert await stores[1].simulations() == {orders[0].id: steps}
        link = await stores[0].create_link(orders[0].id, hash_of("token"), "test", NOW_MS)
        assert await stores[1].find_link(hash_of("token")) == link
        changed = await apply_one(stores[0], set_status(orders[0], "ready"))
        assert await stores[1].order(orders[0].id) == changed
        await asyncio.gather(*(store.close() for store in stores))
