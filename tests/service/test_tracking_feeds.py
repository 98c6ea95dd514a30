"""Polls of customers, restaurants and couriers: the same path as that of an order, and what is told on it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from typing import Any

import pytest

from ordertrack.core.cursor import Cursor
from ordertrack.core.errors import InvalidInput, StoreUnavailable, TooManyPolls
from ordertrack.core.event import Status
from ordertrack.core.feed import PAGE_ENTRIES, FeedChanges, FeedKey, FeedKind, FeedState, order_feed
from ordertrack.core.hub import Poll
from ordertrack.core.order import Order
from ordertrack.core.order_rules import AssignCourier, Change, ChangeStatus
from ordertrack.core.poll import NEWS, Answer, PollRequest, Reason
from ordertrack.ports.clock import Clock
from ordertrack.ports.commits import Committed
from ordertrack.service.pending import Pending
from ordertrack.service.tracking import tracking
from service.node import BOUND_S, Client, Node, at, bounded, finished, is_further

pytestmark = pytest.mark.anyio

CUSTOMER, BOARD = FeedKey(FeedKind.CUSTOMER, "c1"), FeedKey(FeedKind.RESTAURANT, "r1")
UNAVAILABLE = StoreUnavailable(retry_after_s=5)


def courier(courier_id: str) -> FeedKey:
    return FeedKey(FeedKind.COURIER, courier_id)


def changes(answer: Answer) -> FeedChanges:
    assert isinstance(answer.state, FeedState)
    return answer.state.changes


async def apply(node: Node, *batch: Change) -> None:
    await node.store.apply(batch, node.clock.now_ms())


# Answered at once


async def test_a_first_poll_gets_the_orders_that_have_not_ended(node: Node) -> None:
    ended_id, active_id = await node.place(), await node.place()
    await node.become(ended_id, "delivered")
    for feed in (CUSTOMER, BOARD):
        answer = await node.poll(feed)
        assert (answer.reason, changes(answer)) == ("snapshot", FeedChanges(3, (await node.store.order(active_id),)))
    node.assert_hub_is_empty()


async def test_a_poll_that_is_behind_gets_what_changed_and_what_ended(node: Node) -> None:
    one_id, two_id = await node.place(), await node.place()
    two, one = await node.become(two_id, "preparing"), await node.become(one_id, "cancelled")
    for position, expected in ((1, (two, one)), (2, (two, one)), (3, (one,))):
        answer = await node.poll(BOARD, cursor=at(position), timeout_s=30.0)
        assert (answer.reason, answer.position, changes(answer)) == ("changed", position, FeedChanges(4, expected))
    node.assert_hub_is_empty()


async def test_an_unknown_party_has_an_empty_feed_to_poll(node: Node) -> None:
    unknown = courier("d9")
    assert changes(await node.poll(unknown)) == FeedChanges(0)
    client, _ = await node.held(unknown, cursor=at(0), timeout_s=30.0)
    order_id = await node.place("d9")
    answer = await bounded(client.told)
    assert changes(answer) == FeedChanges(1, (await node.store.order(order_id),))


async def test_a_cursor_of_another_epoch_resets_with_active_orders(node: Node) -> None:
    await node.become(await node.place(), "delivered")
    order = await node.store.order(await node.place())
    answer = await node.poll(BOARD, cursor=Cursor("ffff", 3), timeout_s=30.0)
    assert (answer.reason, changes(answer)) == ("reset", FeedChanges(3, (order,)))


async def test_last_update_is_refused_before_anything_is_read(node: Node) -> None:
    with pytest.raises(InvalidInput):
        await node.poll(BOARD, last_update_ms=5)
    assert node.store.reads == 0
    node.assert_hub_is_empty()


async def test_a_long_snapshot_comes_in_pages_and_then_is_waited_on(node: Node) -> None:
    ids = [await node.place() for _ in range(PAGE_ENTRIES + 30)]
    first = await node.poll(BOARD)
    assert [order.id for order in changes(first).orders] == ids[:PAGE_ENTRIES]
    assert (changes(first).version, changes(first).after_id) == (len(ids), ids[PAGE_ENTRIES - 1])
    await node.become(ids[-1], "delivered")
    await node.become(ids[0], "preparing")
    cursor = Cursor("a1b2", first.state.version, changes(first).after_id)
    second = await node.poll(BOARD, cursor=cursor, timeout_s=30.0)
    assert [order.id for order in changes(second).orders] == [*ids[PAGE_ENTRIES:-1], ids[-1], ids[0]]
    assert (changes(second).more, second.reason) == (False, "changed")
    await node.held(BOARD, cursor=at(second.state.version), timeout_s=30.0)


async def test_a_snapshot_has_no_orders_that_ended_before_it(node: Node) -> None:
    ids = [await node.place() for _ in range(PAGE_ENTRIES + 30)]
    await apply(node, *(ChangeStatus(id_, Status.CANCELLED, "shop") for id_ in ids[-20:]))
    first = changes(await node.poll(BOARD))
    second = await node.poll(BOARD, cursor=Cursor("a1b2", first.version, first.after_id))
    assert [order.id for order in changes(second).orders] == ids[PAGE_ENTRIES:-20]


# Held for news


@pytest.mark.parametrize("feed", [CUSTOMER, BOARD, courier("d1")])
async def test_a_held_poll_is_told_of_a_new_order_and_of_a_change(node: Node, feed: FeedKey) -> None:
    order_id = await node.place("d1")
    client, _ = await node.held(feed, cursor=at(1), timeout_s=30.0)
    order = await node.become(order_id, "preparing")
    answer = await bounded(client.told)
    assert (answer.reason, answer.position, changes(answer)) == ("changed", 1, FeedChanges(2, (order,)))
    assert client.requested_at_s == node.clock.monotonic_s()
    client, _ = await node.held(feed, cursor=at(2), timeout_s=30.0)
    new_id = await node.place("d1")
    assert changes(await bounded(client.told)) == FeedChanges(3, (await node.store.order(new_id),))
    node.assert_hub_is_empty()


async def test_polls_of_one_feed_share_an_answer_without_a_read(node: Node) -> None:
    order_id = await node.place()
    clients = [(await node.held(BOARD, timeout_s=30.0))[0] for _ in range(10)]
    other, _ = await node.held(FeedKey(FeedKind.RESTAURANT, "r2"), timeout_s=30.0)
    reads = node.store.reads
    await node.become(order_id, "preparing")
    states = [(await bounded(client.told)).state for client in clients]
    assert all(state is states[0] for state in states)
    assert node.store.reads == reads
    assert not other.told.done()


async def test_many_orders_of_one_commit_come_in_one_answer(node: Node) -> None:
    ids = [await node.place() for _ in range(5)]
    client, _ = await node.held(BOARD, cursor=at(5), timeout_s=30.0)
    await apply(node, *(ChangeStatus(id_, Status.PREPARING, "cook") for id_ in reversed(ids)))
    answer = await bounded(client.told)
    assert [order.id for order in changes(answer).orders] == ids[::-1]
    assert changes(answer).version == 10


async def test_two_changes_of_an_order_in_a_commit_come_as_one(node: Node) -> None:
    """The feed's versions then have a hole, and whether something else fell into it only the store can say."""
    one_id, two_id = await node.place(), await node.place()
    clients = [(await node.held(BOARD, cursor=at(2), timeout_s=30.0))[0] for _ in range(3)]
    await apply(
        node,
        ChangeStatus(one_id, Status.PREPARING, "cook"),
        ChangeStatus(two_id, Status.PREPARING, "cook"),
        ChangeStatus(one_id, Status.READY, "cook"),
    )
    one, two = await node.store.inner.order(one_id), await node.store.inner.order(two_id)
    for client in clients:
        answer = await bounded(client.told)
        assert (answer.reason, changes(answer)) == ("changed", FeedChanges(5, (two, one)))
        assert client.requested_at_s is not None
    await node.tracking.close()
    node.assert_hub_is_empty()
    assert node.statistics.lost_wakeups == 0


