"""Feeds of parties: versions (clause 4), pages (clause 12) and announcements (clause 13)."""

from __future__ import annotations

import random
from operator import itemgetter

import pytest

from contract.harness import (
    CUSTOMER,
    NOW_MS,
    RESTAURANT,
    Listener,
    apply_one,
    assign,
    courier,
    create_order,
    set_status,
)
from ordertrack.core.feed import FeedChanges, FeedKey, FeedKind, build_page, party_feeds
from ordertrack.core.order import Details, Order
from ordertrack.core.order_rules import Change
from ordertrack.ports.store import Store

pytestmark = pytest.mark.anyio


async def test_a_change_increments_each_touched_feed_by_one(store: Store, listener: Listener) -> None:
    """Clause 4."""
    order = await create_order(store)
    assert listener.commits[-1].feeds == {CUSTOMER: 1, RESTAURANT: 1}
    await apply_one(store, set_status(order, "preparing"))
    assert listener.commits[-1].feeds == {CUSTOMER: 2, RESTAURANT: 2}
    await apply_one(store, assign(order, "d1"))
    assert listener.commits[-1].feeds == {CUSTOMER: 3, RESTAURANT: 3, courier("d1"): 1}
    await create_order(store, customer_id="c2", courier_id="d1")
    assert listener.commits[-1].feeds == {FeedKey(FeedKind.CUSTOMER, "c2"): 1, RESTAURANT: 4, courier("d1"): 2}
    await store.apply([set_status(order, "ready"), assign(order, "d2"), set_status(order, "ready")], NOW_MS)
    assert listener.commits[-1].feeds == {CUSTOMER: 5, RESTAURANT: 6, courier("d1"): 4, courier("d2"): 1}
    for feed, version in listener.feeds.items():
        assert (await store.feed_changes(feed, None)).version == version


async def test_changes_after_a_version_come_oldest_first(store: Store) -> None:
    """Clause 4."""
    one, two, three = [await create_order(store) for _ in range(3)]
    two = await apply_one(store, set_status(two, "preparing"))
    one = await apply_one(store, set_status(one, "cancelled"))
    assert await store.feed_changes(CUSTOMER, None) == FeedChanges(5, (two, three), ())
    assert await store.feed_changes(CUSTOMER, 0) == FeedChanges(5, (three, two, one), ())
    assert await store.feed_changes(CUSTOMER, 3) == FeedChanges(5, (two, one), ())
    assert await store.feed_changes(CUSTOMER, 4) == FeedChanges(5, (one,), ())
    assert await store.feed_changes(CUSTOMER, 5) == FeedChanges(5, (), ())
    assert await store.feed_changes(CUSTOMER, 9) == FeedChanges(5, (), ())


async def test_an_unknown_feed_is_at_version_zero(store: Store) -> None:
    """Clause 4."""
    await create_order(store)
    for kind in (FeedKind.CUSTOMER, FeedKind.RESTAURANT, FeedKind.COURIER):
        for after in (None, 0, 5):
            assert await store.feed_changes(FeedKey(kind, "unknown"), after) == FeedChanges(0, (), ())


async def test_parties_with_equal_ids_have_separate_feeds(store: Store) -> None:
    """Clause 4."""
    order = await create_order(store, customer_id="1", restaurant_id="1", courier_id="1")
    await create_order(store, customer_id="1", restaurant_id="2")
    kinds = (FeedKind.CUSTOMER, FeedKind.RESTAURANT, FeedKind.COURIER)
    assert [(await store.feed_changes(FeedKey(kind, "1"), 0)).version for kind in kinds] == [2, 1, 1]
    assert (await store.feed_changes(FeedKey(FeedKind.COURIER, "1"), 0)).orders == (order,)


async def test_a_reassigned_order_leaves_the_first_feed(store: Store) -> None:
    """Clause 4."""
    order, stays = await create_order(store, courier_id="d1"), await create_order(store, courier_id="d1")
    order = await apply_one(store, assign(order, "d2"))
    assert await store.feed_changes(courier("d1"), 2) == FeedChanges(3, (), (order.id,))
    assert await store.feed_changes(courier("d1"), 3) == FeedChanges(3, (), ())
    assert await store.feed_changes(courier("d1"), None) == FeedChanges(3, (stays,), ())
    assert await store.feed_changes(courier("d2"), 0) == FeedChanges(1, (order,), ())
    order = await apply_one(store, set_status(order, "preparing"))
    assert await store.feed_changes(courier("d1"), 2) == FeedChanges(3, (), (order.id,))
    assert await store.feed_changes(courier("d2"), 1) == FeedChanges(2, (order,), ())


