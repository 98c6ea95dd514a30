"""Tracking links: found by the hash of their token (clause 14), and limited per order (clause 15)."""

from __future__ import annotations

import asyncio

import pytest

from contract.harness import BOUND_S, NOW_MS, Listener, create_order, hash_of, set_status
from ordertrack.core.errors import (
    LinkNotFound,
    OrderNotFound,
    StoreUnavailable,
    TooManyLinks,
)
from ordertrack.core.order import Order
from ordertrack.core.tracking_link import MAX_LINKS, Link
from ordertrack.ports.store import Store

pytestmark = pytest.mark.anyio


async def add_link(store: Store, order: Order, token: object, now_ms: int = NOW_MS) -> Link:
    return await store.create_link(order.id, hash_of(token), "service:shop", now_ms)


async def test_a_link_is_found_only_by_its_hash(store: Store) -> None:
    """Clause 14."""
    order = await create_order(store)
    link = await add_link(store, order, "token")
    assert link == Link(link.id, order.id, NOW_MS, "service:shop", None)
    assert link.id >= 1
    assert await store.find_link(hash_of("token")) == link
    for other in (hash_of("tokem"), hash_of("token")[:31], hash_of("token") + b"\0", b"token", b""):
        assert await store.find_link(other) is None


async def test_links_of_an_order_are_listed_oldest_first(store: Store) -> None:
    """Clause 14."""
    one, two, three = [await create_order(store) for _ in range(3)]
    made = [await add_link(store, order, n, NOW_MS - n) for n, order in enumerate([one, two, one, two, one])]
    assert len({link.id for link in made}) == 5
    revoked = await store.revoke_link(one.id, made[2].id, NOW_MS + 9)
    assert await store.links(one.id) == [made[0], revoked, made[4]]
    assert await store.links(two.id) == [made[1], made[3]]
    assert await store.links(three.id) == []


async def test_a_revoked_link_keeps_its_first_revocation(store: Store) -> None:
    """Clause 14."""
    order = await create_order(store)
    link, other = await add_link(store, order, "token"), await add_link(store, order, "other")
    revoked = await store.revoke_link(order.id, link.id, NOW_MS + 5)
    assert revoked == Link(link.id, order.id, NOW_MS, "service:shop", NOW_MS + 5)
    assert await store.revoke_link(order.id, link.id, NOW_MS + 6) == revoked
    assert await store.find_link(hash_of("token")) == revoked
    assert await store.find_link(hash_of("other")) == other
    assert await store.links(order.id) == [revoked, other]


async def test_revoking_needs_the_order_of_the_link(store: Store) -> None:
    """Clause 14."""
    order, other = await create_order(store), await create_order(store)
    link = await add_link(store, order, "token")
    no_such = [(other.id, link.id), (404, link.id), (order.id, 404), (order.id, 0), (order.id, 2**63 - 1)]
    for order_id, link_id in no_such:
        with pytest.raises(LinkNotFound) as missing:
            await store.revoke_link(order_id, link_id, NOW_MS)
        assert (missing.value.order_id, missing.value.link_id) == (order_id, str(link_id))
    assert await store.find_link(hash_of("token")) == link


async def test_a_missing_order_has_no_links(store: Store) -> None:
    """Clause 14."""
    for order_id in (0, -1, 404, 2**63 - 1):
        with pytest.raises(OrderNotFound):
            await store.create_link(order_id, hash_of("token"), "service:shop", NOW_MS)
        with pytest.raises(OrderNotFound):
            await store.links(order_id)
    assert await store.find_link(hash_of("token")) is None


async def test_a_duplicate_hash_is_refused(store: Store) -> None:
    """Clauses 2 and 14: other changes of the commit succeed."""
    order, other = await create_order(store), await create_order(store)
    link = await add_link(store, order, "token")
    async with asyncio.timeout(BOUND_S):
        answers = await asyncio.gather(
            add_link(store, other, "token"),
            store.apply([set_status(other, "preparing")], NOW_MS),
            return_exceptions=True,
        )
    assert isinstance(answers[0], StoreUnavailable)
    assert (await store.order(other.id)).status == "preparing"
    assert await store.find_link(hash_of("token")) == link
    assert await store.links(other.id) == []


async def test_links_change_no_order_and_announce_nothing(store: Store, listener: Listener) -> None:
    """Clauses 5 and 14."""
    order = await create_order(store)
    listener.calls.clear()
    link = await add_link(store, order, "token")
    await store.revoke_link(order.id, link.id, NOW_MS)
    assert listener.calls == []
    assert await store.order(order.id) == order


async def test_a_full_order_gets_no_link_until_a_revocation(store: Store) -> None:
    """Clause 15."""
    order, other = await create_order(store), await create_order(store)
    links = [await add_link(store, order, n) for n in range(MAX_LINKS)]
    with pytest.raises(TooManyLinks) as full:
        await add_link(store, order, "one more")
    assert (full.value.order, full.value.limit) == (order, 20)
    assert await store.find_link(hash_of("one more")) is None
    assert await add_link(store, other, "of another order")
    await store.revoke_link(order.id, links[3].id, NOW_MS)
    await add_link(store, order, "instead")
    with pytest.raises(TooManyLinks):
        await add_link(store, order, "one more")
    assert len(await store.links(order.id)) == MAX_LINKS + 1


async def test_concurrent_links_stop_at_the_limit(store: Store) -> None:
    """Clause 15."""
    order = await create_order(store)
    async with asyncio.timeout(BOUND_S):
        requests = (add_link(store, order, n) for n in range(MAX_LINKS + 5))
        answers = await asyncio.gather(*requests, return_exceptions=True)
    assert sum(isinstance(answer, TooManyLinks) for answer in answers) == 5
    assert sorted(link.id for link in await store.links(order.id)) == sorted(
        answer.id for answer in answers if isinstance(answer, Link)
    )