async def test_a_commit_of_more_than_a_page_comes_in_pages(node: Node) -> None:
    client, _ = await node.held(BOARD, cursor=at(0), timeout_s=30.0)
    ids = [(await node.place()) for _ in range(PAGE_ENTRIES + 20)]
    await bounded(client.told)
    client, _ = await node.held(BOARD, cursor=at(len(ids)), timeout_s=30.0)
    await apply(node, *(ChangeStatus(id_, Status.PREPARING, "cook") for id_ in ids))
    first = changes(await bounded(client.told))
    assert ([order.id for order in first.orders], first.more) == (ids[:PAGE_ENTRIES], True)
    rest = changes(await node.poll(BOARD, cursor=at(first.version), timeout_s=30.0))
    assert ([order.id for order in rest.orders], rest.more) == (ids[PAGE_ENTRIES:], False)


async def test_a_courier_is_told_which_order_has_left(node: Node) -> None:
    order_id = await node.place("d1")
    gives, _ = await node.held(courier("d1"), cursor=at(1), timeout_s=30.0)
    takes, _ = await node.held(courier("d2"), cursor=at(0), timeout_s=30.0)
    order = await node.change(AssignCourier(order_id, "d2", "shop"))
    assert changes(await bounded(gives.told)) == FeedChanges(2, (), (order_id,))
    assert changes(await bounded(takes.told)) == FeedChanges(1, (order,))


