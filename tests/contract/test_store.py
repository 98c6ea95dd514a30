"""The contract of `ports/store.py`, clause by clause, held against every store.

A store without this suite is not a store. `sqlite-cold` is the SQLite store with caches of one entry: reads go to the
file and changes read what they change, which is where the promises about commits and reads are hard to keep.
"""

from __future__ import annotations

import asyncio
import random
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from hashlib import sha256
from operator import itemgetter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from ordertrack.adapters.memory.store import MemoryStore
from ordertrack.adapters.sqlite import store as sqlite_store
from ordertrack.adapters.sqlite import transaction as sqlite_transaction
from ordertrack.adapters.sqlite.store import SqliteStore
from ordertrack.adapters.system.clock import SystemClock
from ordertrack.core.errors import (
    IdempotencyKeyReused,
    IllegalTransition,
    InvalidInput,
    LinkNotFound,
    OrderEnded,
    OrderNotFound,
    OrdertrackError,
    ReferenceTaken,
    SimulationNotRunning,
    SimulationRunning,
    StoreUnavailable,
    TooManyLinks,
    VersionConflict,
)
from ordertrack.core.event import Status
from ordertrack.core.feed import FeedChanges, FeedKey, FeedKind, build_page, party_feeds
from ordertrack.core.order import Details, Item, NewOrder, Order, evolve
from ordertrack.core.order_rules import AssignCourier, Change, ChangeStatus
from ordertrack.core.simulation import Step, WorkflowOptions
from ordertrack.core.tracking_link import MAX_LINKS, Link
from ordertrack.ports.commits import IDEMPOTENCY_KEPT_MS, Applied, Committed, Idempotency
from ordertrack.ports.order_store import History, OrderFilter
from ordertrack.ports.store import Store

pytestmark = pytest.mark.anyio

NOW_MS = 1_795_342_530_000
BOUND_S = 20
CUSTOMER, RESTAURANT = FeedKey(FeedKind.CUSTOMER, "c1"), FeedKey(FeedKind.RESTAURANT, "r1")


def courier(courier_id: str) -> FeedKey:
    return FeedKey(FeedKind.COURIER, courier_id)


class Listener:
    """Writes down what it was told; `announced` is the newest version of each order."""

    def __init__(self) -> None:
        self.calls: list[list[Committed]] = []
        self.announced: dict[int, int] = {}
        self.feeds: dict[FeedKey, int] = {}

    def __call__(self, commits: Sequence[Committed], committed_at_s: float) -> None:
        assert commits
        assert abs(committed_at_s - SystemClock().monotonic_s()) < BOUND_S
        assert asyncio.get_running_loop()
        self.calls.append(list(commits))
        assert len({order.id for order, _, _ in commits}) == len(commits), "an order twice in one commit"
        for order, feeds, previous_version in commits:
            assert previous_version == self.announced.get(order.id, 0) < order.version
            self.announced[order.id] = order.version
            for feed, version in feeds.items():
                self.feeds[feed] = max(version, self.feeds.get(feed, 0))

    @property
    def commits(self) -> list[Committed]:
        return [committed for call in self.calls for committed in call]


def new_store(kind: str, folder: Path) -> MemoryStore | SqliteStore:
    return MemoryStore("a1b2", SystemClock()) if kind == "memory" else SqliteStore(folder, SystemClock())


def shrink_caches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_store, "CACHED_ORDERS", 1)
    monkeypatch.setattr(sqlite_store, "CACHED_FEEDS", 1)
    monkeypatch.setattr(sqlite_transaction, "CACHED_ORDERS", 1)
    monkeypatch.setattr(sqlite_transaction, "CACHED_FEEDS", 1)


@pytest.fixture
def listener() -> Listener:
    return Listener()


@pytest.fixture(params=["memory", "sqlite", "sqlite-cold"])
async def store(
    request: pytest.FixtureRequest, tmp_path: Path, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Store]:
    if request.param == "sqlite-cold":
        shrink_caches(monkeypatch)
    opened = new_store(request.param, tmp_path)
    async with asyncio.timeout(BOUND_S):
        await opened.open(listener)
    yield opened
    async with asyncio.timeout(BOUND_S):
        await opened.close()


def new(**fields: Any) -> NewOrder:
    return NewOrder(**({"customer_id": "c1", "restaurant_id": "r1"} | fields))


async def placed(store: Store, **fields: Any) -> Order:
    return (await store.create(new(**fields), NOW_MS)).order


def to(order: Order | int, status: str, **fields: Any) -> ChangeStatus:
    return ChangeStatus(order if isinstance(order, int) else order.id, Status(status), "test", **fields)


def assign(order: Order | int, courier_id: str) -> AssignCourier:
    return AssignCourier(order if isinstance(order, int) else order.id, courier_id, "test")


async def changed(store: Store, change: Change, now_ms: int = NOW_MS) -> Order:
    (result,) = await store.apply([change], now_ms)
    assert isinstance(result, Applied), result
    return result.order


async def refused(store: Store, change: Change) -> OrdertrackError:
    (result,) = await store.apply([change], NOW_MS)
    assert isinstance(result, OrdertrackError)
    return result


async def everything(store: Store, order_ids: Sequence[int], feeds: Sequence[FeedKey]) -> list[Any]:
    """All that can be read of these."""
    return [
        [await store.order(order_id) for order_id in order_ids],
        await store.orders(OrderFilter(limit=100)),
        [await store.feed_changes(feed, after) for feed in feeds for after in (None, 0)],
        await store.orders_by_status(),
        await store.simulations(),
    ]


# 1. A method that changes something returns after its change is durable.


async def test_what_was_acknowledged_is_read_back_by_everybody(store: Store) -> None:
    """Clause 1. That it survives the process is in tests/adapters/test_sqlite.py."""
    details = Details(items=(Item("Pho", 2, 9.5, "no chilli"), Item("Bánh mì")), total=19, currency="EUR", note="🔔 2×")
    order = await placed(store, reference="A-1", courier_id="d1", details=details, actor="shop")
    assert order == await store.order(order.id)
    assert order.details == details
    assert (order.version, order.created_at_ms, order.updated_at_ms) == (1, NOW_MS, NOW_MS)
    assert (order.timeline[0].actor, order.timeline[0].courier_id) == ("shop", "d1")
    order = await changed(
        store, to(order, "picked_up", reason="in a hurry", occurred_at_ms=NOW_MS - 5_000), NOW_MS + 9_000
    )
    assert order == await store.order(order.id)
    assert order.timeline[-1].skipped == ("preparing", "ready")
    assert (order.timeline[-1].at_ms, order.timeline[-1].recorded_at_ms) == (NOW_MS - 5_000, NOW_MS + 9_000)
    order = await changed(store, to(order, "ready", undo=True))
    assert order.timeline[-1].undoes == 2
    assert [order] == await store.orders(OrderFilter(limit=10))


async def test_the_address_a_change_was_asked_from_is_kept_with_its_event(store: Store) -> None:
    """Clause 1, for the audit trail."""
    order = await placed(store, origin="203.0.113.9")
    order = await changed(store, to(order, "preparing", origin="2001:db8::7"))
    order = await changed(store, to(order, "ready"))
    order = await changed(store, AssignCourier(order.id, "d1", "test", origin="198.51.100.1"))
    await placed(store)  # the cold store forgets the first order
    order = await store.order(order.id)
    assert [event.origin for event in order.timeline] == ["203.0.113.9", "2001:db8::7", None, "198.51.100.1"]
    assert [order] == (await store.orders(OrderFilter(limit=1, before_id=2)))


