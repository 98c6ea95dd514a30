"""Tracking over the store that ships, in real time: threads, a disk, and caches too small for anything.

tests/service/test_tracking.py says what happens in each single case. Here the writer, the readers and the loop run at
once, which no virtual time can do.
"""

from __future__ import annotations

import asyncio
import random
from pathlib import Path
from typing import Any

import pytest

from ordertrack.adapters.sqlite import store as sqlite_store
from ordertrack.adapters.sqlite.store import SqliteStore
from ordertrack.adapters.system.clock import SystemClock
from ordertrack.core.cursor import Cursor
from ordertrack.core.errors import OrdertrackError
from ordertrack.core.event import Status
from ordertrack.core.feed import FeedKey, FeedKind, FeedState, order_feed
from ordertrack.core.hub import Caps, Hub
from ordertrack.core.order import NewOrder, Order
from ordertrack.core.order_rules import AssignCourier, Change, ChangeStatus
from ordertrack.core.poll import NEWS, Answer, PollRequest
from ordertrack.service.monitoring.statistics import Statistics
from ordertrack.service.tracking import reads as feeds_at_work
from ordertrack.service.tracking.tracking import Tracking
from service.node import finished, is_further

pytestmark = pytest.mark.anyio

BOUND_S = 30
CHANGES = 60


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Client:
    def __init__(self) -> None:
        self.told: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()

    def answer(self, answer: Answer, requested_at_s: float | None) -> None:
        self.told.set_result(answer)

    def refuse(self, error: OrdertrackError) -> None:
        self.told.set_exception(error)


async def follow(tracking: Tracking, order_id: int, dice: random.Random) -> int:
    """Poll on and on until the order has ended; every version is seen once and in order."""
    version = 0
    while True:
        client = Client()
        request = PollRequest(cursor=Cursor(tracking.epoch, version), timeout_s=dice.uniform(0.0, 0.3))
        outcome = await finished(tracking.poll(order_feed(order_id), request, client))
        answer = outcome if isinstance(outcome, Answer) else await client.told
        if answer.reason in NEWS:
            assert [event.version for event in answer.events] == list(range(version + 1, answer.order.version + 1))
            version = answer.order.version
        if answer.order.status.ended:
            return version


async def change(store: SqliteStore, order_id: int, clock: SystemClock, dice: random.Random) -> None:
    for n in range(CHANGES):
        await store.apply([AssignCourier(order_id, f"d{n}", "shop")], clock.now_ms())
        if dice.random() < 0.3:
            await store.order(dice.randint(1, 6))  # push others out of the cache
    await store.apply([ChangeStatus(order_id, Status.DELIVERED, "driver")], clock.now_ms())


@pytest.mark.parametrize("cached_orders", [1, 10_000])
async def test_random_commits_over_sqlite_reach_every_poll(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cached_orders: int
) -> None:
    monkeypatch.setattr(sqlite_store, "CACHED_ORDERS", cached_orders)
    clock, statistics, dice = SystemClock(), Statistics(), random.Random(1)
    store = SqliteStore(tmp_path, clock)
    hub: Hub[Any] = Hub(Caps(100, 1_000, 1_000), full_retry_after_s=lambda: 7)
    tracking = Tracking(store, hub, clock, statistics, max_timeout_s=120.0, draw=lambda: 0.5)
    async with asyncio.timeout(BOUND_S):
        await store.open(tracking.committed)
        ids = [(await store.create(NewOrder("c1", "r1"), clock.now_ms())).order.id for _ in range(6)]
        async with asyncio.TaskGroup() as tasks:
            followers = [tasks.create_task(follow(tracking, order_id, dice)) for order_id in ids for _ in range(5)]
            for order_id in ids:
                tasks.create_task(change(store, order_id, clock, dice))
        await tracking.close()
        await store.close()
    assert {follower.result() for follower in followers} == {CHANGES + 2}
    assert statistics.lost_wakeups == 0
    assert (hub.held, hub.joined) == (0, 0)


# Feeds