async def test_news_while_the_version_is_read_is_not_slept_over(node: Node) -> None:
    """The product: join, then read, then park."""
    order_id = await node.place()
    node.store.hold_reads()
    client, polling = node.begin(BOARD, cursor=at(1), timeout_s=30.0)
    await bounded(node.store.reading.wait())
    order = await node.become(order_id, "preparing")
    node.store.gate.set()
    answer = await bounded(polling)
    assert isinstance(answer, Answer)
    assert (answer.reason, changes(answer)) == ("changed", FeedChanges(2, (order,)))
    assert not client.told.done()
    node.assert_hub_is_empty()


@pytest.mark.parametrize("afresh", [False, True])
async def test_news_while_changes_are_read_is_not_missed(node: Node, afresh: bool) -> None:
    order_id = await node.place()
    await node.become(order_id, "preparing")
    node.store.reads_afresh = afresh
    node.store.hold_reads()
    _, polling = node.begin(BOARD, cursor=at(1), timeout_s=30.0)
    await bounded(node.store.reading.wait())
    node.store.gate.set()
    node.store.hold_reads()
    await bounded(node.store.reading.wait())
    order = await node.become(order_id, "ready")
    node.store.gate.set()
    answer = await bounded(polling)
    assert isinstance(answer, Answer)
    if changes(answer).version == 2:
        answer = await node.poll(BOARD, cursor=at(2), timeout_s=30.0)
    assert changes(answer) == FeedChanges(3, (order,))
    node.assert_hub_is_empty()


async def test_a_client_that_goes_while_changes_are_read_leaves(node: Node) -> None:
    one_id = await node.place()
    client, poll = await node.held(BOARD, cursor=at(1), timeout_s=30.0)
    node.store.hold_reads()
    await apply(node, *(ChangeStatus(one_id, status, "cook") for status in (Status.PREPARING, Status.READY)))
    await bounded(node.store.reading.wait())
    node.tracking.leave(poll)
    node.store.gate.set()
    await node.tracking.close()
    assert not client.told.done()
    node.assert_hub_is_empty()


async def test_a_store_failure_while_changes_are_read_refuses(node: Node) -> None:
    order_id = await node.place()
    client, _ = await node.held(BOARD, cursor=at(1), timeout_s=30.0)
    node.store.failure = UNAVAILABLE
    await apply(node, *(ChangeStatus(order_id, status, "cook") for status in (Status.PREPARING, Status.READY)))
    with pytest.raises(StoreUnavailable):
        await bounded(client.told)
    with pytest.raises(StoreUnavailable):
        await node.poll(BOARD)
    await node.tracking.close()
    node.assert_hub_is_empty()


# Deadlines, drains, caps


async def test_a_deadline_without_news_keeps_the_position(node: Node) -> None:
    await node.place()
    client, _ = await node.held(BOARD, cursor=at(1), timeout_s=5.0)
    answer = await bounded(client.told)
    assert (answer.reason, answer.position, changes(answer)) == ("timeout", 1, FeedChanges(1))


async def test_a_hidden_commit_is_found_with_its_changes(node: Node) -> None:
    order_id = await node.place()
    client, _ = await node.held(BOARD, cursor=at(1), timeout_s=1.0)
    node.store.hides_commits = True
    order = await node.become(order_id, "preparing")
    answer = await bounded(client.told)
    assert (answer.reason, changes(answer)) == ("changed", FeedChanges(2, (order,)))
    assert node.statistics.lost_wakeups == 1


async def test_a_commit_after_a_hidden_one_tells_of_both(node: Node) -> None:
    """The poll has missed more than this commit, so the store is read."""
    one_id, two_id = await node.place(), await node.place()
    client, _ = await node.held(BOARD, cursor=at(2), timeout_s=30.0)
    node.store.hides_commits = True
    one = await node.become(one_id, "preparing")
    node.store.hides_commits = False
    two = await node.become(two_id, "preparing")
    assert changes(await bounded(client.told)) == FeedChanges(4, (one, two))