async def test_an_order_that_returns_to_a_courier_has_not_left(store: Store) -> None:
    """Clause 4."""
    order = await create_order(store, courier_id="d1")
    await apply_one(store, assign(order, "d2"))
    order = await apply_one(store, assign(order, "d1"))
    assert await store.feed_changes(courier("d1"), 1) == FeedChanges(3, (order,), ())
    assert await store.feed_changes(courier("d2"), 0) == FeedChanges(2, (), (order.id,))
    order = await apply_one(store, assign(order, "d2"))
    assert await store.feed_changes(courier("d1"), 3) == FeedChanges(4, (), (order.id,))
    assert await store.feed_changes(courier("d2"), 2) == FeedChanges(3, (order,), ())


async def test_a_batch_of_assignments_ends_in_one_feed(store: Store) -> None:
    """Clauses 2 and 4."""
    order = await create_order(store, courier_id="d1")
    await store.apply([assign(order, "d2"), assign(order, "d3"), assign(order, "d1"), assign(order, "d4")], NOW_MS)
    order = await store.order(order.id)
    assert await store.feed_changes(courier("d4"), 0) == FeedChanges(1, (order,), ())
    for courier_id, version in (("d1", 4), ("d2", 2), ("d3", 2)):
        assert await store.feed_changes(courier(courier_id), 1) == FeedChanges(version, (), (order.id,))


async def test_a_full_page_says_where_it_ends(store: Store) -> None:
    """Clause 12."""
    orders = [await create_order(store) for _ in range(5)]
    first = await store.feed_changes(CUSTOMER, 0, limit=2)
    assert first == FeedChanges(2, tuple(orders[:2]), more=True)
    second = await store.feed_changes(CUSTOMER, first.version, limit=2)
    assert second == FeedChanges(4, tuple(orders[2:4]), more=True)
    assert await store.feed_changes(CUSTOMER, second.version, limit=2) == FeedChanges(5, tuple(orders[4:]))
    for after in (0, None):
        assert await store.feed_changes(CUSTOMER, after, limit=5) == FeedChanges(5, tuple(orders))


async def test_a_page_is_bounded_by_bytes(store: Store) -> None:
    """Clause 12."""
    large = Details(note="x" * 300_000)
    orders = [await create_order(store, details=large) for _ in range(5)]
    assert await store.feed_changes(CUSTOMER, 0) == FeedChanges(3, tuple(orders[:3]), more=True)
    assert await store.feed_changes(CUSTOMER, 3) == FeedChanges(5, tuple(orders[3:]))
    assert await store.feed_changes(CUSTOMER, None) == FeedChanges(5, tuple(orders[:3]), more=True, after_id=3)


async def test_departures_count_among_the_entries_of_a_page(store: Store) -> None:
    """Clause 12."""
    first, second, third = [await create_order(store, courier_id="d1") for _ in range(3)]
    await apply_one(store, assign(second, "d2"))
    third = await apply_one(store, set_status(third, "preparing"))
    await apply_one(store, assign(first, "d2"))
    assert await store.feed_changes(courier("d1"), 3, limit=2) == FeedChanges(5, (third,), (second.id,), more=True)
    assert await store.feed_changes(courier("d1"), 5, limit=2) == FeedChanges(6, (), (first.id,))


async def test_a_change_between_pages_comes_again_at_the_end(store: Store) -> None:
    """Clause 12."""
    one, two, three = [await create_order(store) for _ in range(3)]
    assert await store.feed_changes(CUSTOMER, 0, limit=2) == FeedChanges(2, (one, two), more=True)
    one = await apply_one(store, set_status(one, "preparing"))
    three = await apply_one(store, set_status(three, "cancelled"))
    assert await store.feed_changes(CUSTOMER, 2, limit=2) == FeedChanges(5, (one, three))


