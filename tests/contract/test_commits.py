"""Visibility: announcements come before reads (clause 5), and `peek` returns the announced state (clause 11)."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from pathlib import Path

import pytest

from contract.harness import (
    BOUND_S,
    CACHED,
    CUSTOMER,
    NOW_MS,
    RESTAURANT,
    STORES,
    Listener,
    apply_one,
    assign,
    courier,
    create_order,
    new_store,
    set_status,
)
from ordertrack.core.feed import FeedKey, FeedKind
from ordertrack.core.order import Order
from ordertrack.core.order_rules import Change
from ordertrack.core.simulation import WorkflowOptions
from ordertrack.ports.commits import Applied, Committed
from ordertrack.ports.order_store import OrderFilter
from ordertrack.ports.store import Store

pytestmark = pytest.mark.anyio


async def test_the_listener_gets_every_version_in_commit_order(store: Store, listener: Listener) -> None:
    """Clause 5."""
    orders = [await create_order(store) for _ in range(3)]
    for n in range(5):
        for order in orders:
            await apply_one(store, assign(order, f"d{n}"))
    announced = [(c.order.id, c.order.version) for c in listener.commits]
    expected = [(o.id, 1) for o in orders] + [(o.id, version) for version in range(2, 7) for o in orders]
    assert announced == expected


async def test_a_cancelled_change_is_announced(store: Store, listener: Listener) -> None:
    """Clause 5."""
    order = await create_order(store)
    caller = asyncio.ensure_future(store.apply([set_status(order, "preparing")], NOW_MS))
    await asyncio.sleep(0)  # it has begun
    caller.cancel()
    await asyncio.gather(caller, return_exceptions=True)
    other = await create_order(store)
    assert listener.announced[order.id] == 2
    assert listener.announced[other.id] == 1
    assert (await store.order(order.id)).status == "preparing"


async def test_a_change_returns_after_its_announcement(store: Store, listener: Listener) -> None:
    """Clause 5."""
    created = await create_order(store)
    assert listener.announced[created.id] == 1
    order = await apply_one(store, set_status(created, "preparing"))
    assert listener.announced[order.id] == order.version == 2


async def test_no_read_precedes_the_announcement(store: Store, listener: Listener) -> None:
    """Clause 5, under a storm of concurrent changes and reads of all kinds."""
    orders = [await create_order(store, courier_id="d0", customer_id=f"c{n % 2}") for n in range(6)]
    ids = [order.id for order in orders]
    reads = 0
    writing = True

    def check(read: Order) -> None:
        nonlocal reads
        reads += 1
        assert read.version <= listener.announced[read.id], "a read returned a version before its announcement"
        assert len(read.timeline) == read.version

    async def write(seed: int) -> None:
        dice = random.Random(seed)
        for n in range(60):
            batch = [assign(dice.choice(ids), f"d{seed}-{n % 7}") for _ in range(dice.randint(1, 3))]
            for result in await store.apply(batch, NOW_MS + n):
                assert isinstance(result, Applied)
                check(result.order)
            await asyncio.sleep(0)

    async def read_one(seed: int) -> None:
        dice = random.Random(seed)
        last = dict.fromkeys(ids, 0)
        while writing:
            order_id = dice.choice(ids)
            read = await store.order(order_id)
            check(read)
            assert read.version >= last[order_id], "a read went back"
            last[order_id] = read.version
            await asyncio.sleep(0.001)  # a loop that never rests would keep the store's threads from running

    async def read_many(kind: FeedKind, id_: str) -> None:
        feed = FeedKey(kind, id_)
        after = 0
        while writing:
            for read in await store.orders(OrderFilter(limit=10)):
                check(read)
            changes = await store.feed_changes(feed, after)
            assert after <= changes.version <= listener.feeds.get(feed, 0)
            for read in changes.orders:
                check(read)
            after = changes.version
            await asyncio.sleep(0)

    async with asyncio.timeout(BOUND_S), asyncio.TaskGroup() as readers:
        for seed in range(4):
            readers.create_task(read_one(seed))
        readers.create_task(read_many(FeedKind.RESTAURANT, "r1"))
        readers.create_task(read_many(FeedKind.CUSTOMER, "c1"))
        try:
            await asyncio.gather(*(write(seed) for seed in range(4)))
        finally:
            writing = False
    assert reads > 500
    assert {id_: (await store.order(id_)).version for id_ in ids} == listener.announced


@pytest.mark.parametrize("store", CACHED, indirect=True)
async def test_peek_returns_what_was_announced(store: Store) -> None:
    """Clause 11."""
    order = await create_order(store)
    assert store.peek(404) is None
    assert store.peek(order.id) == order
    assert await store.order(order.id) == store.peek(order.id)
    changed_ = await apply_one(store, set_status(order, "preparing"))
    assert store.peek(order.id) == changed_
    assert await store.feed_version(CUSTOMER) == 2
    assert store.peek_feed_version(CUSTOMER) == 2
    await apply_one(store, set_status(order, "ready"))
    assert store.peek_feed_version(CUSTOMER) == 3


@pytest.mark.parametrize("store", CACHED, indirect=True)
async def test_peek_of_an_unknown_feed_stays_current(store: Store) -> None:
    """Clause 11."""
    feed = courier("unknown")
    assert store.peek_feed_version(feed) in (None, 0)
    assert await store.feed_version(feed) == 0
    assert store.peek_feed_version(feed) == 0
    await create_order(store, courier_id="unknown")
    assert store.peek_feed_version(feed) == await store.feed_version(feed) == 1


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
async def test_peek_in_the_listener_is_current(tmp_path: Path, kind: str) -> None:
    """Clause 11."""
    store = new_store(kind, tmp_path)
    peeked: list[tuple[Order | None, int | None]] = []
    announced: list[tuple[Order, int]] = []

    def listen(commits: Sequence[Committed]) -> None:
        for order, feeds, *_ in commits:
            announced.append((order, feeds[CUSTOMER]))
            peeked.append((store.peek(order.id), store.peek_feed_version(CUSTOMER)))

    async with asyncio.timeout(BOUND_S):
        await store.open(listen)
        assert await store.feed_version(CUSTOMER) == 0
        order = await create_order(store)
        await apply_one(store, set_status(order, "preparing"))
        await store.close()
    assert peeked == announced != []


@pytest.mark.parametrize("store", CACHED, indirect=True)
async def test_peek_is_never_behind_an_announcement(store: Store, listener: Listener) -> None:
    """Clause 11, under a storm of concurrent changes and reads."""
    ids = [(await create_order(store, customer_id=f"c{n}")).id for n in range(4)]
    feeds = [RESTAURANT, *(FeedKey(FeedKind.CUSTOMER, f"c{n}") for n in range(4))]
    checks = 0

    def check() -> None:
        nonlocal checks
        for order_id in ids:
            order = store.peek(order_id)
            if order is not None:
                checks += 1
                assert order.version == listener.announced[order_id]
        for feed in feeds:
            version = store.peek_feed_version(feed)
            if version is not None:
                checks += 1
                assert version == listener.feeds[feed]

    async def change(batch: list[Change], now_ms: int) -> None:
        await store.apply(batch, now_ms)
        check()

    async def read(seed: int) -> None:
        dice = random.Random(seed)
        for _ in range(3):
            await store.order(dice.choice(ids))
            check()
            await store.feed_version(dice.choice(feeds))
            check()

    dice = random.Random(9)
    async with asyncio.timeout(BOUND_S):
        for n in range(200):
            batch = [assign(dice.choice(ids), f"d{n}-{step}") for step in range(dice.randint(1, 4))]
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(change(batch, NOW_MS + n))
                for seed in range(3):
                    tasks.create_task(read(3 * n + seed))
    assert checks > 200


@pytest.mark.parametrize("kind", STORES)
async def test_a_failing_listener_silences_no_other(tmp_path: Path, kind: str) -> None:
    """Clause 5. The change is kept and its caller is answered."""
    store, listener = new_store(kind, tmp_path), Listener()

    def fail(*_: object) -> None:
        raise RuntimeError("a defect of this listener")

    async with asyncio.timeout(BOUND_S):
        await store.open(fail, listener, simulations=fail)
        order = await create_order(store)
        await store.start_simulation(order.id, WorkflowOptions(), NOW_MS)
        changed = await apply_one(store, set_status(order, "preparing"))
        await store.close()
    assert listener.announced == {order.id: changed.version}