async def test_a_poll_ahead_of_its_feed_is_reset_with_active_orders(node: Node) -> None:
    order_id = await node.place()
    client, _ = await node.held(BOARD, cursor=at(9), timeout_s=30.0)
    answer = await bounded(client.told)
    assert (answer.reason, answer.position) == ("reset", None)
    assert changes(answer) == FeedChanges(1, (await node.store.order(order_id),))
    await node.tracking.close()
    node.assert_hub_is_empty()


async def test_a_poll_ahead_of_its_feed_gets_only_later_changes(node: Node) -> None:
    ids = [await node.place() for _ in range(3)]
    client, _ = await node.held(BOARD, cursor=at(4), timeout_s=30.0)
    await apply(node, *(ChangeStatus(id_, Status.PREPARING, "cook") for id_ in ids))
    answer = await bounded(client.told)
    assert ([order.id for order in changes(answer).orders], answer.state.version) == (ids[1:], 6)


async def test_a_drain_answers_the_polls_of_every_feed(node: Node) -> None:
    order_id = await node.place("d1")
    clients = [(await node.held(feed, timeout_s=30.0))[0] for feed in (CUSTOMER, BOARD, courier("d1"), order_id)]
    await bounded(node.tracking.drain())
    assert [(await bounded(client.told)).reason for client in clients] == ["drain"] * 4
    node.assert_hub_is_empty()


async def test_a_drain_tells_a_poll_that_is_ahead_what_has_not_ended(node: Node) -> None:
    order_id = await node.place()
    client, _ = await node.held(BOARD, cursor=at(9), timeout_s=30.0)
    await bounded(node.tracking.drain())
    answer = await bounded(client.told)
    assert (answer.reason, changes(answer).orders) == ("reset", (await node.store.order(order_id),))


async def test_the_cap_is_one_for_each_feed(node: Node) -> None:
    for feed in (CUSTOMER, BOARD):
        for _ in range(10):
            await node.held(feed, timeout_s=30.0)
        with pytest.raises(TooManyPolls):
            await node.poll(feed, timeout_s=30.0)
    assert (await node.poll(BOARD)).reason == "snapshot"


async def test_a_newer_poll_of_a_client_ends_its_older_one_only(node: Node) -> None:
    await node.place()
    customer, _ = await node.held(CUSTOMER, timeout_s=30.0, client_id="me")
    older, _ = await node.held(BOARD, cursor=at(1), timeout_s=30.0, client_id="me")
    newer, _ = await node.held(BOARD, timeout_s=30.0, client_id="me")
    answer = await bounded(older.told)
    assert (answer.reason, answer.position, changes(answer)) == ("superseded", 1, FeedChanges(1))
    assert not customer.told.done()
    assert not newer.told.done()


# Without waiting


@pytest.mark.parametrize("feed", [order_feed(1), BOARD])
async def test_what_is_at_hand_is_decided_without_a_read_or_a_task(node: Node, feed: FeedKey) -> None:
    await node.place()
    answer = node.tracking.poll(feed, PollRequest(timeout_s=0.0), Client())
    if not node.store.at_hand:
        assert isinstance(answer, Pending)
        await answer
        return
    assert isinstance(answer, Answer)
    assert answer.reason == "timeout"
    client = Client()
    assert isinstance(node.tracking.poll(feed, PollRequest(timeout_s=5.0), client), Poll)
    assert node.hub.held == 1
    assert (await bounded(client.told)).reason == "timeout"
    assert (node.store.reads, len(node.tracking._tasks)) == (0, 0)
    assert node.statistics.polls == {Reason.TIMEOUT: 2}


async def test_news_of_a_feed_has_to_be_read(node: Node) -> None:
    await node.place()
    for request in (PollRequest(), PollRequest(cursor=at(0))):
        news = node.tracking.poll(BOARD, request, Client())
        assert isinstance(news, Pending)
        await news
    node.assert_hub_is_empty()


@pytest.mark.parametrize("feed", [order_feed(1), BOARD])
async def test_clients_may_leave_between_the_turns_of_many_deadlines(
    clock: Clock, monkeypatch: pytest.MonkeyPatch, feed: FeedKey
) -> None:
    monkeypatch.setattr(tracking, "RESOLVED_PER_TURN", 3)
    node = Node(clock)
    await node.store.open(node.tracking.committed)
    await node.place()
    polls = [await node.held(feed, timeout_s=5.0) for _ in range(10)]
    await asyncio.wait([client.told for client, _ in polls], return_when=asyncio.FIRST_COMPLETED)
    waiting = [(client, poll) for client, poll in polls if not client.told.done()]
    assert 0 < len(waiting) < 10
    gone, poll = waiting.pop()
    node.tracking.leave(poll)
    assert [(await bounded(client.told)).reason for client, _ in waiting] == ["timeout"] * len(waiting)
    await node.tracking.close()
    assert not gone.told.done()
    node.assert_hub_is_empty()


