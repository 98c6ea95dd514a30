"""Polls: from "what about my order?" to the answer. Whoever holds the connection is a `Waiter`; it may be of any kind.

Invariant: join, then read, then park. The hub hears of a poll before the store is read, so that no change can fall
between the two. The order of those lines in `poll` is the product.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Protocol

import structlog

from ordertrack.core.errors import OrdertrackError
from ordertrack.core.feed import FeedKey, order_feed
from ordertrack.core.hub import Hub, Parking, Poll
from ordertrack.core.order import Order
from ordertrack.core.poll import Answer, Hold, PollRequest, Reason, decide, decide_at, decide_drained, hold_s
from ordertrack.ports.clock import Clock
from ordertrack.ports.store import Committed, Store
from ordertrack.service.statistics import Statistics

log = structlog.get_logger("ordertrack.tracking")


class Waiter(Protocol):
    """Holds a connection whose poll is parked. At most one of the two is called, once, on the event loop, perhaps just
    after the client has gone; it returns at once and raises nothing. `committed_at_s` is when the news was committed,
    for the latency figures."""

    def answer(self, answer: Answer, committed_at_s: float | None) -> None: ...

    def refuse(self, error: OrdertrackError) -> None: ...


HeldPoll = Poll[Waiter]


class Tracking:
    def __init__(
        self, store: Store, hub: Hub[Waiter], clock: Clock, statistics: Statistics, *, max_timeout_s: float
    ) -> None:
        self.hub = hub
        self.statistics = statistics
        self.max_timeout_s = max_timeout_s
        self._store = store
        self._clock = clock
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at_s = 0.0
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def epoch(self) -> str:
        return self._store.epoch

    async def poll(self, order_id: int, request: PollRequest, waiter: Waiter) -> Answer | HeldPoll:
        """Answer the poll now, or hold it: then the waiter is told, unless `leave` comes first.

        Raises OrderNotFound, TooManyPolls, NodeFull, StoreUnavailable.
        """
        now_s = self._clock.monotonic_s()
        left_s = hold_s(request, self.max_timeout_s)
        poll = HeldPoll(
            order_feed(order_id),
            waiter,
            ends_at_s=now_s + left_s,
            conditional=request.conditional,
            client_id=request.client_id,
        )
        self.hub.join(poll)
        try:
            order = await self._read_for(poll, order_id)
            answer = await self._park(poll, order, decide(request, order, self.epoch, left_s), now_s)
        except BaseException:
            self.hub.leave(poll)
            raise
        if answer is None:
            return poll
        self.hub.leave(poll)
        self.statistics.polls[answer.reason] += 1
        return answer

    async def _park(self, poll: HeldPoll, order: Order, decision: Answer | Hold, now_s: float) -> Answer | None:
        """Hold a joined poll, or say what to answer it now."""
        while isinstance(decision, Hold):
            older = self.hub.supersede(poll)
            if older is not None:
                self._answer(older, Answer(order, Reason.SUPERSEDED, older.position))
            match self.hub.park(poll, decision.position, now_s + decision.for_s, ahead=decision.ahead):
                case Parking.HELD:
                    self._set_timer()
                    return None
                case Parking.GONE:
                    return None
                case Parking.DRAINING:
                    return decide_drained(decision.position, order)
                case Parking.SUPERSEDED:
                    return Answer(order, Reason.SUPERSEDED, decision.position)
                case Parking.NEWS:
                    order = await self._read_for(poll, order.id)
                    decision = decide_at(decision.position, order, poll.ends_at_s - now_s, conditional=poll.conditional)
        return decision

    def leave(self, poll: HeldPoll) -> None:
        """The client has gone. Harmless when the poll was answered already."""
        self.hub.leave(poll)

    def committed(self, commits: Sequence[Committed], committed_at_s: float) -> None:
        """The store's commit listener: answer everybody who waits for one of these orders."""
        for order, _, previous_version in commits:
            self.statistics.updates += order.version - previous_version
            for poll in self.hub.news(order_feed(order.id), order.version):
                self._answer(poll, Answer(order, Reason.CHANGED, poll.position), committed_at_s)

    async def drain(self) -> None:
        """Answer every held poll now and hold none from here on."""
        await asyncio.gather(*map(self._answer_drained, self.hub.drain()))

    async def _answer_drained(self, poll: HeldPoll) -> None:
        try:
            order = await self._store.order(_order_id(poll.feed))
        except OrdertrackError as error:
            poll.waiter.refuse(error)
        else:
            self._answer(poll, decide_drained(poll.position, order))

    async def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        await asyncio.gather(*self._tasks)

    def _set_timer(self) -> None:
        due_s = self.hub.next_deadline_s()
        if due_s is None or (self._timer is not None and self._timer_at_s <= due_s):
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at_s = due_s
        delay_s = max(0.0, due_s - self._clock.monotonic_s())
        self._timer = asyncio.get_running_loop().call_later(delay_s, self._on_deadline)

    def _on_deadline(self) -> None:
        self._timer = None
        for poll in self.hub.expire(self._clock.monotonic_s()):
            self._start(self._settle(poll))
        self._set_timer()

    async def _settle(self, poll: HeldPoll) -> None:
        """Its deadline has come: compare with the store once more, then answer or, if it was ahead of it, hold on."""
        try:
            answer = await self._decide_again(poll)
        except OrdertrackError as error:
            if self.hub.leave(poll):
                poll.waiter.refuse(error)
        else:
            if answer is not None and self.hub.leave(poll):
                self._answer(poll, answer)

    async def _decide_again(self, poll: HeldPoll) -> Answer | None:
        order = await self._read_for(poll, _order_id(poll.feed))
        if not self.hub.has(poll):
            return None  # it left meanwhile, and hears of no news any more
        if order.version > poll.position and poll.announced < order.version:
            self.statistics.lost_wakeups += 1
            log.error("lost wake-up", order_id=order.id, version=order.version, position=poll.position)
        now_s = self._clock.monotonic_s()
        decision = decide_at(
            poll.position,
            order,
            poll.ends_at_s - now_s,
            conditional=poll.conditional,
            waited_ahead=poll.ahead,
        )
        return await self._park(poll, order, decision, now_s)

    async def _read_for(self, poll: HeldPoll, order_id: int) -> Order:
        """The order, at least as new as any news the joined poll has heard of."""
        order = await self._store.order(order_id)
        while poll.announced > order.version:
            order = await self._store.order(order_id)
        return order

    def _answer(self, poll: HeldPoll, answer: Answer, committed_at_s: float | None = None) -> None:
        self.statistics.polls[answer.reason] += 1
        poll.waiter.answer(answer, committed_at_s)

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _order_id(feed: FeedKey) -> int:
    return int(feed.id)
