"""Stores of several processes on one database (clauses 19 to 24): several stores here, each with its own memory."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from itertools import pairwise
from pathlib import Path

import pytest

from contract.harness import (
    NOW_MS,
    apply_one,
    assign,
    courier,
    create_order,
    hash_of,
    new_order,
    set_status,
    step_change,
)
from ordertrack.adapters.postgres import group_commit
from ordertrack.adapters.postgres.store import PostgresStore
from ordertrack.adapters.system.clock import SystemClock
from ordertrack.core.errors import OrdertrackError, SimulationNotRunning, TooManyLinks, VersionConflict
from ordertrack.core.feed import FeedKey, FeedKind, order_feed
from ordertrack.core.order_rules import Change
from ordertrack.core.simulation import WorkflowOptions
from ordertrack.core.tracking_link import MAX_LINKS
from ordertrack.ports.commits import Applied, Committed, Created, Idempotency
from ordertrack.ports.order_store import History, OrderFilter
from ordertrack.ports.shared_store import SharedStore
from support.databases import database_url

pytestmark = pytest.mark.anyio

BOUND_S = 60
NODES = 3
CUSTOMER, RESTAURANT = FeedKey(FeedKind.CUSTOMER, "c1"), FeedKey(FeedKind.RESTAURANT, "r1")


class Versions:
    """A listener that records the versions of feeds in the order of their announcement."""

    def __init__(self) -> None:
        self.of_feeds: dict[FeedKey, list[int]] = {}
        """Those of one announcement are sorted here: it has the orders in the order of their first change."""
        self.orders: list[tuple[int, int, int]] = []

    def __call__(self, commits: Sequence[Committed]) -> None:
        announced: dict[FeedKey, list[int]] = {}
        for order, feeds, previous_version, _ in commits:
            self.orders.append((order.id, previous_version, order.version))
            for feed, version in feeds.items():
                announced.setdefault(feed, []).append(version)
        for feed, versions in announced.items():
            self.of_feeds.setdefault(feed, []).extend(sorted(versions))


@pytest.fixture
def listeners() -> list[Versions]:
    return [Versions() for _ in range(NODES)]


@pytest.fixture
async def nodes(tmp_path: Path, listeners: list[Versions]) -> AsyncIterator[list[SharedStore]]:
    url = database_url(tmp_path)
    stores: list[SharedStore] = [PostgresStore(url, SystemClock(), pool=4) for _ in range(NODES)]
    async with asyncio.timeout(BOUND_S):
        await asyncio.gather(*(store.open(listener) for store, listener in zip(stores, listeners, strict=True)))
        yield stores
        await asyncio.gather(*(store.close() for store in stores))


async def test_nodes_have_one_epoch(nodes: list[SharedStore]) -> None:
    """Clause 23."""
    assert len({store.epoch for store in nodes}) == 1


async def test_a_commit_of_another_node_is_read(nodes: list[SharedStore]) -> None:
    """Clause 19."""
    one, two, _ = nodes
    order = await create_order(one)
    assert await two.order(order.id) == order
    changed = await apply_one(one, set_status(order, "preparing"))
    assert await two.order(order.id) == changed
    assert await two.feed_version(CUSTOMER) == 2
    assert (await two.feed_changes(CUSTOMER, 1)).orders == (changed,)
    assert await two.orders(OrderFilter(limit=1)) == [changed]
    assert two.peek(order.id) is two.peek_feed_version(CUSTOMER) is None


async def test_nothing_is_decided_on_an_older_state(nodes: list[SharedStore]) -> None:
    """Clause 20: each node remembers the order as it left it, and another one has changed it since."""
    one, two, _ = nodes
    order = await create_order(one)
    await apply_one(two, set_status(order, "preparing"))
    await apply_one(one, set_status(order, "ready"))
    (repeated,) = await two.apply([set_status(order, "preparing")], NOW_MS)
    assert isinstance(repeated, OrdertrackError), "the order is ready now"
    await apply_one(two, assign(order, "d1"))
    (unchanged,) = await one.apply([assign(order, "d1")], NOW_MS)
    assert isinstance(unchanged, Applied)
    assert unchanged.event is None
    (stale,) = await one.apply([set_status(order, "picked_up", expected_version=3)], NOW_MS)
    assert isinstance(stale, VersionConflict)
    assert stale.order.version == 4


@pytest.mark.parametrize("most_changes", [1_000, 6])
async def test_concurrent_nodes_leave_no_gap(
    nodes: list[SharedStore], listeners: list[Versions], monkeypatch: pytest.MonkeyPatch, most_changes: int
) -> None:
    """Clauses 4, 13, 20 and 21, with the same orders and parties on all nodes. With small batches, one is decided while
    another one is written."""
    monkeypatch.setattr(group_commit, "MAX_BATCH_CHANGES", most_changes)
    ids = [(await create_order(nodes[0], customer_id=f"c{n % 3}")).id for n in range(6)]
    applied: Counter[int] = Counter()

    async def change(store: SharedStore, seed: int) -> None:
        dice = random.Random(seed)
        for n in range(25):
            batch: list[Change] = [assign(dice.choice(ids), f"d{dice.randrange(8)}") for _ in range(dice.randint(1, 4))]
            for change_, result in zip(batch, await store.apply(batch, NOW_MS + n), strict=True):
                assert isinstance(result, Applied)
                if result.event is not None:
                    applied[change_.order_id] += 1

    tasks = (change(store, 10 * n + k) for n, store in enumerate(nodes) for k in range(4))
    await asyncio.gather(*tasks)
    for order_id in ids:
        order = await nodes[0].order(order_id)
        assert [event.version for event in order.timeline] == list(range(1, 2 + applied[order_id]))
    versions = sorted(version for listener in listeners for version in listener.of_feeds[RESTAURANT])
    assert len(versions) == len(set(versions))
    assert versions[-1] == await nodes[1].feed_version(RESTAURANT) == len(ids) + applied.total()
    for listener in listeners:
        for announced in listener.of_feeds.values():
            assert announced == sorted(announced), "announced out of order"
    steps = sorted((id_, before, after) for listener in listeners for id_, before, after in listener.orders)
    for (id_, _, after), (next_id, before, _) in pairwise(steps):
        assert id_ != next_id or after == before, "a version was announced twice, or never"


async def test_a_key_used_on_two_nodes_creates_once(nodes: list[SharedStore]) -> None:
    """Clause 7."""
    for n in range(5):
        key = Idempotency(f"key{n}", "body")
        answers = await asyncio.gather(
            *(s.create(new_order(), NOW_MS, idempotency=key) for s in nodes for _ in range(3))
        )
        assert len({answer.order.id for answer in answers}) == 1
        assert sorted(answer.replayed for answer in answers) == [False] + [True] * 8
    assert len(await nodes[0].orders(OrderFilter(limit=100))) == 5


async def test_a_reference_is_taken_by_one_node(nodes: list[SharedStore]) -> None:
    """Clause 2."""
    requests = (store.create(new_order(reference=f"A-{n}"), NOW_MS) for n in range(5) for store in nodes)
    answers = await asyncio.gather(*requests, return_exceptions=True)
    assert sum(isinstance(answer, Created) for answer in answers) == 5


async def test_samples_are_loaded_by_one_node(nodes: list[SharedStore]) -> None:
    """Clause 2."""
    histories = [History(101, new_order(), NOW_MS), History(102, new_order(), NOW_MS)]
    assert sorted(await asyncio.gather(*(store.load(histories) for store in nodes))) == [False, False, True]
    assert [order.id for order in await nodes[0].orders(OrderFilter(limit=5))] == [102, 101]
    ids = [(await create_order(store)).id for store in nodes]
    assert ids == sorted(set(ids))
    assert ids[0] > 102


async def test_each_step_is_taken_once(nodes: list[SharedStore]) -> None:
    """Clause 24."""
    order = await create_order(nodes[0])
    steps = await nodes[0].start_simulation(order.id, WorkflowOptions(), NOW_MS)
    for step in steps:
        results = [await store.apply([step_change(step)], NOW_MS) for store in nodes[1:] + nodes[:1]]
        kinds = sorted(type(result).__name__ for (result,) in results)
        assert kinds == ["Applied", *["SimulationNotRunning"] * (NODES - 1)]
    other = await create_order(nodes[0])
    (step, *_) = await nodes[1].start_simulation(other.id, WorkflowOptions(), NOW_MS)
    outcomes = await asyncio.gather(*(store.apply([step_change(step)], NOW_MS) for store in nodes))
    assert sum(isinstance(result, Applied) for (result,) in outcomes) == 1
    assert sum(isinstance(result, SimulationNotRunning) for (result,) in outcomes) == NODES - 1
    assert (await nodes[0].order(other.id)).version == 2


async def test_overdue_steps_are_found_by_the_database_clock(nodes: list[SharedStore]) -> None:
    """Clause 24."""
    one, two, _ = nodes
    now_ms = SystemClock().now_ms()
    late, due, future = [await create_order(one) for _ in range(3)]
    hour_ms = 60 * 60 * 1000
    late_steps = await one.start_simulation(late.id, WorkflowOptions(), now_ms - 3 * hour_ms)
    due_steps = await one.start_simulation(due.id, WorkflowOptions(), now_ms - hour_ms)
    await one.start_simulation(future.id, WorkflowOptions(), now_ms + hour_ms)
    assert await two.overdue(0, 10) == {late.id: late_steps, due.id: due_steps}
    assert await two.overdue(0, 1) == {late.id: late_steps}
    assert await two.overdue(2 * hour_ms, 10) == {late.id: late_steps}
    await two.stop_simulation(late.id)
    assert await one.overdue(0, 10) == {due.id: due_steps}


async def test_links_are_limited_over_all_nodes(nodes: list[SharedStore]) -> None:
    """Clauses 14 and 15."""
    order = await create_order(nodes[0])
    requests = (
        store.create_link(order.id, hash_of(f"{n}-{k}"), "test", NOW_MS)
        for n, store in enumerate(nodes)
        for k in range(MAX_LINKS)
    )
    answers = await asyncio.gather(*requests, return_exceptions=True)
    assert sum(isinstance(answer, TooManyLinks) for answer in answers) == (NODES - 1) * MAX_LINKS
    link = (await nodes[1].links(order.id))[0]
    revoked = await nodes[1].revoke_link(order.id, link.id, NOW_MS + 1)
    assert revoked in await nodes[2].links(order.id)


async def test_versions_and_orders_are_read_in_batches(nodes: list[SharedStore]) -> None:
    one, two, _ = nodes
    first, second = await create_order(one), await create_order(one, courier_id="d1")
    first = await apply_one(one, set_status(first, "ready"))
    feeds = [CUSTOMER, RESTAURANT, courier("d1"), courier("none"), order_feed(first.id), order_feed(404)]
    assert await two.versions(feeds) == dict(zip(feeds, [3, 3, 1, 0, 2, 0], strict=True))
    assert await two.orders_by_id([first.id, 404, second.id]) == {first.id: first, second.id: second}
    assert await two.versions([]) == {} == await two.orders_by_id([])


async def test_statuses_are_counted_over_all_nodes(nodes: list[SharedStore]) -> None:
    """Clause 6."""
    orders = [await create_order(store) for store in nodes]
    await asyncio.gather(*(apply_one(store, set_status(orders[0], "preparing")) for store in nodes))
    counts = await nodes[0].orders_by_status()
    assert {status: count for status, count in counts.items() if count} == {"confirmed": 2, "preparing": 1}