# Everything at once


class Storm:
    """Boards, customers and couriers follow their feeds by cursor, in small pages, while orders change hands."""

    CHANGES = 40

    def __init__(self, node: Node, dice: random.Random) -> None:
        self.node = node
        self.dice = dice
        self.calm = False
        self._read = node.store._read
        node.store._read = self.read_slowly  # type: ignore[method-assign]

    async def read_slowly(self, read: Any) -> Any:
        found = await self._read(read)
        await asyncio.sleep(self.dice.choice([0.0, 0.0, self.dice.uniform(0, 0.4)]))
        return found

    def listen(self, commits: Sequence[Committed], at_s: float) -> None:
        self.node.tracking.committed(commits, at_s)

    async def change(self, ids: list[int]) -> None:
        for _ in range(self.CHANGES):
            await asyncio.sleep(self.dice.choice([0.0, 0.01, self.dice.expovariate(2.0)]))
            await apply(self.node, *(self.any_change(self.dice.choice(ids)) for _ in range(self.dice.randint(1, 4))))

    def any_change(self, order_id: int) -> Change:
        if self.dice.random() < 0.5:
            return AssignCourier(order_id, self.dice.choice(["d1", "d2"]), "shop")
        status = self.dice.choice([*Status])
        return ChangeStatus(order_id, status, "cook", reason="so", undo=self.dice.random() < 0.5)

    async def follow(self, feed: FeedKey) -> dict[int, Order]:
        """Return the newest version of each order that the client got."""
        known: dict[int, Order] = {}
        cursor: Cursor | None = None
        while True:
            answer = await self.ask(feed, cursor)
            if answer is None:
                continue
            news = changes(answer)
            if answer.reason in NEWS:
                for order in news.orders:
                    earlier = known.get(order.id)
                    assert earlier is None or order.version >= earlier.version, "an order went back"
                    known[order.id] = order
                for order_id in news.left:
                    known.pop(order_id, None)
                after, cursor = cursor, Cursor(self.node.tracking.epoch, news.version, news.after_id)
                assert after is None or is_further(cursor, after), "an answer that leads nowhere"
            elif self.calm:
                return known

    async def ask(self, feed: FeedKey, cursor: Cursor | None) -> Answer | None:
        """One poll, which may be given up at any time."""
        client = Client()
        timeout_s = None if cursor is None else self.dice.uniform(0.2, 4.0)
        outcome = await finished(self.node.tracking.poll(feed, PollRequest(cursor=cursor, timeout_s=timeout_s), client))
        if isinstance(outcome, Answer):
            return outcome
        if self.dice.random() < 0.15:
            await asyncio.wait([client.told], timeout=self.dice.uniform(0, 1.0))
            self.node.tracking.leave(outcome)
            if not client.told.done():
                return None
        return await client.told


@pytest.mark.parametrize("seed", range(8))
async def test_random_commits_leave_every_follower_up_to_date(
    node: Node, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    dice = random.Random(seed)
    limit = dice.randint(1, 4)
    monkeypatch.setattr("ordertrack.service.tracking.reads.PAGE_ENTRIES", limit)
    storm = Storm(node, dice)
    feeds = [CUSTOMER, BOARD, courier("d1"), courier("d2")]
    async with asyncio.timeout(BOUND_S), asyncio.TaskGroup() as tasks:
        ids = [await node.place(dice.choice([None, "d1", "d2"])) for _ in range(9)]
        followers = [(feed, tasks.create_task(storm.follow(feed))) for feed in feeds for _ in range(3)]
        changing = [tasks.create_task(storm.change(ids)) for _ in range(2)]
        await asyncio.gather(*changing)
        ids += [await node.place("d1") for _ in range(3)]
        storm.calm = True
    await node.tracking.close()
    now = [await node.store.inner.order(id_) for id_ in ids]
    for feed, follower in followers:
        theirs = [order for order in now if feed.kind is not FeedKind.COURIER or order.courier_id == feed.id]
        known = follower.result()
        # What had ended before a client came is nothing to it; all else is there, and nothing that is not so.
        assert {order.id: order for order in theirs if order.id in known or not order.status.ended} == known
    node.assert_hub_is_empty()
    assert node.statistics.lost_wakeups == 0
    assert node.statistics.polls[Reason.CHANGED] > 50