async def test_closing_commits_what_was_accepted_before(store: Store, listener: Listener) -> None:
    """Clause 1, and `close`."""
    orders = [await placed(store) for _ in range(20)]
    async with asyncio.timeout(BOUND_S), asyncio.TaskGroup() as tasks:
        pending = [tasks.create_task(changed(store, to(order, "preparing"))) for order in orders]
        await asyncio.sleep(0)  # each of them has begun
        tasks.create_task(store.close())
    assert [task.result().status for task in pending] == ["preparing"] * len(orders)
    assert set(listener.announced.values()) == {2}


# 2. A change is wholly kept or wholly refused. A batch is one commit, in order.


async def test_a_batch_is_one_commit_with_one_result_for_each_change_in_order(store: Store, listener: Listener) -> None:
    """Clause 2."""
    one, two = await placed(store), await placed(store)
    listener.calls.clear()
    results = await store.apply(
        [
            to(one, "preparing"),
            to(999, "preparing"),
            to(two, "confirmed"),
            to(two, "ready"),
            to(two, "preparing"),
            to(one, "ready", expected_version=1),
            to(one, "delivered", expected_version=2),
            assign(one, "d1"),
        ],
        NOW_MS,
    )
    kinds = [result.order.version if isinstance(result, Applied) else type(result) for result in results]
    assert kinds == [2, OrderNotFound, 1, 2, IllegalTransition, VersionConflict, 3, OrderEnded]
    assert [result.event is None for result in results if isinstance(result, Applied)] == [False, True, False, False]
    assert len(listener.calls) == 1
    assert (await store.order(one.id)).status == "delivered"
    assert (await store.order(two.id)).status == "ready"


async def test_changes_of_one_batch_see_the_ones_before_them(store: Store, listener: Listener) -> None:
    """Clause 2."""
    order, other = await placed(store), await placed(store)
    listener.calls.clear()
    results = await store.apply(
        [
            to(order, "preparing"),
            to(other, "preparing"),
            assign(order, "d1"),
            to(order, "ready", expected_version=3),
            to(order, "ready"),
            assign(order, "d2"),
        ],
        NOW_MS,
    )
    assert [result.order.version for result in results if isinstance(result, Applied)] == [2, 2, 3, 4, 4, 5]
    assert {(c.order.id, c.order.version) for c in listener.commits} == {(order.id, 5), (other.id, 2)}
    assert await store.order(order.id) == results[-1].order  # type: ignore[union-attr]


async def test_a_refused_change_leaves_no_trace(store: Store, listener: Listener) -> None:
    """Clause 2."""
    order = await placed(store, reference="A-1", courier_id="d1")
    ended = await changed(store, to(await placed(store), "cancelled"))
    await store.start_simulation(order.id, WorkflowOptions(), NOW_MS)
    seen = [[order.id, ended.id], [CUSTOMER, RESTAURANT, courier("d1"), courier("d2")]]
    before = await everything(store, *seen)
    listener.calls.clear()
    assert isinstance(await refused(store, to(ended, "preparing")), IllegalTransition)
    assert isinstance(await refused(store, to(order, "preparing", expected_version=7)), VersionConflict)
    assert isinstance(await refused(store, assign(ended, "d2")), OrderEnded)
    assert isinstance(await refused(store, to(order, "preparing", simulated=(3, 0))), SimulationNotRunning)
    with pytest.raises(ReferenceTaken):
        await placed(store, reference="A-1")
    with pytest.raises(SimulationRunning):
        await store.start_simulation(order.id, WorkflowOptions(), NOW_MS)
    assert await everything(store, *seen) == before
    assert listener.calls == []


async def test_an_empty_batch_and_one_that_changes_nothing_announce_nothing(store: Store, listener: Listener) -> None:
    """Clauses 2 and 5."""
    order = await placed(store)
    listener.calls.clear()
    assert await store.apply([], NOW_MS) == []
    assert await store.apply([to(order, "confirmed")], NOW_MS) == [Applied(order, None)]
    assert listener.calls == []
    assert (await store.feed_changes(CUSTOMER, None)).version == 1


# 3. Every event has the next version; updated_at strictly increases.


async def test_versions_and_times_increase_even_when_the_clock_does_not(store: Store) -> None:
    """Clause 3."""
    order = await placed(store)
    for n, change in enumerate([to(order, "preparing"), assign(order, "d1"), to(order, "ready")], start=1):
        order = await changed(store, change, NOW_MS - 1_000 * n)
    order = (await store.apply([assign(order, "d2"), to(order, "picked_up")], NOW_MS))[-1].order  # type: ignore[union-attr]
    assert [event.version for event in order.timeline] == [1, 2, 3, 4, 5, 6]
    assert [event.recorded_at_ms - NOW_MS for event in order.timeline] == [0, 1, 2, 3, 4, 5]
    assert order.updated_at_ms == NOW_MS + 5


async def test_concurrent_changes_of_one_order_share_no_version(store: Store) -> None:
    """Clause 3."""
    order = await placed(store)
    async with asyncio.timeout(BOUND_S):
        orders = await asyncio.gather(*(changed(store, assign(order, f"d{n}")) for n in range(100)))
    assert sorted(o.version for o in orders) == list(range(2, 102))
    assert [event.version for event in (await store.order(order.id)).timeline] == list(range(1, 102))


async def test_of_concurrent_conditional_changes_exactly_one_wins(store: Store) -> None:
    """Clauses 2 and 3."""
    order = await placed(store)
    asked = [ChangeStatus(order.id, s, "test", expected_version=1) for s in (Status.PREPARING, Status.READY) * 5]
    async with asyncio.timeout(BOUND_S):
        results = await asyncio.gather(*(store.apply([change], NOW_MS) for change in asked))
    events = [result.event for (result,) in results if isinstance(result, Applied) and result.event is not None]
    assert len(events) == 1
    assert (await store.order(order.id)).version == 2


# 4. A change bumps the version of each feed it touches by one, in the same commit.


async def test_every_change_bumps_each_feed_it_touches_by_one(store: Store, listener: Listener) -> None:
    """Clause 4."""
    order = await placed(store)
    assert listener.commits[-1].feeds == {CUSTOMER: 1, RESTAURANT: 1}
    await changed(store, to(order, "preparing"))
    assert listener.commits[-1].feeds == {CUSTOMER: 2, RESTAURANT: 2}
    await changed(store, assign(order, "d1"))
    assert listener.commits[-1].feeds == {CUSTOMER: 3, RESTAURANT: 3, courier("d1"): 1}
    await placed(store, customer_id="c2", courier_id="d1")
    assert listener.commits[-1].feeds == {FeedKey(FeedKind.CUSTOMER, "c2"): 1, RESTAURANT: 4, courier("d1"): 2}
    await store.apply([to(order, "ready"), assign(order, "d2"), to(order, "ready")], NOW_MS)
    assert listener.commits[-1].feeds == {CUSTOMER: 5, RESTAURANT: 6, courier("d1"): 4, courier("d2"): 1}
    for feed, version in listener.feeds.items():
        assert (await store.feed_changes(feed, None)).version == version


async def test_a_feed_tells_what_changed_after_a_version_in_the_order_it_changed(store: Store) -> None:
    """Clause 4."""
    one, two, three = [await placed(store) for _ in range(3)]
    two = await changed(store, to(two, "preparing"))
    one = await changed(store, to(one, "cancelled"))
    assert await store.feed_changes(CUSTOMER, None) == FeedChanges(5, (three, two), ())
    assert await store.feed_changes(CUSTOMER, 0) == FeedChanges(5, (three, two, one), ())
    assert await store.feed_changes(CUSTOMER, 3) == FeedChanges(5, (two, one), ())
    assert await store.feed_changes(CUSTOMER, 4) == FeedChanges(5, (one,), ())
    assert await store.feed_changes(CUSTOMER, 5) == FeedChanges(5, (), ())
    assert await store.feed_changes(CUSTOMER, 9) == FeedChanges(5, (), ())