class Board:
    """Follows a feed by cursor; `known` is the newest it was told of each order."""

    def __init__(self, tracking: Tracking, feed: FeedKey, dice: random.Random) -> None:
        self.known: dict[int, Order] = {}
        self.calm = False
        self._tracking = tracking
        self._feed = feed
        self._dice = dice

    async def follow(self) -> None:
        """Until there is nothing new any more."""
        cursor: Cursor | None = None
        while True:
            answer = await self._ask(cursor)
            if answer.reason not in NEWS:
                if self.calm:
                    return
                continue
            assert isinstance(answer.state, FeedState)
            news = answer.state.changes
            for order in news.orders:
                assert order.id not in self.known or order.version >= self.known[order.id].version
                self.known[order.id] = order
            for order_id in news.left:
                self.known.pop(order_id, None)
            after, cursor = cursor, Cursor(self._tracking.epoch, news.version, news.after_id)
            assert after is None or is_further(cursor, after), "an answer that leads nowhere"

    async def _ask(self, cursor: Cursor | None) -> Answer:
        client = Client()
        timeout_s = None if cursor is None else self._dice.uniform(0.0, 0.3)
        outcome = await finished(
            self._tracking.poll(self._feed, PollRequest(cursor=cursor, timeout_s=timeout_s), client)
        )
        return outcome if isinstance(outcome, Answer) else await client.told


async def change_any(store: SqliteStore, ids: list[int], clock: SystemClock, dice: random.Random) -> None:
    for _ in range(CHANGES):
        batch: list[Change] = [
            AssignCourier(dice.choice(ids), dice.choice(["d1", "d2"]), "shop")
            if dice.random() < 0.5
            else ChangeStatus(dice.choice(ids), dice.choice([*Status]), "cook", reason="so", undo=dice.random() < 0.5)
            for _ in range(dice.randint(1, 3))
        ]
        await store.apply(batch, clock.now_ms())


@pytest.mark.parametrize("page", [2, 100])
@pytest.mark.parametrize("cached", [1, 10_000])
async def test_random_commits_over_sqlite_leave_boards_up_to_date(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cached: int, page: int
) -> None:
    monkeypatch.setattr(sqlite_store, "CACHED_ORDERS", cached)
    monkeypatch.setattr(sqlite_store, "CACHED_FEEDS", cached)
    monkeypatch.setattr(feeds_at_work, "PAGE_ENTRIES", page)
    clock, statistics, dice = SystemClock(), Statistics(), random.Random(2)
    store = SqliteStore(tmp_path, clock)
    hub: Hub[Any] = Hub(Caps(100, 1_000, 1_000), full_retry_after_s=lambda: 7)
    tracking = Tracking(store, hub, clock, statistics, max_timeout_s=120.0, draw=lambda: 0.5)
    feeds = [FeedKey(FeedKind.RESTAURANT, "r1"), *(FeedKey(FeedKind.COURIER, id_) for id_ in ("d1", "d2"))]
    boards = [Board(tracking, feed, dice) for feed in feeds for _ in range(3)]
    async with asyncio.timeout(BOUND_S):
        await store.open(tracking.committed)
        ids = [(await store.create(NewOrder("c1", "r1"), clock.now_ms())).order.id for _ in range(8)]
        async with asyncio.TaskGroup() as tasks:
            for board in boards:
                tasks.create_task(board.follow())
            await asyncio.gather(*(change_any(store, ids, clock, dice) for _ in range(4)))
            for board in boards:
                board.calm = True
        now = [await store.order(order_id) for order_id in ids]
        await tracking.close()
        await store.close()
    for board, feed in zip(boards, [feed for feed in feeds for _ in range(3)], strict=True):
        theirs = [order for order in now if feed.kind is FeedKind.RESTAURANT or order.courier_id == feed.id]
        expected = {order.id: order for order in theirs if order.id in board.known or not order.status.ended}
        assert board.known == expected
    assert statistics.lost_wakeups == 0
    assert (hub.held, hub.joined) == (0, 0)