async def test_snapshot_pages_leave_out_earlier_ends(store: Store) -> None:
    """Clause 12."""
    d1 = courier("d1")
    orders = [await create_order(store, courier_id="d1") for _ in range(6)]
    await apply_one(store, set_status(orders[2], "delivered"))
    await apply_one(store, assign(orders[3], "d2"))
    first = await store.feed_changes(d1, None, limit=2)
    assert first == FeedChanges(8, tuple(orders[:2]), more=True, after_id=2)
    ended = await apply_one(store, set_status(orders[0], "delivered"))
    await apply_one(store, assign(orders[1], "d2"))
    second = await store.feed_changes(d1, first.version, limit=2, after_id=first.after_id)
    assert second == FeedChanges(8, (orders[4], orders[5]), more=True, after_id=6)
    third = await store.feed_changes(d1, second.version, limit=2, after_id=second.after_id)
    assert third == FeedChanges(10, (ended,), (orders[1].id,))


async def test_a_snapshot_ends_at_its_first_version(store: Store) -> None:
    """Clause 12."""
    one, two, three = [await create_order(store) for _ in range(3)]
    assert await store.feed_changes(CUSTOMER, None, limit=1) == FeedChanges(3, (one,), more=True, after_id=one.id)
    one, three = [await apply_one(store, set_status(order, "preparing")) for order in (one, three)]
    await create_order(store)
    assert await store.feed_changes(CUSTOMER, 3, limit=2, after_id=one.id) == FeedChanges(4, (two, one), more=True)


@pytest.mark.parametrize("seed", range(6))
async def test_pages_of_a_changing_feed_reach_the_final_state(store: Store, seed: int) -> None:
    """Clause 12, for pages of any size, with changes and new orders between them."""
    dice = random.Random(seed)
    d1 = courier("d1")
    ids = [(await create_order(store, courier_id=dice.choice(["d1", "d2"]))).id for _ in range(12)]
    known: dict[int, Order] = {}
    after, page_, changes = None, FeedChanges(0, more=True), 0
    while page_.more or changes < 60:
        for _ in range(dice.randint(0, 3) if changes < 60 else 0):
            changes += 1
            if dice.random() < 0.2:
                ids.append((await create_order(store, courier_id=dice.choice(["d1", "d2"]))).id)
            id_ = dice.choice(ids)
            status = dice.choice(["preparing", "ready", "picked_up", "delivered", "cancelled"])
            change = (
                set_status(id_, status, reason="so") if dice.random() < 0.4 else assign(id_, dice.choice(["d1", "d2"]))
            )
            await store.apply([change], NOW_MS)
        after_id = page_.after_id
        page_ = await store.feed_changes(d1, after, limit=dice.randint(1, 4), after_id=after_id)
        assert len(page_.orders) + len(page_.left) <= 4
        leads_on = after is None or page_.version > after or page_.after_id > after_id
        assert leads_on or not page_.more, "a page that leads nowhere"
        known |= {order.id: order for order in page_.orders}
        for id_ in page_.left:
            known.pop(id_, None)
        after = page_.version
    now = [await store.order(id_) for id_ in ids]
    active = {order.id: order for order in now if order.courier_id == "d1" and not order.status.ended}
    assert {id_: order for id_, order in known.items() if not order.status.ended} == active
    assert all(order == now[ids.index(order.id)] for order in known.values())


@pytest.mark.parametrize("seed", range(3))
async def test_an_announcement_equals_the_changes_of_its_feed(store: Store, listener: Listener, seed: int) -> None:
    """Clause 13."""
    dice = random.Random(seed)
    ids = [(await create_order(store, customer_id=dice.choice(["c1", "c2"]))).id for _ in range(5)]
    for n in range(40):
        before = dict(listener.feeds)
        batch: list[Change] = [assign(dice.choice(ids), f"d{dice.randint(1, 3)}") for _ in range(dice.randint(1, 4))]
        await store.apply([*batch, set_status(dice.choice(ids), "preparing")], NOW_MS + n)
        announced: dict[FeedKey, list[tuple[int, Order | int]]] = {}
        for order, feeds, *_ in listener.calls[-1]:
            for feed, version in feeds.items():
                announced.setdefault(feed, []).append((version, order if feed in party_feeds(order) else order.id))
        if before == listener.feeds:
            continue  # nothing changed, so the last call is an earlier one
        for feed, entries in announced.items():
            expected = build_page(listener.feeds[feed], sorted(entries, key=itemgetter(0)), limit=100)
            assert await store.feed_changes(feed, before.get(feed, 0)) == expected