async def test_a_feed_nobody_has_heard_of_is_at_version_zero(store: Store) -> None:
    """Clause 4."""
    await placed(store)
    for kind in (FeedKind.CUSTOMER, FeedKind.RESTAURANT, FeedKind.COURIER):
        for after in (None, 0, 5):
            assert await store.feed_changes(FeedKey(kind, "nobody"), after) == FeedChanges(0, (), ())


async def test_the_feeds_of_parties_with_the_same_id_are_their_own(store: Store) -> None:
    """Clause 4."""
    order = await placed(store, customer_id="1", restaurant_id="1", courier_id="1")
    await placed(store, customer_id="1", restaurant_id="2")
    kinds = (FeedKind.CUSTOMER, FeedKind.RESTAURANT, FeedKind.COURIER)
    assert [(await store.feed_changes(FeedKey(kind, "1"), 0)).version for kind in kinds] == [2, 1, 1]
    assert (await store.feed_changes(FeedKey(FeedKind.COURIER, "1"), 0)).orders == (order,)


async def test_an_order_given_to_another_courier_has_left_the_first_ones_feed(store: Store) -> None:
    """Clause 4."""
    order, stays = await placed(store, courier_id="d1"), await placed(store, courier_id="d1")
    order = await changed(store, assign(order, "d2"))
    assert await store.feed_changes(courier("d1"), 2) == FeedChanges(3, (), (order.id,))
    assert await store.feed_changes(courier("d1"), 3) == FeedChanges(3, (), ())
    assert await store.feed_changes(courier("d1"), None) == FeedChanges(3, (stays,), ())
    assert await store.feed_changes(courier("d2"), 0) == FeedChanges(1, (order,), ())
    order = await changed(store, to(order, "preparing"))
    assert await store.feed_changes(courier("d1"), 2) == FeedChanges(3, (), (order.id,))
    assert await store.feed_changes(courier("d2"), 1) == FeedChanges(2, (order,), ())


async def test_an_order_given_back_to_a_courier_has_not_left_their_feed(store: Store) -> None:
    """Clause 4."""
    order = await placed(store, courier_id="d1")
    await changed(store, assign(order, "d2"))
    order = await changed(store, assign(order, "d1"))
    assert await store.feed_changes(courier("d1"), 1) == FeedChanges(3, (order,), ())
    assert await store.feed_changes(courier("d2"), 0) == FeedChanges(2, (), (order.id,))
    order = await changed(store, assign(order, "d2"))
    assert await store.feed_changes(courier("d1"), 3) == FeedChanges(4, (), (order.id,))
    assert await store.feed_changes(courier("d2"), 2) == FeedChanges(3, (order,), ())


async def test_an_order_passed_on_several_times_in_one_batch_ends_on_one_feed(store: Store) -> None:
    """Clauses 2 and 4."""
    order = await placed(store, courier_id="d1")
    await store.apply([assign(order, "d2"), assign(order, "d3"), assign(order, "d1"), assign(order, "d4")], NOW_MS)
    order = await store.order(order.id)
    assert await store.feed_changes(courier("d4"), 0) == FeedChanges(1, (order,), ())
    for courier_id, version in (("d1", 4), ("d2", 2), ("d3", 2)):
        assert await store.feed_changes(courier(courier_id), 1) == FeedChanges(version, (), (order.id,))


# 5. The listener is called on the loop, once for every changed order of a commit, before any read returns it.


async def test_the_listener_is_told_every_version_of_every_order_in_commit_order(
    store: Store, listener: Listener
) -> None:
    """Clause 5."""
    orders = [await placed(store) for _ in range(3)]
    for n in range(5):
        for order in orders:
            await changed(store, assign(order, f"d{n}"))
    told = [(c.order.id, c.order.version) for c in listener.commits]
    expected = [(o.id, 1) for o in orders] + [(o.id, version) for version in range(2, 7) for o in orders]
    assert told == expected


async def test_the_listener_is_told_even_when_the_caller_has_gone(store: Store, listener: Listener) -> None:
    """Clause 5: whatever became of the caller."""
    order = await placed(store)
    caller = asyncio.ensure_future(store.apply([to(order, "preparing")], NOW_MS))
    await asyncio.sleep(0)  # it has begun
    caller.cancel()
    await asyncio.gather(caller, return_exceptions=True)
    other = await placed(store)
    assert listener.announced[order.id] == 2
    assert listener.announced[other.id] == 1
    assert (await store.order(order.id)).status == "preparing"


async def test_what_a_change_returns_has_been_announced(store: Store, listener: Listener) -> None:
    """Clause 5."""
    created = await placed(store)
    assert listener.announced[created.id] == 1
    order = await changed(store, to(created, "preparing"))
    assert listener.announced[order.id] == order.version == 2


async def test_no_read_returns_what_has_not_been_announced(store: Store, listener: Listener) -> None:
    """Clause 5, under a storm of concurrent changes and reads of all kinds."""
    orders = [await placed(store, courier_id="d0", customer_id=f"c{n % 2}") for n in range(6)]
    ids = [order.id for order in orders]
    reads = 0
    writing = True

    def check(read: Order) -> None:
        nonlocal reads
        reads += 1
        assert read.version <= listener.announced[read.id], "a read returned a version before the listener heard of it"
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


# 6. Reads return committed state; snapshots are immutable.


async def test_an_order_that_was_read_keeps_its_value(store: Store) -> None:
    """Clause 6."""
    order = await placed(store)
    read = await store.order(order.id)
    now = await changed(store, to(order, "preparing"))
    assert (read.version, read.status, len(read.timeline)) == (1, "confirmed", 1)
    with pytest.raises(AttributeError):
        read.status = Status.READY  # type: ignore[misc]
    assert evolve(read, now.timeline[-1]) == now == await store.order(order.id)


async def test_an_order_nobody_placed_is_not_found_by_anything(store: Store) -> None:
    """Clause 6."""
    for order_id in (0, -1, 999, 2**63 - 1):
        with pytest.raises(OrderNotFound) as missing:
            await store.order(order_id)
        assert missing.value.order_id == order_id
        assert isinstance(await refused(store, to(order_id, "preparing")), OrderNotFound)
        with pytest.raises(OrderNotFound):
            await store.start_simulation(order_id, WorkflowOptions(), NOW_MS)
        with pytest.raises(OrderNotFound):
            await store.stop_simulation(order_id)


async def test_orders_are_listed_newest_first_by_page_and_filter(store: Store) -> None:
    """Clause 6."""
    placed_orders = [
        await placed(
            store,
            customer_id=f"c{n % 2}",
            restaurant_id=f"r{n % 3}",
            courier_id=f"d{n % 2}" if n % 4 else None,
        )
        for n in range(12)
    ]
    for order in placed_orders[:3]:
        await changed(store, to(order, "preparing"))
    await changed(store, to(placed_orders[3], "cancelled"))
    orders = [await store.order(order.id) for order in reversed(placed_orders)]

    async def listed(limit: int = 100, **fields: Any) -> list[Order]:
        return await store.orders(OrderFilter(limit=limit, **fields))

    assert await listed() == orders
    assert await listed(5) == orders[:5]
    assert await listed(5, before_id=orders[4].id) == orders[5:10]
    assert await listed(5, before_id=orders[9].id) == orders[10:]
    assert await listed(5, before_id=orders[-1].id) == []
    assert await listed(customer_id="c1") == [o for o in orders if o.customer_id == "c1"]
    assert await listed(restaurant_id="r2") == [o for o in orders if o.restaurant_id == "r2"]
    assert await listed(courier_id="d1") == [o for o in orders if o.courier_id == "d1"]
    assert await listed(customer_id="c1", restaurant_id="r1") == [
        o for o in orders if (o.customer_id, o.restaurant_id) == ("c1", "r1")
    ]
    assert await listed(statuses=(Status.PREPARING,)) == orders[-3:]
    assert await listed(statuses=(Status.PREPARING, Status.CANCELLED)) == orders[-4:]
    assert await listed(2, statuses=(Status.PREPARING,), before_id=orders[-3].id, customer_id="c0") == [orders[-1]]
    assert await listed(statuses=(Status.DELIVERED,)) == await listed(customer_id="nobody") == []


