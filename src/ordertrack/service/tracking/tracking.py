"""Answer polls, or hold them until there is news.

    poll ──► join the hub ──► read the state ──► decide ──┬──► answer
                   ▲                                      └──► park, until a commit ──► answer (a party's feed
                   └── read again: news came meanwhile                                  may be read first)
                                                               or deadline, drain ──► read again, decide

Invariant: a poll joins the hub before the state is read, or both are done in one turn of the event loop (for a
cached state). So a commit between reading and parking is announced to the poll, which then reads again.

`poll_plans.py` has these steps, as plans that `reads.py` runs. `core/poll.py` decides, `core/hub.py` keeps the polls
of each feed. A transport gives each poll a `Waiter`, which gets the answer of a held poll.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Coroutine, Sequence
from functools import cached_property

import msgspec
import structlog

from ordertrack.core.deadlines import TICK_S
from ordertrack.core.errors import (
    InternalError,
    OrderNotFound,
    OrdertrackError,
    StoreBusy,
    StoreUnavailable,
    Unauthenticated,
)
from ordertrack.core.feed import FeedKey, FeedKind, FeedState, order_feed
from ordertrack.core.hub import Hub, Poll
from ordertrack.core.link_view import redact_for_link
from ordertrack.core.order import Order
from ordertrack.core.poll import (
    Answer,
    PollRequest,
    Reason,
    State,
    answer_now,
    check_request,
    decide,
    hold_s,
)
from ordertrack.core.principal import ANYONE, Principal, Role
from ordertrack.core.tracking_link import Link
from ordertrack.ports.clock import Clock
from ordertrack.ports.commits import Committed
from ordertrack.ports.feed_store import FeedStore
from ordertrack.service.authorization import check_party, may_see, pad_lookup_time
from ordertrack.service.monitoring.statistics import Statistics
from ordertrack.service.pending import Pending
from ordertrack.service.tracking.deadline_timer import DeadlineTimer
from ordertrack.service.tracking.feed_batches import FeedBatch
from ordertrack.service.tracking.poll_plans import REVOKED, PollPlans
from ordertrack.service.tracking.reads import CacheMiss, ReadPlan, ReadRequest, Reads
from ordertrack.service.tracking.waiter import Waiter, WaitingPoll

RESOLVED_PER_TURN = 500
"""Due polls that are resolved per turn of the event loop, so that a turn takes a few milliseconds."""
CLOSE_LIMIT_S = 1.0
SHORTENED_FROM_S = 10.0
SHORTENED_BY = 0.1
"""Holds of at least SHORTENED_FROM_S end up to this part earlier, by chance: polls that began together, as after a
restart, do not end together again and again."""

PollOutcome = Answer | WaitingPoll

log = structlog.get_logger("ordertrack.tracking")


class Tracking:
    def __init__(
        self,
        store: FeedStore,
        hub: Hub[Waiter],
        clock: Clock,
        statistics: Statistics,
        *,
        max_timeout_s: float,
        draw: Callable[[], float],
    ) -> None:
        """`draw` returns random numbers from 0 to 1."""
        self.confirm: Callable[[Collection[FeedKey]], Awaitable[None]] | None = None
        """In a cluster: compares feeds of polls at their deadline with the store, within a second; raises nothing."""
        self.hub = hub
        self.statistics = statistics
        self.max_timeout_s = max_timeout_s
        self._store = store
        self._reads = Reads(store, clock)
        self._clock = clock
        self._draw = draw
        self._timer = DeadlineTimer(clock, hub.next_deadline_s, self._on_deadline)
        self._plans = PollPlans(hub, clock, statistics, self._on_parked)
        self._tasks: set[asyncio.Task[None]] = set()
        self._for_links: tuple[State | None, Order | None] = (None, None)
        """The order that was redacted for a link last, and the result."""

    @cached_property
    def epoch(self) -> str:
        return self._store.epoch

    @property
    def holds_none(self) -> bool:
        """True once the node is drained: it answers every poll now."""
        return self.hub.closed

    def poll(
        self, feed: FeedKey, request: PollRequest, waiter: Waiter, by: Principal = ANYONE
    ) -> PollOutcome | Pending[PollOutcome]:
        """Answer the poll now, or hold it: then the waiter gets the answer, unless `leave` is called before. Pending
        when the store has to be read, or when `by` may not see the order: it then takes as long as for a missing one.

        Raises: InvalidInput, OrderNotFound, Forbidden, Unauthenticated, TooManyPolls, NodeFull, StoreUnavailable.
        """
        check_request(request, feed)
        check_party(by, feed)
        state = self._reads.cached(feed)
        if state is None or (self.confirm is not None and request.is_ahead_of(state)):
            return self._poll_read(feed, request, waiter, by)
        if may_see(by, state):
            outcome = self._poll_cached(feed, request, waiter, by, state)
            if outcome is not None:
                return outcome
        plan = self._new_plan(feed, request, waiter, by)
        try:
            return self._reads.run_cached(plan)
        except CacheMiss as miss:
            return self._reads.read(plan, miss.request)
        except OrderNotFound as error:
            return self._pad_lookup_time(error)

    def _poll_cached(
        self, feed: FeedKey, request: PollRequest, waiter: Waiter, by: Principal, state: State
    ) -> PollOutcome | Pending[PollOutcome] | None:
        """Answer or hold a poll of a state that is cached. Return None, with nothing done, when more has to be read.

        The cached state is read before the poll joins. Both are in one turn of the event loop, so no commit can come
        between them. In a cluster it only serves to hold polls: the signal of a change that another node has answered
        may not have arrived.
        """
        now_s, left_s = self._clock.monotonic_s(), self._hold_s(request, by)
        decision = decide(request, state, self.epoch, left_s)
        if isinstance(decision, Answer):
            if decision.lacks_changes:
                return None
            return self._count(by, decision) if self.confirm is None else self._poll_read(feed, request, waiter, by)
        poll = self._join(feed, request, waiter, by, now_s + left_s)
        try:
            if self._plans.park(poll, decision, state, now_s, resuming=request.has_position) is None:
                return poll
        except BaseException:
            self.hub.leave(poll)
            raise
        self.hub.leave(poll)
        return None

    def _poll_read(self, feed: FeedKey, request: PollRequest, waiter: Waiter, by: Principal) -> Pending[PollOutcome]:
        plan = self._new_plan(feed, request, waiter, by)
        return self._reads.read(plan, next(plan))

    def _new_plan(self, feed: FeedKey, request: PollRequest, waiter: Waiter, by: Principal) -> ReadPlan[PollOutcome]:
        epoch = self.epoch
        poll = self._join(feed, request, waiter, by, self._clock.monotonic_s() + self._hold_s(request, by))
        return self._plan(poll, request, epoch)

    def _plan(self, poll: WaitingPoll, request: PollRequest, epoch: str) -> ReadPlan[PollOutcome]:
        by = poll.by  # a revocation replaces it
        return self._count(by, (yield from self._plans.poll(poll, request, epoch)))

    def _pad_lookup_time(self, error: OrderNotFound) -> Pending[PollOutcome]:
        def refuse(lookup: asyncio.Future[None]) -> PollOutcome:
            lookup.result()
            raise error from None

        return Pending(asyncio.ensure_future(pad_lookup_time(self._store)), refuse)

    def leave(self, poll: WaitingPoll) -> None:
        """Forget the poll of a client that has gone, unless it was answered already."""
        self.hub.leave(poll)

    def committed(self, commits: Sequence[Committed]) -> None:
        """Answer the polls of these orders and of their parties' feeds. The store calls this for each commit."""
        batches: dict[FeedKey, FeedBatch] = {}
        for order, feeds, previous_version, requested_at_s in commits:
            self.statistics.updates += order.version - previous_version
            answers: dict[int, Answer] = {}  # one answer for each version, so that it is encoded once
            feed = FeedKey(FeedKind.ORDER, str(order.id))
            for poll in self.hub.news(feed, order.version, final=order.status.ended):
                if poll.position not in answers:
                    answers[poll.position] = answer_now(poll.position, order)
                self._deliver(poll, answers[poll.position], requested_at_s)
            for feed, version in feeds.items():
                if self.hub.is_watched(feed):
                    batch = batches.get(feed) or batches.setdefault(feed, FeedBatch(feed))
                    batch.add(version, order, requested_at_s)
        for batch in batches.values():
            self._deliver_batch(batch)

    def announced(self, feed: FeedKey, state: State) -> None:
        """Answer the polls of a feed that was read and found newer: another node may have changed it."""
        if not isinstance(state, FeedState):
            for poll in self.hub.news(feed, state.version, final=state.status.ended):
                self._deliver(poll, answer_now(poll.position, state))
            return
        for poll in self.hub.news(feed, state.version):
            self._rejoin(poll, state.version)
            self._resolve(poll)

    async def drain(self, window_s: float = 0.0) -> None:
        """Answer every held poll within `window_s`, in random order, and hold none from then on.

        Takes at most `window_s` + CLOSE_LIMIT_S seconds. In the window polls are held and woken as before, so that
        clients do not poll this node in a loop while load balancers still send them to it.
        """
        now_s = self._clock.monotonic_s()
        if window_s and not self.hub.draining:
            self.hub.drain(now_s, now_s + window_s, self._draw)
            self._timer.reschedule()
            if self.hub.joined:
                await asyncio.sleep(window_s)
        left = self.hub.close()
        for poll in left:
            self._rejoin(poll)
        self._start(self._resolve_in_turns(left))
        await self.close()

    async def close(self, limit_s: float = CLOSE_LIMIT_S) -> None:
        """Wait at most `limit_s` seconds for the polls that are being answered."""
        self._timer.cancel()
        ends_at_s = self._clock.monotonic_s() + limit_s
        while self._tasks and (left_s := ends_at_s - self._clock.monotonic_s()) > 0:
            await asyncio.wait(self._tasks, timeout=left_s)

    def revoked(self, link: Link) -> None:
        """Refuse the polls of a revoked tracking link: parked ones now, others once they have read."""
        for poll in self.hub.polls(order_feed(link.order_id)):
            if poll.by.role is Role.LINK and poll.by.name == str(link.id):
                if poll.parked:
                    self._refuse(poll, Unauthenticated("invalid", "revoked"))
                else:  # `by` of a parked poll must not change: the hub counts parked polls by it
                    poll.by = REVOKED

    # Principals

    def _redacted(self, by: Principal, answer: Answer) -> Answer:
        """Return the answer with what `by` may see of its order."""
        if by.role is not Role.LINK or isinstance(answer.state, FeedState):
            return answer
        if self._for_links[0] is not answer.state:
            self._for_links = (answer.state, redact_for_link(answer.state))
        return msgspec.structs.replace(answer, state=self._for_links[1])

    def _count(self, by: Principal, outcome: PollOutcome) -> PollOutcome:
        if isinstance(outcome, Poll):
            return outcome
        self.statistics.polls[outcome.reason] += 1
        return self._redacted(by, outcome)

    def _hold_s(self, request: PollRequest, by: Principal) -> float:
        """Return the seconds that the poll may be held: less than the token is valid."""
        left_s = hold_s(request, self.max_timeout_s)
        if left_s >= SHORTENED_FROM_S:
            left_s -= left_s * SHORTENED_BY * self._draw()
        if by.expires_at_s is not None:
            left_s = min(left_s, max(0.0, by.expires_at_s - self._clock.now_ms() / 1000 - TICK_S))
        return left_s

    def _join(
        self, feed: FeedKey, request: PollRequest, waiter: Waiter, by: Principal, ends_at_s: float
    ) -> WaitingPoll:
        poll: WaitingPoll = Poll(
            feed, waiter, ends_at_s, conditional=request.conditional, client_id=request.client_id, by=by
        )
        self.hub.join(poll)
        return poll

    def _on_parked(self, until_s: float, superseded: WaitingPoll | None, state: State) -> None:
        self._timer.reschedule(until_s)
        if superseded is not None:
            self._deliver(superseded, Answer(state, Reason.SUPERSEDED, superseded.position))

    # Answers of held polls

    def _deliver_batch(self, batch: FeedBatch) -> None:
        for poll in self.hub.news(batch.feed, batch.version):
            state = batch.after(poll.position)
            if state is not None:
                self._deliver(poll, Answer(state, Reason.CHANGED, poll.position), batch.requested_at_s)
                continue
            self._rejoin(poll, batch.version)
            self._resolve(poll, batch.requested_at_s)

    def _rejoin(self, poll: WaitingPoll, announced: int = 0) -> None:
        """Join a poll again that the hub handed back, so that it can be resolved."""
        self.hub.join(poll)
        poll.announced = announced

    def _resolve(self, poll: WaitingPoll, requested_at_s: float | None = None) -> None:
        """Answer a joined poll that is due, or hold it again."""
        plan = self._plans.resolve(poll)
        try:
            answer = self._reads.run_cached(plan)
        except CacheMiss as miss:
            self._start(self._resolve_async(poll, plan, miss.request, requested_at_s))
        except OrdertrackError as error:
            self._refuse(poll, error)
        else:
            self._complete_poll(poll, answer, requested_at_s)

    async def _resolve_async(
        self, poll: WaitingPoll, plan: ReadPlan[Answer | None], request: ReadRequest, requested_at_s: float | None
    ) -> None:
        """Invariant: the poll is answered, refused or held when this returns."""
        try:
            answer = await self._reads.run_queued(plan, request)
        except (StoreBusy, StoreUnavailable) as error:
            self._resolve_unread(poll, error)
        except OrdertrackError as error:
            self._refuse(poll, error)
        except Exception:
            incident = f"{int(self._draw() * 16**12):012x}"
            log.exception("internal error", incident=incident, feed=poll.feed)
            self._refuse(poll, InternalError(incident))
        else:
            self._complete_poll(poll, answer, requested_at_s)

    def _resolve_unread(self, poll: WaitingPoll, error: OrdertrackError) -> None:
        """Answer a joined poll without the store, or refuse it when too little is known.

        The answer is "nothing new" where nothing was announced. If that is wrong, the next poll gets the news at once.
        """
        state = self._reads.cached_from(poll.feed, max(poll.position, poll.announced))
        answer = None if state is None else self._plans.decide_due(poll, state, left_s=0.0)
        if isinstance(answer, Answer) and not answer.lacks_changes:
            self._complete_poll(poll, answer, None)
        else:
            self._refuse(poll, error)

    def _complete_poll(self, poll: WaitingPoll, answer: Answer | None, requested_at_s: float | None) -> None:
        if answer is not None and self.hub.leave(poll):
            self._deliver(poll, answer, requested_at_s)

    def _refuse(self, poll: WaitingPoll, error: OrdertrackError) -> None:
        if self.hub.leave(poll):
            poll.waiter.refuse(error)

    def _deliver(self, poll: WaitingPoll, answer: Answer, requested_at_s: float | None = None) -> None:
        """Give the answer to the waiter of a poll that has left the hub."""
        if poll.by is not ANYONE:
            if not may_see(poll.by, answer.state):
                poll.waiter.refuse(OrderNotFound(poll.feed.id))  # another courier has the order now
                return
            answer = self._redacted(poll.by, answer)
        self.statistics.polls[answer.reason] += 1
        poll.waiter.answer(answer, requested_at_s)

    # Deadlines

    def _on_deadline(self) -> None:
        due = self.hub.expire(self._clock.monotonic_s())
        due.sort(key=lambda poll: poll.feed.id)  # polls of one feed share an answer
        if self.confirm is not None:
            if due:
                self._start(self._resolve_confirmed(due, self.confirm({poll.feed for poll in due})))
            return
        for poll in due[:RESOLVED_PER_TURN]:
            self._resolve(poll)
        if len(due) > RESOLVED_PER_TURN:
            self._start(self._resolve_in_turns(due[RESOLVED_PER_TURN:]))

    async def _resolve_confirmed(self, due: Sequence[WaitingPoll], confirmed: Awaitable[None]) -> None:
        await confirmed
        await self._resolve_in_turns([poll for poll in due if poll.joined and not poll.parked])

    async def _resolve_in_turns(self, due: Sequence[WaitingPoll]) -> None:
        for n, poll in enumerate(due):
            if n % RESOLVED_PER_TURN == 0:
                await asyncio.sleep(0)
            self._resolve(poll)

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
