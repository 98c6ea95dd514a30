"""Polls: join, then read, then park. PROTOCOL.md section 3, as the service keeps it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Collection, Sequence

import pytest

from ordertrack.core.deadlines import TICK_S
from ordertrack.core.errors import NodeFull, OrderNotFound, StoreUnavailable, TooManyPolls, Unauthenticated
from ordertrack.core.event import Status
from ordertrack.core.feed import FeedKey, order_feed
from ordertrack.core.order import Order
from ordertrack.core.order_rules import AssignCourier, ChangeStatus
from ordertrack.core.poll import NEWS, Answer, PollRequest, Reason
from ordertrack.core.principal import Principal, Role
from ordertrack.core.tracking_link import Link
from ordertrack.ports.clock import Clock
from ordertrack.ports.commits import Committed
from service.node import BOUND_S, Client, Node, at, bounded, finished

pytestmark = pytest.mark.anyio

UNAVAILABLE = StoreUnavailable(retry_after_s=5)


async def wait_until_settling(node: Node) -> None:
    """Until the read at the next deadline has begun."""
    node.store.hold_reads()
    await bounded(node.store.reading.wait())


# Answered at once


async def test_a_first_poll_gets_the_whole_order(node: Node) -> None:
    order_id = await node.place()
    answer = await node.poll(order_id)
    assert (answer.reason, answer.order.version, len(answer.events)) == ("snapshot", 1, 1)
    node.assert_hub_is_empty()


async def test_a_poll_that_is_behind_is_answered_at_once(node: Node) -> None:
    order_id = await node.place()
    await node.become(order_id, "preparing")
    await node.become(order_id, "ready")
    answer = await node.poll(order_id, cursor=at(1), timeout_s=30.0)
    assert (answer.reason, [event.version for event in answer.events]) == ("changed", [2, 3])
    node.assert_hub_is_empty()


@pytest.mark.parametrize("end", ["delivered", "cancelled"])
async def test_an_ended_order_is_answered_at_once(node: Node, end: str) -> None:
    order_id = await node.place()
    await node.become(order_id, end)
    assert (await node.poll(order_id, cursor=at(2), timeout_s=30.0)).reason == "terminal"
    assert (await node.poll(order_id, timeout_s=30.0)).reason == "terminal"
    assert (await node.poll(order_id, cursor=at(3), timeout_s=30.0)).reason == "reset"
    node.assert_hub_is_empty()


async def test_a_poll_for_a_missing_order_is_refused_and_leaves(node: Node) -> None:
    with pytest.raises(OrderNotFound):
        await node.poll(404, timeout_s=30.0)
    node.assert_hub_is_empty()


async def test_a_failing_store_refuses_the_poll_which_leaves(node: Node) -> None:
    order_id = await node.place()
    node.store.failure = UNAVAILABLE
    with pytest.raises(StoreUnavailable):
        await node.poll(order_id, timeout_s=30.0)
    node.assert_hub_is_empty()


# Held for news


async def test_a_held_poll_is_answered_by_a_change_with_what_is_new(node: Node, clock: Clock) -> None:
    order_id = await node.place()
    client, poll = await node.held(order_id, cursor=at(1))
    order = await node.become(order_id, "preparing")
    answer = await bounded(client.told)
    assert (answer.reason, answer.order, answer.position) == ("changed", order, 1)
    assert [event.version for event in answer.events] == [2]
    assert client.requested_at_s == clock.monotonic_s()
    assert not poll.parked
    node.assert_hub_is_empty()


async def test_a_change_answers_the_polls_of_its_order_only(node: Node) -> None:
    order_id, other_id = await node.place(), await node.place()
    clients = [(await node.held(order_id, timeout_s=30.0))[0] for _ in range(10)]
    bystander, _ = await node.held(other_id, timeout_s=30.0)
    await node.become(order_id, "ready")
    assert [(await bounded(client.told)).reason for client in clients] == ["changed"] * 10
    assert not bystander.told.done()
    assert node.hub.held == 1


async def test_several_changes_in_one_commit_come_in_one_answer(node: Node) -> None:
    order_id = await node.place()
    client, _ = await node.held(order_id, cursor=at(1))
    await node.store.apply(
        [
            ChangeStatus(order_id, Status.PREPARING, "cook"),
            AssignCourier(order_id, "d1", "shop"),
            ChangeStatus(order_id, Status.READY, "cook"),
        ],
        node.clock.now_ms(),
    )
    assert [event.version for event in (await bounded(client.told)).events] == [2, 3, 4]
    assert node.statistics.updates == 4


async def test_a_repeated_change_wakes_no_poll(node: Node) -> None:
    order_id = await node.place()
    client, _ = await node.held(order_id, cursor=at(1))
    await node.store.apply([ChangeStatus(order_id, Status.CONFIRMED, "cook")], node.clock.now_ms())
    assert not client.told.done()
    assert node.hub.held == 1


async def test_news_while_the_store_is_read_is_not_slept_over(node: Node) -> None:
    """The product: join, then read, then park."""
    order_id = await node.place()
    node.store.hold_reads()
    client, polling = node.begin(order_id, cursor=at(1), timeout_s=30.0)
    await bounded(node.store.reading.wait())
    await node.become(order_id, "preparing")
    node.store.gate.set()
    answer = await bounded(polling)
    assert isinstance(answer, Answer)
    assert (answer.reason, answer.order.version) == ("changed", 2)
    assert not client.told.done()
    node.assert_hub_is_empty()


async def test_news_while_a_new_poll_reads_is_read_again(node: Node) -> None:
    order_id = await node.place()
    node.store.hold_reads()
    _, polling = node.begin(order_id)
    await bounded(node.store.reading.wait())
    await node.become(order_id, "preparing")
    node.store.gate.set()
    answer = await bounded(polling)
    assert isinstance(answer, Answer)
    assert (answer.reason, answer.order.version) == ("snapshot", 2)


async def test_a_poll_is_not_held_when_its_order_ends_meanwhile(node: Node) -> None:
    order_id = await node.place()
    node.store.hold_reads()
    _, polling = node.begin(order_id, timeout_s=30.0)
    await bounded(node.store.reading.wait())
    await node.become(order_id, "delivered")
    node.store.gate.set()
    answer = await bounded(polling)
    assert isinstance(answer, Answer)
    assert answer.order.status == "delivered"
    node.assert_hub_is_empty()


# Deadlines


@pytest.mark.parametrize("timeout_s", [0.05, 1.0, 29.97, 30.0, 120.0])
async def test_a_deadline_answers_with_the_current_order_within_a_tick(node: Node, timeout_s: float) -> None:
    order_id = await node.place()
    started_s = node.clock.monotonic_s()
    client, _ = await node.held(order_id, cursor=at(1), timeout_s=timeout_s)
    answer = await bounded(client.told)
    assert (answer.reason, answer.order.version, answer.not_modified) == ("timeout", 1, False)
    assert (answer.reason in NEWS, answer.events, client.requested_at_s) == (False, (), None)
    assert timeout_s - 1e-6 <= client.told_at_s - started_s <= timeout_s + TICK_S + 1e-6
    node.assert_hub_is_empty()


@pytest.mark.parametrize(("timeout_s", "ends_after_s"), [(9.9, 9.9), (10.0, 9.5), (120.0, 114.0)])
async def test_a_long_hold_may_end_up_to_a_tenth_earlier(node: Node, timeout_s: float, ends_after_s: float) -> None:
    order_id = await node.place()
    node.drawn, started_s = 0.5, node.clock.monotonic_s()
    client, _ = await node.held(order_id, cursor=at(1), timeout_s=timeout_s)
    assert (await bounded(client.told)).reason == "timeout"
    assert ends_after_s - 1e-6 <= client.told_at_s - started_s <= ends_after_s + TICK_S + 1e-6


async def test_a_timeout_above_the_maximum_is_clamped(node: Node) -> None:
    order_id = await node.place()
    started_s = node.clock.monotonic_s()
    client, _ = await node.held(order_id, cursor=at(1), timeout_s=999.0)
    assert (await bounded(client.told)).reason == "timeout"
    assert client.told_at_s - started_s <= 120.0 + TICK_S + 1e-6


async def test_a_timeout_of_zero_is_answered_at_once(node: Node) -> None:
    order_id = await node.place()
    assert (await node.poll(order_id, cursor=at(1), timeout_s=0.0)).reason == "timeout"
    node.assert_hub_is_empty()


async def test_a_conditional_poll_may_get_not_modified(node: Node) -> None:
    order_id = await node.place()
    client, _ = await node.held(order_id, etag=at(1), timeout_s=1.0)
    assert (await bounded(client.told)).not_modified is True


async def test_each_poll_has_its_own_deadline(node: Node) -> None:
    order_id = await node.place()
    timeouts_s = [30.0, 5.0, 60.0, 5.02, 0.3, 17.0]
    clients = [(await node.held(order_id, timeout_s=timeout_s))[0] for timeout_s in timeouts_s]
    started_s = node.clock.monotonic_s()
    for client, timeout_s in zip(clients, timeouts_s, strict=True):
        assert (await bounded(client.told)).reason == "timeout"
        assert timeout_s - 1e-6 <= client.told_at_s - started_s <= timeout_s + TICK_S + 1e-6
    node.assert_hub_is_empty()


async def test_a_change_after_some_deadlines_still_wakes_the_others(node: Node) -> None:
    order_id = await node.place()
    short, _ = await node.held(order_id, timeout_s=1.0)
    long, _ = await node.held(order_id, timeout_s=60.0)
    assert (await bounded(short.told)).reason == "timeout"
    await node.become(order_id, "preparing")
    assert (await bounded(long.told)).reason == "changed"


@pytest.mark.parametrize("afresh", [False, True])
async def test_news_during_the_deadline_read_is_not_lost(node: Node, afresh: bool) -> None:
    order_id = await node.place()
    client, _ = await node.held(order_id, cursor=at(1), timeout_s=1.0)
    node.store.reads_afresh = afresh
    await wait_until_settling(node)
    await node.become(order_id, "preparing")
    node.store.gate.set()
    answer = await bounded(client.told)
    assert (answer.reason, answer.order.version) == ("changed", 2)
    assert node.statistics.lost_wakeups == 0
    node.assert_hub_is_empty()


async def test_a_store_failure_at_a_deadline_refuses_one_poll_only(node: Node) -> None:
    order_id, other_id = await node.place(), await node.place()
    client, _ = await node.held(order_id, timeout_s=1.0)
    other, _ = await node.held(other_id, timeout_s=2.0)
    node.store.failure = UNAVAILABLE
    with pytest.raises(StoreUnavailable):
        await bounded(client.told)
    node.store.failure = None
    assert (await bounded(other.told)).reason == "timeout"
    node.assert_hub_is_empty()


# A lost wake-up


async def test_a_hidden_commit_is_found_at_the_deadline_and_counted(node: Node) -> None:
    order_id = await node.place()
    clients = [(await node.held(order_id, cursor=at(1), timeout_s=1.0))[0] for _ in range(3)]
    node.store.hides_commits = True
    await node.become(order_id, "preparing")
    for client in clients:
        answer = await bounded(client.told)
        assert (answer.reason, [event.version for event in answer.events]) == ("changed", [2])
    assert node.statistics.lost_wakeups == 3


async def test_in_a_cluster_polls_are_confirmed_at_their_deadline(node: Node) -> None:
    confirmed: list[Collection[FeedKey]] = []

    async def confirm(feeds: Collection[FeedKey]) -> None:
        confirmed.append(feeds)

    node.tracking.confirm = confirm
    order_id = await node.place()
    client, _ = await node.held(order_id, timeout_s=5.0)
    assert (await bounded(client.told)).reason is Reason.TIMEOUT
    assert confirmed == [{order_feed(order_id)}]


async def test_leaving_during_the_deadline_read_is_no_lost_wake_up(node: Node) -> None:
    order_id = await node.place()
    client, poll = await node.held(order_id, cursor=at(1), timeout_s=1.0)
    node.store.reads_afresh = True
    await wait_until_settling(node)
    node.tracking.leave(poll)
    await node.become(order_id, "preparing")  # no poll waits for it
    node.store.gate.set()
    await node.tracking.close()
    assert node.statistics.lost_wakeups == 0
    assert not client.told.done()
    node.assert_hub_is_empty()


# The client goes


async def test_a_client_that_goes_leaves_nothing_behind(node: Node) -> None:
    order_id = await node.place()
    client, poll = await node.held(order_id, timeout_s=30.0, client_id="me")
    node.tracking.leave(poll)
    node.assert_hub_is_empty()
    await node.become(order_id, "preparing")
    assert not client.told.done()
    node.tracking.leave(poll)


async def test_a_client_that_goes_during_the_read_leaves_the_hub(node: Node) -> None:
    order_id = await node.place()
    node.store.hold_reads()
    _, polling = node.begin(order_id, timeout_s=30.0)
    await bounded(node.store.reading.wait())
    polling.cancel()
    await asyncio.gather(polling, return_exceptions=True)
    assert polling.cancelled()
    node.assert_hub_is_empty()


async def test_leaving_after_the_answer_is_harmless(node: Node) -> None:
    order_id = await node.place()
    client, poll = await node.held(order_id, timeout_s=30.0)
    stays, _ = await node.held(order_id, cursor=at(2), timeout_s=30.0)
    await node.become(order_id, "preparing")
    await bounded(client.told)
    node.tracking.leave(poll)
    assert node.hub.held == 1
    await node.become(order_id, "ready")
    assert (await bounded(stays.told)).reason == "changed"


# Draining


async def test_a_drain_answers_all_polls_and_holds_none_after_it(node: Node) -> None:
    order_id, other_id = await node.place(), await node.place()
    clients = [(await node.held(id_, timeout_s=30.0))[0] for id_ in (order_id, order_id, other_id)]
    await bounded(node.tracking.drain())
    for client in clients:
        answer = await bounded(client.told)
        assert (answer.reason, answer.reason in NEWS, answer.order.version) == ("drain", False, 1)
    node.assert_hub_is_empty()
    assert (await node.poll(order_id, timeout_s=30.0)).reason == "drain"
    assert (await node.poll(order_id, cursor=at(0), timeout_s=30.0)).reason == "changed"
    node.assert_hub_is_empty()


async def test_a_drain_that_meets_a_poll_while_it_reads_answers_it_too(node: Node) -> None:
    order_id = await node.place()
    node.store.hold_reads()
    _, polling = node.begin(order_id, timeout_s=30.0)
    await bounded(node.store.reading.wait())
    await bounded(node.tracking.drain())
    node.store.gate.set()
    answer = await bounded(polling)
    assert isinstance(answer, Answer)
    assert answer.reason == "drain"
    node.assert_hub_is_empty()


async def test_a_drain_answers_a_poll_at_its_deadline_too(node: Node) -> None:
    order_id = await node.place()
    client, _ = await node.held(order_id, cursor=at(2), timeout_s=30.0)  # ahead: it would go on being held
    await wait_until_settling(node)
    draining = asyncio.create_task(node.tracking.drain())
    await asyncio.sleep(0)  # it has begun
    await node.become(order_id, "preparing")
    assert not draining.done()
    node.store.gate.set()
    await bounded(draining)
    assert client.told.result().reason == "drain"
    node.assert_hub_is_empty()


async def test_a_change_during_a_drain_is_answered_as_news(node: Node) -> None:
    """Or the client would take the cursor of a version whose events it never saw."""
    order_id = await node.place()
    client, _ = await node.held(order_id, cursor=at(1), timeout_s=30.0)
    node.store.reads_afresh = True
    node.store.hold_reads()
    draining = asyncio.create_task(node.tracking.drain())
    await bounded(node.store.reading.wait())
    await node.become(order_id, "preparing")
    node.store.gate.set()
    await bounded(draining)
    answer = await bounded(client.told)
    assert (answer.reason, [event.version for event in answer.events]) == ("changed", [2])


async def test_a_hidden_change_found_by_a_drain_is_told_as_news(node: Node) -> None:
    order_id = await node.place()
    client, _ = await node.held(order_id, cursor=at(1), timeout_s=30.0)
    node.store.hides_commits = True
    await node.become(order_id, "preparing")
    await bounded(node.tracking.drain())
    answer = await bounded(client.told)
    assert (answer.reason, [event.version for event in answer.events]) == ("changed", [2])


async def test_a_store_failure_during_a_drain_refuses_all_polls(node: Node) -> None:
    order_id = await node.place()
    clients = [(await node.held(order_id, timeout_s=30.0))[0] for _ in range(3)]
    node.store.failure = UNAVAILABLE
    await bounded(node.tracking.drain())
    for client in clients:
        with pytest.raises(StoreUnavailable):
            await bounded(client.told)
    node.assert_hub_is_empty()


# The same client again


async def test_the_newest_poll_of_a_client_ends_its_older_one(node: Node) -> None:
    order_id = await node.place()
    older, _ = await node.held(order_id, timeout_s=30.0, client_id="me")
    other, _ = await node.held(order_id, timeout_s=30.0, client_id="you")
    newer, _ = await node.held(order_id, timeout_s=30.0, client_id="me")
    answer = await bounded(older.told)
    assert (answer.reason, answer.reason in NEWS, answer.order.version) == ("superseded", False, 1)
    assert (node.hub.held, other.told.done(), newer.told.done()) == (2, False, False)
    await node.become(order_id, "preparing")
    assert (await bounded(newer.told)).reason == "changed"


async def test_a_client_may_come_again_and_again_within_its_caps(node: Node) -> None:
    order_id = await node.place()
    for _ in range(25):
        await node.held(order_id, timeout_s=30.0, client_id="me")
    assert node.hub.held == 1
    assert node.statistics.polls[Reason.SUPERSEDED] == 24


async def test_an_older_poll_with_a_slow_read_keeps_the_newer_one(node: Node) -> None:
    order_id = await node.place()
    node.store.hold_reads()
    _, older = node.begin(order_id, timeout_s=30.0, client_id="me")
    await bounded(node.store.reading.wait())
    slow_gate, node.store.gate = node.store.gate, asyncio.Event()
    node.store.gate.set()
    newer, _ = await node.held(order_id, timeout_s=30.0, client_id="me")
    slow_gate.set()
    answer = await bounded(older)
    assert isinstance(answer, Answer)
    assert answer.reason == "superseded"
    assert (node.hub.held, newer.told.done()) == (1, False)


async def test_a_poll_that_is_answered_at_once_ends_no_other(node: Node) -> None:
    order_id = await node.place()
    held, _ = await node.held(order_id, timeout_s=30.0, client_id="me")
    assert (await node.poll(order_id, cursor=at(0), client_id="me")).reason == "changed"
    assert not held.told.done()


# Ahead of the store: row 7


async def test_a_poll_ahead_of_the_store_is_reset_after_two_seconds(node: Node) -> None:
    order_id = await node.place()
    started_s = node.clock.monotonic_s()
    client, _ = await node.held(order_id, cursor=at(5), timeout_s=30.0)
    answer = await bounded(client.told)
    assert (answer.reason, answer.reason in NEWS, answer.position) == ("reset", True, None)
    assert len(answer.events) == 1
    assert 2.0 - 1e-6 <= client.told_at_s - started_s <= 2.0 + TICK_S + 1e-6
    assert node.statistics.lost_wakeups == 0
    node.assert_hub_is_empty()


async def test_a_poll_ahead_of_the_store_keeps_its_timeout(node: Node) -> None:
    order_id = await node.place()
    started_s = node.clock.monotonic_s()
    client, _ = await node.held(order_id, cursor=at(5), timeout_s=0.5)
    assert (await bounded(client.told)).reason == "reset"
    assert client.told_at_s - started_s <= 0.5 + TICK_S + 1e-6


async def test_a_poll_that_was_ahead_is_held_until_its_deadline(node: Node) -> None:
    order_id = await node.place()
    started_s = node.clock.monotonic_s()
    client, _ = await node.held(order_id, cursor=at(2), timeout_s=30.0)
    await node.become(order_id, "preparing")
    answer = await bounded(client.told)
    assert (answer.reason, answer.order.version) == ("timeout", 2)
    assert 30.0 - 1e-6 <= client.told_at_s - started_s <= 30.0 + TICK_S + 1e-6
    assert node.statistics.lost_wakeups == 0
    node.assert_hub_is_empty()


@pytest.mark.parametrize("after_s", [0.0, 10.0])
async def test_a_poll_that_was_ahead_is_woken_by_the_next_change(node: Node, after_s: float) -> None:
    order_id, clock_id = await node.place(), await node.place()
    client, _ = await node.held(order_id, cursor=at(2), timeout_s=30.0)
    await node.become(order_id, "preparing")
    assert not client.told.done()
    if after_s:  # let another poll's deadline be the clock
        timer, _ = await node.held(clock_id, timeout_s=after_s)
        await bounded(timer.told)
        assert node.hub.held == 1
    await node.become(order_id, "ready")
    answer = await bounded(client.told)
    assert (answer.reason, [event.version for event in answer.events]) == ("changed", [3])
    node.assert_hub_is_empty()


@pytest.mark.parametrize(("version", "reason"), [(2, "terminal"), (3, "reset")])
async def test_a_poll_that_is_ahead_hears_of_the_end_at_once(node: Node, version: int, reason: str) -> None:
    order_id = await node.place()
    client, _ = await node.held(order_id, cursor=at(version), timeout_s=30.0)
    await node.become(order_id, "delivered")
    assert client.told.result().reason == reason
    node.assert_hub_is_empty()


async def test_a_poll_that_is_ahead_reads_again_what_ended_meanwhile(node: Node) -> None:
    order_id = await node.place()
    node.store.hold_reads()
    _, polling = node.begin(order_id, cursor=at(2), timeout_s=30.0)
    await bounded(node.store.reading.wait())
    await node.become(order_id, "delivered")
    node.store.gate.set()
    answer = await bounded(polling)
    assert isinstance(answer, Answer)
    assert answer.reason == "terminal"
    node.assert_hub_is_empty()


# Caps


async def test_the_eleventh_held_poll_of_an_order_is_refused(node: Node) -> None:
    order_id = await node.place()
    polls = [(await node.held(order_id, timeout_s=30.0))[1] for _ in range(10)]
    with pytest.raises(TooManyPolls) as refused:
        await node.poll(order_id, timeout_s=30.0)
    assert refused.value.limit == 10
    assert (node.hub.held, node.hub.joined) == (10, 10)
    assert (await node.poll(order_id)).reason == "snapshot"
    assert (await node.poll(order_id, cursor=at(0), timeout_s=30.0)).reason == "changed"
    assert (await node.poll(order_id, cursor=at(1), timeout_s=0.0)).reason == "timeout"
    node.tracking.leave(polls[0])
    await node.held(order_id, timeout_s=30.0)


async def test_a_returning_client_keeps_its_place_of_a_full_order(node: Node) -> None:
    order_id = await node.place()
    mine, _ = await node.held(order_id, timeout_s=30.0, client_id="me")
    for _ in range(9):
        await node.held(order_id, timeout_s=30.0)
    await node.held(order_id, timeout_s=30.0, client_id="me")
    assert (await bounded(mine.told)).reason == "superseded"


async def test_the_oldest_poll_of_a_principal_gives_way(node: Node) -> None:
    order_id = await node.place()
    customer = Principal(Role.CUSTOMER, "c1", customer_id="c1")
    held = [await node.held(order_id, customer, timeout_s=30.0) for _ in range(7)]
    other, _ = await node.held(order_id, timeout_s=30.0)
    newest, _ = await node.held(order_id, customer, timeout_s=30.0)
    answer = held[0][0].told.result()
    assert (answer.reason, answer.reason in NEWS, answer.order.version) == ("superseded", False, 1)
    assert [client.told.done() for client, _ in held[1:]] == [False] * 6
    await node.become(order_id, "preparing")
    assert (newest.told.result().reason, other.told.result().reason) == ("changed", "changed")
    node.assert_hub_is_empty()


async def test_a_full_node_refuses_to_hold_and_still_answers(clock: Clock) -> None:
    node = Node(clock, max_polls=2)
    await node.store.open(node.tracking.committed)
    ids = [await node.place() for _ in range(3)]
    for order_id in ids[:2]:
        await node.held(order_id, timeout_s=30.0)
    with pytest.raises(NodeFull) as refused:
        await node.poll(ids[2], timeout_s=30.0)
    assert (refused.value.limit, refused.value.retry_after_s) == (2, 7)
    assert (await node.poll(ids[2])).reason == "snapshot"
    await node.tracking.close()


# Figures


async def test_every_answer_is_counted_once_by_its_reason(node: Node) -> None:
    order_id = await node.place()
    await node.poll(order_id)
    client, _ = await node.held(order_id, timeout_s=30.0)
    await node.become(order_id, "preparing")
    await bounded(client.told)
    client, _ = await node.held(order_id, timeout_s=1.0)
    await bounded(client.told)
    await node.held(order_id, timeout_s=30.0)
    await node.tracking.drain()
    await node.become(order_id, "delivered")
    await node.poll(order_id, timeout_s=30.0)
    counted = {reason.value: n for reason, n in node.statistics.polls.items() if n}
    assert counted == {"snapshot": 1, "changed": 1, "timeout": 1, "drain": 1, "terminal": 1}
    assert node.statistics.updates == 3


# Everything at once


class Storm:
    """Live clients poll on and on while orders change, reads are slow, and clients come and go."""

    SLOWEST_READ_S = 0.2
    CHANGES = 25

    def __init__(self, node: Node, dice: random.Random) -> None:
        self.node = node
        self.dice = dice
        self.changed_at_s: dict[tuple[int, int], float] = {}
        self._read_at_once: Callable[[int], Awaitable[Order]] = node.store.order
        node.store.order = self.read_slowly  # type: ignore[method-assign]
        node.store.peek = self.peek_at_times  # type: ignore[method-assign]

    def listen(self, commits: Sequence[Committed]) -> None:
        for order, _, previous_version, requested_at_s in commits:
            for version in range(previous_version + 1, order.version + 1):
                self.changed_at_s[order.id, version] = requested_at_s
        self.node.tracking.committed(commits)

    def peek_at_times(self, order_id: int) -> Order | None:
        return self.node.store.inner.peek(order_id) if self.dice.random() < 0.5 else None

    async def read_slowly(self, order_id: int) -> Order:
        order = await self._read_at_once(order_id)
        await asyncio.sleep(self.dice.choice([0.0, 0.0, self.dice.uniform(0, self.SLOWEST_READ_S)]))
        return order

    async def change(self, order_id: int) -> None:
        for n in range(self.CHANGES):
            await asyncio.sleep(self.dice.choice([0.0, 0.01, self.dice.expovariate(1.0)]))
            await self.node.change(AssignCourier(order_id, f"d{n}", "shop"))
        await asyncio.sleep(3)
        await self.node.become(order_id, "delivered")

    async def follow(self, order_id: int) -> None:
        version = 0
        ended = False
        while not ended:
            asked_at_s = self.node.clock.monotonic_s()
            answer = await self.ask(order_id, version)
            if answer is None or answer.reason not in NEWS:
                continue
            seen = [event.version for event in answer.events]
            assert seen == list(range(version + 1, answer.order.version + 1)), "a hole"
            late_s = self.node.clock.monotonic_s() - max(asked_at_s, self.changed_at_s[order_id, seen[0]])
            assert late_s <= 4 * self.SLOWEST_READ_S, "an update did not answer it"
            version, ended = answer.order.version, answer.order.status.ended
        assert version == self.CHANGES + 2

    async def ask(self, order_id: int, version: int) -> Answer | None:
        """One poll, which may be given up at any time."""
        client = Client()
        request = PollRequest(cursor=at(version), timeout_s=self.dice.uniform(0.2, 4.0))
        outcome = await finished(self.node.tracking.poll(order_feed(order_id), request, client))
        if isinstance(outcome, Answer):
            return outcome
        if self.dice.random() < 0.15:
            await asyncio.wait([client.told], timeout=self.dice.uniform(0, 1.0))
            self.node.tracking.leave(outcome)
            if not client.told.done():
                return None
        return await client.told


@pytest.mark.parametrize("seed", range(8))
async def test_random_commits_reach_every_poll_in_order(clock: Clock, seed: int) -> None:
    node = Node(clock)
    storm = Storm(node, random.Random(seed))
    await node.store.open(storm.listen)
    ids = [await node.place() for _ in range(4)]
    async with asyncio.timeout(BOUND_S), asyncio.TaskGroup() as tasks:
        for order_id in ids:
            tasks.create_task(storm.change(order_id))
            for _ in range(5):
                tasks.create_task(storm.follow(order_id))
    await node.tracking.close()
    node.assert_hub_is_empty()
    assert node.statistics.lost_wakeups == 0
    assert node.statistics.polls[Reason.CHANGED] > 100


# Who may see what


async def test_a_poll_that_reads_while_its_link_is_revoked_is_refused(node: Node) -> None:
    order_id = await node.place()
    guest = Principal(Role.LINK, "7", order_id=order_id)
    node.store.hold_reads()
    _, polling = node.begin(order_id, guest, timeout_s=30.0)
    await bounded(node.store.reading.wait())
    node.tracking.revoked(Link(7, order_id, 0, "service:shop"))
    node.store.gate.set()
    with pytest.raises(Unauthenticated):
        await bounded(polling)
    node.assert_hub_is_empty()


async def test_held_polls_of_a_revoked_link_leave_nothing(node: Node) -> None:
    order_id = await node.place()
    guest = Principal(Role.LINK, "7", order_id=order_id)
    client, _ = await node.held(order_id, guest, timeout_s=30.0, client_id="me")
    node.tracking.revoked(Link(7, order_id, 0, "service:shop"))
    assert isinstance(client.told.exception(), Unauthenticated)
    node.assert_hub_is_empty()