@pytest.mark.parametrize("hostile", ["' OR 1=1 --", '"; DROP TABLE orders; --', ":id", "%", "é\U0001f6b4", "a\nb"])
async def test_ids_are_values_and_nothing_else(store: Store, hostile: str) -> None:
    """Clause 6."""
    await placed(store)
    order = await placed(
        store, customer_id=hostile, restaurant_id=hostile, courier_id=hostile, reference=hostile, actor=hostile
    )
    assert await store.order(order.id) == order
    for field in ("customer_id", "restaurant_id", "courier_id"):
        assert await store.orders(OrderFilter(limit=10, **{field: hostile})) == [order]
    for kind in (FeedKind.CUSTOMER, FeedKind.RESTAURANT, FeedKind.COURIER):
        assert await store.feed_changes(FeedKey(kind, hostile), 0) == FeedChanges(1, (order,), ())


async def test_orders_are_counted_by_status(store: Store) -> None:
    """Clause 6."""
    assert await store.orders_by_status() == dict.fromkeys(Status, 0)
    one, two, _ = [await placed(store) for _ in range(3)]
    await store.apply([to(one, "preparing"), to(one, "ready"), to(two, "cancelled")], NOW_MS)
    counts = dict.fromkeys(Status, 0) | {Status.CONFIRMED: 1, Status.READY: 1, Status.CANCELLED: 1}
    assert await store.orders_by_status() == counts
    await store.apply([to(one, "preparing", undo=True), to(one, "ready"), to(one, "preparing", undo=True)], NOW_MS)
    counts |= {Status.READY: 0, Status.PREPARING: 1}
    assert await store.orders_by_status() == counts


async def test_ids_grow_and_one_given_for_sample_data_is_kept(store: Store) -> None:
    """Clause 6."""
    first = await placed(store)
    await store.load([History(101, new(), NOW_MS)])
    following = await placed(store)
    assert (first.id, (await store.order(101)).version, following.id) == (1, 1, 102)


async def test_a_history_is_loaded_in_one_commit(store: Store, listener: Listener) -> None:
    """Clauses 2 and 5."""
    changes = [(to(101, "preparing"), NOW_MS + 1), (AssignCourier(101, "d1", "test"), NOW_MS + 2)]
    await store.load([History(101, new(), NOW_MS, changes), History(102, new(), NOW_MS)])
    assert [[(order.id, order.version) for order, _, _ in call] for call in listener.calls] == [[(101, 3), (102, 1)]]
    assert await store.orders(OrderFilter(limit=5)) == [await store.order(102), await store.order(101)]
    assert (await store.feed_changes(courier("d1"), 0)).orders == (await store.order(101),)
    assert (await store.feed_version(CUSTOMER)) == 4


# 7. Idempotency, and references.


async def test_a_repeated_key_gives_the_order_as_it_was_created(store: Store, listener: Listener) -> None:
    """Clause 7."""
    key = Idempotency("key", "body")
    first = await store.create(new(courier_id="d1", reference="A-1"), NOW_MS, idempotency=key)
    assert first.replayed is False
    await store.apply([to(first.order, "preparing"), assign(first.order, "d2")], NOW_MS + 1_000)
    listener.calls.clear()
    again = await store.create(new(courier_id="d1", reference="A-1"), NOW_MS + 2_000, idempotency=key)
    assert again == (first.order, True)
    assert listener.calls == []
    assert (await store.order(first.order.id)).version == 3
    assert len(await store.orders(OrderFilter(limit=10))) == 1


async def test_a_key_with_another_body_is_refused(store: Store) -> None:
    """Clause 7."""
    await store.create(new(), NOW_MS, idempotency=Idempotency("key", "body"))
    with pytest.raises(IdempotencyKeyReused):
        await store.create(new(customer_id="c2"), NOW_MS, idempotency=Idempotency("key", "other body"))
    other = await store.create(new(), NOW_MS, idempotency=Idempotency("other key", "body"))
    assert (other.order.id, other.replayed) == (2, False)


async def test_of_concurrent_creations_with_one_key_exactly_one_creates(store: Store, listener: Listener) -> None:
    """Clause 7."""
    key = Idempotency("key", "body")
    async with asyncio.timeout(BOUND_S):
        answers = await asyncio.gather(*(store.create(new(), NOW_MS + n, idempotency=key) for n in range(25)))
    assert sorted(answer.replayed for answer in answers) == [False] + [True] * 24
    assert len({answer.order.created_at_ms for answer in answers}) == 1
    assert listener.announced == {1: 1}


async def test_a_key_is_kept_for_24_hours_and_no_longer(store: Store) -> None:
    """Clause 7."""
    day_ms = 24 * 60 * 60 * 1000
    assert day_ms == IDEMPOTENCY_KEPT_MS
    key = Idempotency("key", "body")
    await store.create(new(), NOW_MS, idempotency=key)
    assert (await store.create(new(), NOW_MS + day_ms, idempotency=key)).replayed is True
    fresh = await store.create(new(), NOW_MS + day_ms + 1, idempotency=Idempotency("key", "another body"))
    assert (fresh.order.id, fresh.replayed) == (2, False)
    with pytest.raises(IdempotencyKeyReused):
        await store.create(new(), NOW_MS + day_ms + 2, idempotency=key)


async def test_a_refused_creation_does_not_use_up_its_key(store: Store) -> None:
    """Clauses 2 and 7."""
    await placed(store, reference="A-1")
    key = Idempotency("key", "body")
    with pytest.raises(ReferenceTaken):
        await store.create(new(reference="A-1"), NOW_MS, idempotency=key)
    assert (await store.create(new(reference="A-2"), NOW_MS, idempotency=key)).replayed is False


async def test_a_reference_is_unique_for_its_restaurant(store: Store) -> None:
    """Clause 2: the merchant's own id."""
    first = await placed(store, reference="A-1")
    with pytest.raises(ReferenceTaken) as taken:
        await placed(store, reference="A-1", customer_id="c2")
    assert (taken.value.reference, taken.value.restaurant_id) == ("A-1", "r1")
    elsewhere = await placed(store, reference="A-1", restaurant_id="r2")
    assert [first.reference, elsewhere.reference] == ["A-1", "A-1"]
    assert [(await placed(store)).reference for _ in range(2)] == [None, None]
    assert len(await store.orders(OrderFilter(limit=10))) == 4


async def test_of_concurrent_creations_with_one_reference_exactly_one_creates(store: Store) -> None:
    """Clause 2."""
    async with asyncio.timeout(BOUND_S):
        asked = (store.create(new(reference="A-1"), NOW_MS) for _ in range(10))
        answers = await asyncio.gather(*asked, return_exceptions=True)
    assert sum(not isinstance(answer, BaseException) for answer in answers) == 1
    assert sum(isinstance(answer, ReferenceTaken) for answer in answers) == 9


# 8. Simulations.


def step_change(step: Step) -> ChangeStatus:
    return to(step.order_id, step.status, reason=step.reason, simulated=(step.seq, step.due_at_ms))


async def test_a_simulation_is_kept_until_its_last_step(store: Store) -> None:
    """Clause 8."""
    order = await placed(store)
    steps = await store.start_simulation(order.id, WorkflowOptions(cancel_at=Status.READY), NOW_MS)
    assert [step.status for step in steps] == ["preparing", "ready", "cancelled"]
    for n, step in enumerate(steps):
        assert await store.simulations() == {order.id: steps[n:]}
        assert (await changed(store, step_change(step))).status == step.status
    assert await store.simulations() == {}
    assert (await store.order(order.id)).cancellation is not None


