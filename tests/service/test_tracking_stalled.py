"""Held polls while the store does not answer, or is slow: PROTOCOL.md 5.2."""

from __future__ import annotations

import asyncio

import pytest
from structlog.testing import capture_logs

from ordertrack.core.errors import InternalError, StoreUnavailable
from ordertrack.core.feed import FeedChanges, FeedKey, FeedKind, FeedState, order_feed
from ordertrack.core.order import Order
from ordertrack.core.poll import Reason
from ordertrack.ports.clock import Clock
from ordertrack.service.tracking.reads import MAX_QUEUED_READS
from ordertrack.service.tracking.tracking import CLOSE_LIMIT_S
from service.node import Node, bounded

pytestmark = pytest.mark.anyio

CUSTOMER = FeedKey(FeedKind.CUSTOMER, "c1")


async def test_a_read_without_end_delays_no_deadline(node: Node) -> None:
    """Without announced news a feed has nothing new; an order that is not cached is refused."""
    order_id = await node.place()
    polls = {feed: (await node.held(feed, timeout_s=10.0))[0] for feed in (CUSTOMER, order_feed(order_id))}
    due_at_s = node.clock.monotonic_s() + 10.0
    node.store.hold_reads()
    answer = await bounded(polls[CUSTOMER].told)
    assert (answer.reason, answer.state, answer.position) == (Reason.TIMEOUT, FeedState(CUSTOMER, FeedChanges(1)), 1)
    with pytest.raises(StoreUnavailable):
        await bounded(polls[order_feed(order_id)].told)
    assert all(client.told_at_s <= due_at_s + 1.0 for client in polls.values())
    node.assert_hub_is_empty()


async def test_an_order_at_hand_is_told_at_its_deadline_without_a_read(clock: Clock) -> None:
    """The poll goes on to a read that does not end, and then the order is at hand after all."""
    node = Node(clock, at_hand=False)
    await node.store.open(node.tracking.committed)
    order_id = await node.place()
    client, _ = await node.held(order_id, timeout_s=10.0)
    node.store.hold_reads()
    await bounded(node.store.reading.wait())
    node.store.peek = node.store.inner.peek  # type: ignore[method-assign]
    answer = await bounded(client.told)
    assert (answer.reason, answer.order.version) == (Reason.TIMEOUT, 1)


async def test_many_deadlines_share_one_stalled_store(clock: Clock) -> None:
    node = Node(clock, at_hand=False, max_polls_per_feed=10_000, max_polls=10_000)
    node.hub.caps = node.hub.caps._replace(per_client=10_000)
    await node.store.open(node.tracking.committed)
    await node.place()
    clients = [(await node.held(CUSTOMER, timeout_s=10.0))[0] for _ in range(2_000)]
    due_at_s = node.clock.monotonic_s() + 10.0
    node.store.hold_reads()
    reads = node.store.reads
    assert {(await bounded(client.told)).reason for client in clients} == {Reason.TIMEOUT}
    assert max(client.told_at_s for client in clients) <= due_at_s + 1.0
    assert node.store.reads - reads <= MAX_QUEUED_READS, "no more than these wait for a store that does not answer"


async def test_a_slow_store_is_asked_for_every_poll_in_its_turn(clock: Clock) -> None:
    """Slow is not stalled: as long as reads end in time, each poll is compared with the store."""
    node = Node(clock, at_hand=False, max_polls_per_feed=10_000, max_polls=10_000)
    await node.store.open(node.tracking.committed)
    await node.place()
    clients = [(await node.held(CUSTOMER, timeout_s=10.0))[0] for _ in range(5 * MAX_QUEUED_READS)]
    read = node.store.feed_version
    compared = 0

    async def read_slowly(feed: FeedKey) -> int:
        nonlocal compared
        await asyncio.sleep(0.5)
        compared += 1
        return await read(feed)

    node.store.feed_version = read_slowly  # type: ignore[method-assign]
    assert {(await bounded(client.told)).reason for client in clients} == {Reason.TIMEOUT}
    assert compared == len(clients)


async def test_a_drain_ends_though_no_read_does(node: Node) -> None:
    order_id = await node.place()
    held = {feed: (await node.held(feed, timeout_s=60.0))[0] for feed in (CUSTOMER, order_feed(order_id))}
    cold = node.begin(FeedKey(FeedKind.COURIER, "d1"), timeout_s=60.0) if not node.store.at_hand else None
    node.store.hold_reads()
    began_s = node.clock.monotonic_s()
    await node.tracking.drain(0.5)
    assert node.clock.monotonic_s() - began_s <= 0.5 + CLOSE_LIMIT_S
    assert (await bounded(held[CUSTOMER].told)).reason is Reason.DRAIN
    with pytest.raises(StoreUnavailable):
        await bounded(held[order_feed(order_id)].told)
    await node.tracking.close()
    if cold is not None:
        cold[1].cancel()


async def test_a_fault_answers_the_poll_it_meets(clock: Clock) -> None:
    """A client is told of a fault while its poll is settled, by the number that it has in the log."""
    node = Node(clock, at_hand=False)
    await node.store.open(node.tracking.committed)
    order_id = await node.place()
    client, _ = await node.held(order_id, timeout_s=10.0)

    async def broken(order_id: int) -> Order:
        raise RuntimeError("on purpose")

    node.store.order = broken  # type: ignore[method-assign]
    with capture_logs() as logs, pytest.raises(InternalError) as refused:
        await bounded(client.told)
    assert [entry.get("incident") for entry in logs] == [refused.value.incident]
    node.assert_hub_is_empty()