async def test_one_order_has_one_simulation(store: Store) -> None:
    """Clause 8."""
    order, other = await placed(store), await placed(store)
    steps = await store.start_simulation(order.id, WorkflowOptions(), NOW_MS)
    with pytest.raises(SimulationRunning) as running:
        await store.start_simulation(order.id, WorkflowOptions(), NOW_MS)
    assert running.value.order == order
    others = await store.start_simulation(other.id, WorkflowOptions(speed=2), NOW_MS)
    assert await store.simulations() == {order.id: steps, other.id: others}


async def test_stopping_a_simulation_gives_the_steps_that_will_not_happen(store: Store) -> None:
    """Clause 8."""
    order = await placed(store)
    steps = await store.start_simulation(order.id, WorkflowOptions(), NOW_MS)
    await changed(store, step_change(steps[0]))
    assert await store.stop_simulation(order.id) == steps[1:]
    assert await store.simulations() == {}
    with pytest.raises(SimulationNotRunning) as stopped:
        await store.stop_simulation(order.id)
    assert stopped.value.order_id == order.id
    assert isinstance(await refused(store, step_change(steps[1])), SimulationNotRunning)
    again = await store.start_simulation(order.id, WorkflowOptions(), NOW_MS + 1)
    assert [step.status for step in again] == ["ready", "picked_up", "delivered"]
    assert await store.simulations() == {order.id: again}


@pytest.mark.parametrize("status", ["preparing", "delivered", "cancelled"])
async def test_another_change_of_status_ends_the_simulation_in_the_same_commit(store: Store, status: str) -> None:
    """Clause 8."""
    order = await placed(store)
    steps = await store.start_simulation(order.id, WorkflowOptions(), NOW_MS)
    results = await store.apply([to(order, status), step_change(steps[0])], NOW_MS)
    assert isinstance(results[1], SimulationNotRunning)
    assert await store.simulations() == {}
    assert (await store.order(order.id)).status == status


async def test_a_courier_does_not_end_a_simulation(store: Store) -> None:
    """Clause 8."""
    order = await placed(store)
    steps = await store.start_simulation(order.id, WorkflowOptions(), NOW_MS)
    await store.apply([assign(order, "d1"), to(order, "confirmed")], NOW_MS)
    assert await store.simulations() == {order.id: steps}


async def test_a_step_out_of_turn_or_of_an_earlier_simulation_is_refused(store: Store) -> None:
    """Clause 8."""
    order = await placed(store)
    earlier = await store.start_simulation(order.id, WorkflowOptions(), NOW_MS)
    assert isinstance(await refused(store, step_change(earlier[1])), SimulationNotRunning)
    await store.stop_simulation(order.id)
    steps = await store.start_simulation(order.id, WorkflowOptions(), NOW_MS + 60_000)
    assert isinstance(await refused(store, step_change(earlier[0])), SimulationNotRunning)
    assert await store.simulations() == {order.id: steps}
    assert await store.order(order.id) == order


async def test_an_order_that_has_ended_or_passed_the_cancellation_starts_no_simulation(store: Store) -> None:
    """Clause 8, and what `core.simulation.plan_steps` raises."""
    order = await changed(store, to(await placed(store), "ready"))
    with pytest.raises(InvalidInput):
        await store.start_simulation(order.id, WorkflowOptions(cancel_at=Status.PREPARING), NOW_MS)
    await changed(store, to(order, "delivered"))
    with pytest.raises(OrderEnded):
        await store.start_simulation(order.id, WorkflowOptions(), NOW_MS)
    assert await store.simulations() == {}


async def test_several_steps_in_one_batch_follow_one_another(store: Store) -> None:
    """Clauses 2 and 8."""
    order = await placed(store)
    steps = await store.start_simulation(order.id, WorkflowOptions(), NOW_MS)
    results = await store.apply([step_change(step) for step in steps[:3]], NOW_MS)
    assert [result.order.status for result in results if isinstance(result, Applied)] == [
        "preparing",
        "ready",
        "picked_up",
    ]
    assert await store.simulations() == {order.id: steps[3:]}


# 17. The simulation listener.


async def test_steps_are_announced_with_each_commit(store: Store, listener: Listener) -> None:
    """Clause 17: of a start, a step, a stop, and an end by another change; not of a courier."""
    announced: list[tuple[int, tuple[Step, ...]]] = []
    await store.close()
    await store.open(listener, simulations=lambda order_id, steps: announced.append((order_id, steps)))
    order = await placed(store)
    steps = await store.start_simulation(order.id, WorkflowOptions(), NOW_MS)
    assert announced == [(order.id, steps)]
    simulated = ChangeStatus(order.id, steps[0].status, "simulator", simulated=(steps[0].seq, steps[0].due_at_ms))
    await store.apply([simulated, AssignCourier(order.id, "d1", "test")], NOW_MS)
    assert announced[1:] == [(order.id, steps[1:])]
    assert await store.stop_simulation(order.id) == steps[1:]
    assert announced[2:] == [(order.id, ())]
    again = await store.start_simulation(order.id, WorkflowOptions(), NOW_MS)
    await store.apply([to(order, "ready")], NOW_MS)
    assert announced[3:] == [(order.id, again), (order.id, ())]


async def test_announced_steps_are_those_of_the_store_in_any_race(store: Store, listener: Listener) -> None:
    """Clause 17."""
    announced: dict[int, tuple[Step, ...]] = {}
    await store.close()
    await store.open(listener, simulations=announced.__setitem__)
    ids = [(await placed(store)).id for _ in range(5)]
    dice = random.Random(7)

    async def meddle(order_id: int) -> None:
        for _ in range(20):
            match dice.randrange(4):
                case 0:
                    await store.start_simulation(order_id, WorkflowOptions(), NOW_MS)
                case 1:
                    await store.stop_simulation(order_id)
                case 2:
                    await store.apply([to(order_id, "preparing"), to(order_id, "confirmed", undo=True)], NOW_MS)
                case 3 if steps := announced.get(order_id):
                    step = steps[0]
                    change = ChangeStatus(order_id, step.status, "x", simulated=(step.seq, step.due_at_ms))
                    await store.apply([change], NOW_MS)

    async def meddle_on(order_id: int) -> None:
        with suppress(OrdertrackError):
            await meddle(order_id)

    await asyncio.gather(*(meddle_on(order_id) for order_id in ids for _ in range(20)))
    assert {order_id: steps for order_id, steps in announced.items() if steps} == await store.simulations()


# 9. The epoch. (That it outlives the process is in tests/adapters/test_sqlite.py.)


async def test_the_epoch_fits_a_cursor_and_stays(store: Store) -> None:
    """Clause 9."""
    epoch = store.epoch
    assert 1 <= len(epoch) <= 32
    assert epoch == "".join(c for c in epoch if c in "0123456789abcdefghijklmnopqrstuvwxyz")
    await changed(store, to(await placed(store), "preparing"))
    assert store.epoch == epoch


# 10. Errors are those of core.errors. (StoreBusy and StoreUnavailable are in tests/adapters/test_sqlite.py.)


async def test_nothing_waits_once_everything_is_answered(store: Store) -> None:
    """Clause 10: `waiting` is what StoreBusy is decided by."""
    order = await placed(store)
    async with asyncio.timeout(BOUND_S):
        await asyncio.gather(*(store.apply([assign(order, f"d{n}")], NOW_MS) for n in range(50)))
    assert store.waiting == 0


# 11. What is at hand is what was last announced, and there is no waiting for it.


async def test_what_is_at_hand_is_what_was_announced(store: Store) -> None:
    """Clause 11."""
    order = await placed(store)
    assert store.peek(order.id) == order
    assert await store.order(order.id) == store.peek(order.id)
    changed_ = await changed(store, to(order, "preparing"))
    assert store.peek(order.id) == changed_
    assert await store.feed_version(CUSTOMER) == 2
    assert store.peek_feed_version(CUSTOMER) == 2
    await changed(store, to(order, "ready"))
    assert store.peek_feed_version(CUSTOMER) == 3


async def test_nothing_is_at_hand_of_an_order_nobody_placed(store: Store) -> None:
    """Clause 11."""
    await placed(store)
    assert store.peek(404) is None


async def test_a_feed_nobody_has_heard_of_comes_to_hand_and_stays_current(store: Store) -> None:
    """Clause 11."""
    nobody = courier("nobody")
    assert store.peek_feed_version(nobody) in (None, 0)
    assert await store.feed_version(nobody) == 0
    assert store.peek_feed_version(nobody) == 0
    await placed(store, courier_id="nobody")
    assert store.peek_feed_version(nobody) == await store.feed_version(nobody) == 1


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
async def test_the_listener_finds_at_hand_what_it_is_told(tmp_path: Path, kind: str) -> None:
    """Clause 11."""
    store = new_store(kind, tmp_path)
    peeked: list[tuple[Order | None, int | None]] = []
    told: list[tuple[Order, int]] = []

    def listen(commits: Sequence[Committed], _: float) -> None:
        for order, feeds, _ in commits:
            told.append((order, feeds[CUSTOMER]))
            peeked.append((store.peek(order.id), store.peek_feed_version(CUSTOMER)))

    async with asyncio.timeout(BOUND_S):
        await store.open(listen)
        assert await store.feed_version(CUSTOMER) == 0
        order = await placed(store)
        await changed(store, to(order, "preparing"))
        await store.close()
    assert peeked == told != []


async def test_what_is_at_hand_never_falls_behind_what_was_announced(store: Store, listener: Listener) -> None:
    """Clause 11, under a storm of concurrent changes and reads."""
    ids = [(await placed(store, customer_id=f"c{n}")).id for n in range(4)]
    feeds = [RESTAURANT, *(FeedKey(FeedKind.CUSTOMER, f"c{n}") for n in range(4))]
    looks = 0

    def look() -> None:
        nonlocal looks
        for order_id in ids:
            order = store.peek(order_id)
            if order is not None:
                looks += 1
                assert order.version == listener.announced[order_id]
        for feed in feeds:
            version = store.peek_feed_version(feed)
            if version is not None:
                looks += 1
                assert version == listener.feeds[feed]

    async def change(batch: list[Change], now_ms: int) -> None:
        await store.apply(batch, now_ms)
        look()

    async def read(seed: int) -> None:
        dice = random.Random(seed)
        for _ in range(3):
            await store.order(dice.choice(ids))
            look()
            await store.feed_version(dice.choice(feeds))
            look()

    dice = random.Random(9)
    async with asyncio.timeout(BOUND_S):
        for n in range(200):
            batch = [assign(dice.choice(ids), f"d{n}-{step}") for step in range(dice.randint(1, 4))]
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(change(batch, NOW_MS + n))
                for seed in range(3):
                    tasks.create_task(read(3 * n + seed))
    assert looks > 200


# 12. The oldest changes first, in pages that leave out nothing.


async def test_a_full_page_says_where_it_ends(store: Store) -> None:
    """Clause 12."""
    orders = [await placed(store) for _ in range(5)]
    first = await store.feed_changes(CUSTOMER, 0, limit=2)
    assert first == FeedChanges(2, tuple(orders[:2]), more=True)
    second = await store.feed_changes(CUSTOMER, first.version, limit=2)
    assert second == FeedChanges(4, tuple(orders[2:4]), more=True)
    assert await store.feed_changes(CUSTOMER, second.version, limit=2) == FeedChanges(5, tuple(orders[4:]))
    assert await store.feed_changes(CUSTOMER, 0, limit=5) == FeedChanges(5, tuple(orders))


async def test_a_page_is_bounded_by_bytes(store: Store) -> None:
    """Clause 12."""
    large = Details(note="x" * 300_000)
    orders = [await placed(store, details=large) for _ in range(5)]
    assert await store.feed_changes(CUSTOMER, 0) == FeedChanges(3, tuple(orders[:3]), more=True)
    assert await store.feed_changes(CUSTOMER, 3) == FeedChanges(5, tuple(orders[3:]))
    assert await store.feed_changes(CUSTOMER, None) == FeedChanges(3, tuple(orders[:3]), more=True, snapshot=5)


async def test_departures_count_among_the_entries_of_a_page(store: Store) -> None:
    """Clause 12."""
    first, second, third = [await placed(store, courier_id="d1") for _ in range(3)]
    await changed(store, assign(second, "d2"))
    third = await changed(store, to(third, "preparing"))
    await changed(store, assign(first, "d2"))
    assert await store.feed_changes(courier("d1"), 3, limit=2) == FeedChanges(5, (third,), (second.id,), more=True)
    assert await store.feed_changes(courier("d1"), 5, limit=2) == FeedChanges(6, (), (first.id,))


async def test_what_changes_between_two_pages_comes_again_at_the_end(store: Store) -> None:
    """Clause 12."""
    one, two, three = [await placed(store) for _ in range(3)]
    assert await store.feed_changes(CUSTOMER, 0, limit=2) == FeedChanges(2, (one, two), more=True)
    one = await changed(store, to(one, "preparing"))
    three = await changed(store, to(three, "cancelled"))
    assert await store.feed_changes(CUSTOMER, 2, limit=2) == FeedChanges(5, (one, three))


async def test_the_pages_of_a_snapshot_leave_out_what_had_ended_or_left_before_it_began(store: Store) -> None:
    """Clause 12."""
    d1 = courier("d1")
    orders = [await placed(store, courier_id="d1") for _ in range(6)]
    await changed(store, to(orders[2], "delivered"))
    await changed(store, assign(orders[3], "d2"))
    first = await store.feed_changes(d1, None, limit=2)
    assert first == FeedChanges(2, tuple(orders[:2]), more=True, snapshot=8)
    ended = await changed(store, to(orders[0], "delivered"))
    await changed(store, assign(orders[1], "d2"))
    second = await store.feed_changes(d1, first.version, limit=2, snapshot=first.snapshot)
    assert second == FeedChanges(6, (orders[4], orders[5]), more=True, snapshot=8)
    third = await store.feed_changes(d1, second.version, limit=2, snapshot=second.snapshot)
    assert third == FeedChanges(10, (ended,), (orders[1].id,))


async def test_a_snapshot_page_that_ends_after_its_beginning_goes_on_as_any_other(store: Store) -> None:
    """Clause 12."""
    one, two, three = [await placed(store) for _ in range(3)]
    assert (await store.feed_changes(CUSTOMER, None, limit=2)).snapshot == 3
    one, two, three = [await changed(store, to(order, "preparing")) for order in (one, two, three)]
    assert await store.feed_changes(CUSTOMER, 2, limit=2, snapshot=3) == FeedChanges(5, (one, two), more=True)


async def test_a_snapshot_that_fits_on_a_page_goes_on_as_any_other(store: Store) -> None:
    """Clause 12."""
    orders = [await placed(store) for _ in range(2)]
    assert await store.feed_changes(CUSTOMER, None, limit=2) == FeedChanges(2, tuple(orders))


@pytest.mark.parametrize("seed", range(3))
async def test_following_the_pages_of_a_moving_feed_ends_with_every_orders_final_state(store: Store, seed: int) -> None:
    """Clause 12: whatever the size of the pages, and though most orders change while they are read."""
    dice = random.Random(seed)
    d1 = courier("d1")
    ids = [(await placed(store, courier_id=dice.choice(["d1", "d2"]))).id for _ in range(12)]
    known: dict[int, Order] = {}
    after, snapshot, page_, changes = None, 0, FeedChanges(0, more=True), 0
    while page_.more or changes < 60:
        for _ in range(dice.randint(0, 3) if changes < 60 else 0):
            changes += 1
            id_ = dice.choice(ids)
            status = dice.choice(["preparing", "ready", "picked_up", "delivered", "cancelled"])
            change = to(id_, status, reason="so") if dice.random() < 0.4 else assign(id_, dice.choice(["d1", "d2"]))
            await store.apply([change], NOW_MS)
        page_ = await store.feed_changes(d1, after, limit=dice.randint(1, 4), snapshot=snapshot)
        assert len(page_.orders) + len(page_.left) <= 4
        assert not page_.more or after is None or page_.version > after, "a page that leads nowhere"
        known |= {order.id: order for order in page_.orders}
        for id_ in page_.left:
            known.pop(id_, None)
        after, snapshot = page_.version, page_.snapshot
    now = [await store.order(id_) for id_ in ids]
    active = {order.id: order for order in now if order.courier_id == "d1" and not order.status.ended}
    assert {id_: order for id_, order in known.items() if not order.status.ended} == active
    assert all(order == now[ids.index(order.id)] for order in known.values())


# 13. What one commit tells of a feed is what the feed says of it.


@pytest.mark.parametrize("seed", range(3))
async def test_what_a_commit_tells_of_a_feed_is_what_changed_since_the_version_before(
    store: Store, listener: Listener, seed: int
) -> None:
    """Clause 13."""
    dice = random.Random(seed)
    ids = [(await placed(store, customer_id=dice.choice(["c1", "c2"]))).id for _ in range(5)]
    for n in range(40):
        before = dict(listener.feeds)
        batch: list[Change] = [assign(dice.choice(ids), f"d{dice.randint(1, 3)}") for _ in range(dice.randint(1, 4))]
        await store.apply([*batch, to(dice.choice(ids), "preparing")], NOW_MS + n)
        told: dict[FeedKey, list[tuple[int, Order | int]]] = {}
        for order, feeds, _ in listener.calls[-1]:
            for feed, version in feeds.items():
                told.setdefault(feed, []).append((version, order if feed in party_feeds(order) else order.id))
        if before == listener.feeds:
            continue  # it changed nothing, and the last call is an earlier one
        for feed, entries in told.items():
            expected = build_page(listener.feeds[feed], sorted(entries, key=itemgetter(0)), limit=100)
            assert await store.feed_changes(feed, before.get(feed, 0)) == expected


# 14. Tracking links, by the hash of their token. Revoked once is revoked for ever.


def hash_of(token: object) -> bytes:
    return sha256(str(token).encode()).digest()


async def linked(store: Store, order: Order, token: object, now_ms: int = NOW_MS) -> Link:
    return await store.create_link(order.id, hash_of(token), "service:shop", now_ms)


async def test_a_link_is_found_by_the_hash_of_its_token_and_by_nothing_else(store: Store) -> None:
    """Clause 14."""
    order = await placed(store)
    link = await linked(store, order, "token")
    assert link == Link(link.id, order.id, NOW_MS, "service:shop", None)
    assert link.id >= 1
    assert await store.find_link(hash_of("token")) == link
    for other in (hash_of("tokem"), hash_of("token")[:31], hash_of("token") + b"\0", b"token", b""):
        assert await store.find_link(other) is None


async def test_links_are_listed_with_their_order_oldest_first(store: Store) -> None:
    """Clause 14."""
    one, two, three = [await placed(store) for _ in range(3)]
    made = [await linked(store, order, n, NOW_MS - n) for n, order in enumerate([one, two, one, two, one])]
    assert len({link.id for link in made}) == 5
    revoked = await store.revoke_link(one.id, made[2].id, NOW_MS + 9)
    assert await store.links(one.id) == [made[0], revoked, made[4]]
    assert await store.links(two.id) == [made[1], made[3]]
    assert await store.links(three.id) == []


async def test_a_revoked_link_is_still_found_and_revoked_since_the_first_time(store: Store) -> None:
    """Clause 14."""
    order = await placed(store)
    link, other = await linked(store, order, "token"), await linked(store, order, "other")
    revoked = await store.revoke_link(order.id, link.id, NOW_MS + 5)
    assert revoked == Link(link.id, order.id, NOW_MS, "service:shop", NOW_MS + 5)
    assert await store.revoke_link(order.id, link.id, NOW_MS + 6) == revoked
    assert await store.find_link(hash_of("token")) == revoked
    assert await store.find_link(hash_of("other")) == other
    assert await store.links(order.id) == [revoked, other]


async def test_a_link_of_another_order_or_of_none_is_not_there_to_revoke(store: Store) -> None:
    """Clause 14."""
    order, other = await placed(store), await placed(store)
    link = await linked(store, order, "token")
    no_such = [(other.id, link.id), (404, link.id), (order.id, 404), (order.id, 0), (order.id, 2**63 - 1)]
    for order_id, link_id in no_such:
        with pytest.raises(LinkNotFound) as missing:
            await store.revoke_link(order_id, link_id, NOW_MS)
        assert (missing.value.order_id, missing.value.link_id) == (order_id, str(link_id))
    assert await store.find_link(hash_of("token")) == link


async def test_an_order_nobody_placed_has_no_links(store: Store) -> None:
    """Clause 14."""
    for order_id in (0, -1, 404, 2**63 - 1):
        with pytest.raises(OrderNotFound):
            await store.create_link(order_id, hash_of("token"), "service:shop", NOW_MS)
        with pytest.raises(OrderNotFound):
            await store.links(order_id)
    assert await store.find_link(hash_of("token")) is None


async def test_a_hash_that_is_taken_is_refused_and_the_link_that_has_it_stays(store: Store) -> None:
    """Clauses 2 and 14: whoever shares the commit is none the worse for it."""
    order, other = await placed(store), await placed(store)
    link = await linked(store, order, "token")
    async with asyncio.timeout(BOUND_S):
        answers = await asyncio.gather(
            linked(store, other, "token"), store.apply([to(other, "preparing")], NOW_MS), return_exceptions=True
        )
    assert isinstance(answers[0], StoreUnavailable)
    assert (await store.order(other.id)).status == "preparing"
    assert await store.find_link(hash_of("token")) == link
    assert await store.links(other.id) == []


async def test_links_change_no_order_and_announce_nothing(store: Store, listener: Listener) -> None:
    """Clauses 5 and 14."""
    order = await placed(store)
    listener.calls.clear()
    link = await linked(store, order, "token")
    await store.revoke_link(order.id, link.id, NOW_MS)
    assert listener.calls == []
    assert await store.order(order.id) == order


# 15. An order has so many links and no more.


async def test_an_order_that_has_all_the_links_it_may_gets_none_until_one_is_revoked(store: Store) -> None:
    """Clause 15."""
    order, other = await placed(store), await placed(store)
    links = [await linked(store, order, n) for n in range(MAX_LINKS)]
    with pytest.raises(TooManyLinks) as full:
        await linked(store, order, "one more")
    assert (full.value.order, full.value.limit) == (order, 20)
    assert await store.find_link(hash_of("one more")) is None
    assert await linked(store, other, "of another order")
    await store.revoke_link(order.id, links[3].id, NOW_MS)
    await linked(store, order, "instead")
    with pytest.raises(TooManyLinks):
        await linked(store, order, "one more")
    assert len(await store.links(order.id)) == MAX_LINKS + 1


async def test_of_many_links_asked_for_at_once_only_so_many_are_made(store: Store) -> None:
    """Clause 15."""
    order = await placed(store)
    async with asyncio.timeout(BOUND_S):
        asked = (linked(store, order, n) for n in range(MAX_LINKS + 5))
        answers = await asyncio.gather(*asked, return_exceptions=True)
    assert sum(isinstance(answer, TooManyLinks) for answer in answers) == 5
    assert sorted(link.id for link in await store.links(order.id)) == sorted(
        answer.id for answer in answers if isinstance(answer, Link)
    )


# The two stores, step by step


class SameAnswers(RuleBasedStateMachine):
    """Whatever is asked of them, the SQLite store with tiny caches answers as the memory store does."""

    customers = st.sampled_from(["c1", "c2"])
    couriers = st.sampled_from(["d1", "d2", "d3"])
    restaurants = st.sampled_from(["r1", "r2"])
    ids = st.integers(1, 7)
    changes = st.one_of(
        st.builds(
            ChangeStatus,
            ids,
            st.sampled_from(Status),
            st.just("test"),
            reason=st.none() | st.just("why"),
            undo=st.booleans(),
            expected_version=st.none() | st.integers(1, 4),
            origin=st.none() | st.just("203.0.113.9"),
        ),
        st.builds(AssignCourier, ids, couriers, st.just("test")),
    )
    tokens = st.integers(0, 30)

    @initialize(cold=st.booleans())
    def open(self, cold: bool) -> None:
        self.runner = asyncio.Runner()
        self.folder = Path(tempfile.mkdtemp(prefix="ordertrack-test-"))
        self.patched = pytest.MonkeyPatch()
        if cold:
            shrink_caches(self.patched)
        self.heard = [Listener(), Listener()]
        self.stores = [new_store("memory", self.folder), new_store("sqlite", self.folder)]
        self.now_ms = NOW_MS
        self.placed = 0
        self.steps: dict[int, tuple[Step, ...]] = {}
        for store, listener in zip(self.stores, self.heard, strict=True):
            self.runner.run(store.open(listener))

    def both(self, ask: Callable[[Store], Any]) -> Any:
        """The answer of both, an error as its text."""

        async def asked(store: Store) -> Any:
            try:
                async with asyncio.timeout(BOUND_S):
                    return await ask(store)
            except OrdertrackError as error:
                return error

        memory, sqlite = [self.runner.run(asked(store)) for store in self.stores]
        assert plain(memory) == plain(sqlite)
        return memory

    @rule(by_ms=st.sampled_from([1, 0, 60_000, -5, IDEMPOTENCY_KEPT_MS // 2 + 1]))
    def time_passes(self, by_ms: int) -> None:
        self.now_ms += by_ms

    @precondition(lambda self: self.placed < 6)
    @rule(
        customer_id=customers,
        restaurant_id=restaurants,
        courier_id=st.none() | couriers,
        reference=st.none() | st.sampled_from(["A", "B"]),
        key=st.none() | st.builds(Idempotency, st.sampled_from(["k1", "k2"]), st.sampled_from(["f1", "f2"])),
    )
    def create(
        self,
        customer_id: str,
        restaurant_id: str,
        courier_id: str | None,
        reference: str | None,
        key: Idempotency | None,
    ) -> None:
        wanted = NewOrder(customer_id, restaurant_id, courier_id, reference)
        answer = self.both(lambda store: store.create(wanted, self.now_ms, idempotency=key))
        self.placed += not isinstance(answer, OrdertrackError) and not answer.replayed

    @rule(batch=st.lists(changes, min_size=1, max_size=5))
    def apply(self, batch: list[Change]) -> None:
        self.both(lambda store: store.apply(batch, self.now_ms))

    @rule(order_id=ids, cancel_at=st.none() | st.sampled_from([Status.CONFIRMED, Status.READY]))
    def start_simulation(self, order_id: int, cancel_at: Status | None) -> None:
        answer = self.both(
            lambda store: store.start_simulation(order_id, WorkflowOptions(cancel_at=cancel_at), self.now_ms)
        )
        if not isinstance(answer, OrdertrackError):
            self.steps[order_id] = answer

    @rule(order_id=ids)
    def stop_simulation(self, order_id: int) -> None:
        self.both(lambda store: store.stop_simulation(order_id))

    @precondition(lambda self: self.steps)
    @rule(which=st.integers(0, 9), seq=st.integers(0, 3))
    def take_a_step(self, which: int, seq: int) -> None:
        order_id = sorted(self.steps)[which % len(self.steps)]
        steps = self.steps[order_id]
        self.both(lambda store: store.apply([step_change(steps[seq % len(steps)])], self.now_ms))

    @rule(
        limit=st.integers(1, 4),
        customer_id=st.none() | customers,
        courier_id=st.none() | couriers,
        statuses=st.lists(st.sampled_from(Status), max_size=2).map(tuple),
        before_id=st.none() | ids,
    )
    def list_orders(self, **fields: Any) -> None:
        self.both(lambda store: store.orders(OrderFilter(**fields)))

    @rule(
        feed=st.one_of(
            st.builds(FeedKey, st.just(FeedKind.CUSTOMER), customers),
            st.builds(FeedKey, st.just(FeedKind.RESTAURANT), restaurants),
            st.builds(FeedKey, st.just(FeedKind.COURIER), couriers),
        ),
        after=st.none() | st.integers(0, 6),
        limit=st.integers(1, 4) | st.just(100),
        snapshot=st.just(0) | st.integers(1, 12),
    )
    def read_feed(self, feed: FeedKey, after: int | None, limit: int, snapshot: int) -> None:
        changes = self.both(lambda store: store.feed_changes(feed, after, limit=limit, snapshot=snapshot))
        version = self.both(lambda store: store.feed_version(feed))
        assert changes.version == version or (changes.more and changes.version < version)
        assert {store.peek_feed_version(feed) for store in self.stores} == {version}

    @rule(order_id=ids)
    def read_an_order(self, order_id: int) -> None:
        order = self.both(lambda store: store.order(order_id))
        if isinstance(order, Order):
            assert all(store.peek(order_id) == order for store in self.stores)

    @rule(order_id=ids, tokens=st.lists(tokens, max_size=8))
    def make_links(self, order_id: int, tokens: list[int]) -> None:
        for token in tokens:
            self.both(lambda store, token=token: store.create_link(order_id, hash_of(token), "test", self.now_ms))

    @rule(order_id=ids, link_id=st.integers(1, 31))
    def revoke_a_link(self, order_id: int, link_id: int) -> None:
        self.both(lambda store: store.revoke_link(order_id, link_id, self.now_ms))

    @rule(order_id=ids, token=tokens)
    def look_for_links(self, order_id: int, token: int) -> None:
        self.both(lambda store: store.links(order_id))
        self.both(lambda store: store.find_link(hash_of(token)))

    @rule()
    def reopen(self) -> None:
        counts = self.runner.run(self.stores[1].orders_by_status())
        self.runner.run(self.stores[1].close())
        self.stores[1] = new_store("sqlite", self.folder)
        self.runner.run(self.stores[1].open(self.heard[1]))
        assert self.runner.run(self.stores[1].orders_by_status()) == counts

    @invariant()
    def all_orders_and_simulations_are_the_same(self) -> None:
        self.both(lambda store: store.orders(OrderFilter(limit=100)))
        self.both(lambda store: store.simulations())
        self.both(lambda store: store.orders_by_status())

    @invariant()
    def the_listeners_heard_the_same(self) -> None:
        assert self.heard[0].announced == self.heard[1].announced
        assert self.heard[0].feeds == self.heard[1].feeds
        assert len(self.heard[0].calls) == len(self.heard[1].calls)

    def teardown(self) -> None:
        if not hasattr(self, "runner"):
            return
        for store in self.stores:
            self.runner.run(store.close())
        self.runner.close()
        self.patched.undo()
        shutil.rmtree(self.folder)


def plain(answer: Any) -> Any:
    """Answers as values that can be compared: an error by its kind and fields."""
    if isinstance(answer, OrdertrackError):
        return type(answer), vars(answer)
    return [plain(one) for one in answer] if isinstance(answer, list) else answer


def test_the_sqlite_store_answers_as_the_memory_store_does() -> None:
    run_state_machine_as_test(SameAnswers, settings=settings(max_examples=25, stateful_step_count=25))
