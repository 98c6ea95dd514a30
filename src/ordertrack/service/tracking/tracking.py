"""Polls: from "what about my order?" to the answer. Whoever holds the connection is a `Waiter`; it may be of any kind.

Invariant: join, then read, then park. The hub hears of a poll before anything is read, so that no change can fall
between the two. The order of those lines in `_asked` is the product.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from functools import cached_property
from typing import Protocol

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
from ordertrack.core.feed import FeedKey, FeedState, order_feed
from ordertrack.core.hub import Held, Hub, Parking, Poll
from ordertrack.core.link_view import redact_for_link
from ordertrack.core.order import Order
from ordertrack.core.poll import (
    Answer,
    Hold,
    PollRequest,
    Reason,
    State,
    answer_now,
    check_request,
    decide,
    decide_at,
    decide_drained,
    hold_s,
)
from ordertrack.core.principal import ANYONE, Principal, Role
from ordertrack.core.tracking_link import Link
from ordertrack.ports.clock import Clock
from ordertrack.ports.commits import Committed
from ordertrack.ports.feed_store import FeedStore
from ordertrack.service.authorization import check_party, look_nowhere, may_see
from ordertrack.service.monitoring.statistics import Statistics
from ordertrack.service.tracking.deadline_timer import Alarm
from ordertrack.service.tracking.feed_batches import FeedBatch
from ordertrack.service.tracking.reads import Changes, Feeds, NotAtHand, Steps, Wanted

REVOKED = Principal(Role.LINK, "revoked", order_id=-1)
SETTLED_AT_ONCE = 500
"""Polls whose deadlines come together are answered in turns of this many, some milliseconds each, to let others in."""
CLOSE_LIMIT_S = 1.0

log = structlog.get_logger("ordertrack.tracking")


class Waiter(Protocol):
    """Holds the connection of a parked poll. At most one of the two is called, once, on the event loop, even after
    the client has gone; it returns at once and raises nothing. `committed_at_s` is when the news was committed."""

    def answer(self, answer: Answer, committed_at_s: float | None) -> None: ...

    def refuse(self, error: OrdertrackError) -> None: ...


HeldPoll = Poll[Waiter]


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
        """`draw` gives random numbers from 0 to 1."""
        self.hub = hub
        self.statistics = statistics
        self.max_timeout_s = max_timeout_s
        self._store = store
        self._feeds = Feeds(store, clock)
        self._clock = clock
        self._draw = draw
        self._alarm = Alarm(clock, hub.next_deadline_s, self._on_deadline)
        self._tasks: set[asyncio.Task[None]] = set()
        self._for_links: tuple[State | None, Order | None] = (None, None)
        """The order that was shown to holders of links last, and how."""

    @cached_property
    def epoch(self) -> str:
        return self._store.epoch

    @property
    def holds_none(self) -> bool:
        """The node is going away, and answers every poll now."""
        return self.hub.closed

    def poll_now(
        self, feed: FeedKey, request: PollRequest, waiter: Waiter, by: Principal = ANYONE
    ) -> Answer | HeldPoll | None:
        """As `poll`, without waiting for anything; None when the store has to be read. Then nothing was done.

        What is read and answered in one turn of the event loop has no gap to fall into: only a poll that is held, or
        has to read more, joins first.
        """
        check_request(request, feed)
        check_party(by, feed)
        state = self._feeds.at_hand(feed)
        if state is None or not may_see(by, state):
            return None
        decision = decide(request, state, self.epoch, self._hold_s(request, by))
        if isinstance(decision, Answer) and not decision.lacks_changes:
            self.statistics.polls[decision.reason] += 1
            return self._shown(by, decision)
        steps = self._asked(self._joined(feed, request, waiter, by), request)
        try:
            return self._feeds.now(steps)
        except NotAtHand:
            steps.close()
            return None

    async def poll(
        self, feed: FeedKey, request: PollRequest, waiter: Waiter, by: Principal = ANYONE
    ) -> Answer | HeldPoll:
        """Answer the poll now, or hold it: then the waiter is told, unless `leave` comes first.

        Raises: InvalidInput, OrderNotFound, Forbidden, Unauthenticated, TooManyPolls, NodeFull, StoreUnavailable.
        """
        poll = self._joined(feed, request, waiter, by)
        steps = self._asked(poll, request)
        try:
            return self._feeds.now(steps)
        except NotAtHand as cold:
            return await self._feeds.later(steps, cold.wanted)
        except OrderNotFound as foreign:
            await look_nowhere(self._store)
            raise foreign from None

    def leave(self, poll: HeldPoll) -> None:
        """The client has gone. Harmless when the poll was answered already."""
        self.hub.leave(poll)

    def committed(self, commits: Sequence[Committed], committed_at_s: float) -> None:
        """The store's commit listener: answer everybody who waits for one of these orders, or for one of its people."""
        batches: dict[FeedKey, FeedBatch] = {}
        for order, feeds, previous_version in commits:
            self.statistics.updates += order.version - previous_version
            answers: dict[int, Answer] = {}  # one for all that have the same version, so that it is encoded once
            for poll in self.hub.news(order_feed(order.id), order.version, final=order.status.ended):
                if poll.position not in answers:
                    answers[poll.position] = answer_now(poll.position, order)
                self._answer(poll, answers[poll.position], committed_at_s)
            for feed, version in feeds.items():
                if self.hub.is_watched(feed):
                    batch = batches.get(feed) or batches.setdefault(feed, FeedBatch(feed))
                    batch.add(version, order)
        for batch in batches.values():
            self._deliver_batch(batch, committed_at_s)

    async def drain(self, window_s: float = 0.0) -> None:
        """Answer every held poll within `window_s`, in random order, and hold none from then on.

        Takes at most `window_s` + CLOSE_LIMIT_S seconds. Within the window polls are held, until its end, and woken as
        ever: no client comes back to this node in a tight loop because others have not noticed yet that it goes away.
        """
        now_s = self._clock.monotonic_s()
        if window_s and not self.hub.draining:
            self.hub.drain(now_s, now_s + window_s, self._draw)
            self._alarm.set()
            if self.hub.joined:
                await asyncio.sleep(window_s)
        left = self.hub.close()
        for poll in left:
            self._rejoin(poll)
        self._start(self._settle_rest(left))
        await self.close()

    async def close(self, limit_s: float = CLOSE_LIMIT_S) -> None:
        """Wait for the polls that are just being answered, for at most `limit_s` seconds."""
        self._alarm.cancel()
        ends_at_s = self._clock.monotonic_s() + limit_s
        while self._tasks and (left_s := ends_at_s - self._clock.monotonic_s()) > 0:
            await asyncio.wait(self._tasks, timeout=left_s)

    def revoked(self, link: Link) -> None:
        """End the polls of a tracking link that was revoked. Those that are reading now will be refused."""
        for poll in self.hub.polls(order_feed(link.order_id)):
            if poll.by.role is Role.LINK and poll.by.name == str(link.id):
                if poll.parked:
                    self._refuse(poll, Unauthenticated("invalid"))
                else:  # the hub counts what is parked by its principal
                    poll.by = REVOKED

    # Who may see what

    def _shown(self, by: Principal, answer: Answer) -> Answer:
        """The answer with what `by` may see of its order."""
        if by.role is not Role.LINK or isinstance(answer.state, FeedState):
            return answer
        if self._for_links[0] is not answer.state:
            self._for_links = (answer.state, redact_for_link(answer.state))
        return msgspec.structs.replace(answer, state=self._for_links[1])

    def _hold_s(self, request: PollRequest, by: Principal) -> float:
        """A hold ends before the token does."""
        left_s = hold_s(request, self.max_timeout_s)
        if by.expires_at_s is not None:
            left_s = min(left_s, max(0.0, by.expires_at_s - self._clock.now_ms() / 1000 - TICK_S))
        return left_s

    # Steps: what a poll goes through, whether or not all it wants to know is at hand

    def _joined(self, feed: FeedKey, request: PollRequest, waiter: Waiter, by: Principal) -> HeldPoll:
        """Raises: InvalidInput, Forbidden."""
        check_request(request, feed)
        check_party(by, feed)
        ends_at_s = self._clock.monotonic_s() + self._hold_s(request, by)
        poll: HeldPoll = Poll(
            feed, waiter, ends_at_s, conditional=request.conditional, client_id=request.client_id, by=by
        )
        self.hub.join(poll)
        return poll

    def _asked(self, poll: HeldPoll, request: PollRequest) -> Steps[Answer | HeldPoll]:
        """Of a poll that has joined. It has left when this ends, unless it is held."""
        now_s = self._clock.monotonic_s()
        try:
            state = yield from self._read_for(poll)
            decision = decide(request, state, self.epoch, poll.ends_at_s - now_s)
            answer = yield from self._park(poll, state, decision, now_s, resuming=request.has_position)
            if answer is None:
                return poll
            if answer.lacks_changes:
                answer = yield from self._complete(poll, answer, request.snapshot)
        except BaseException:
            self.hub.leave(poll)
            raise
        self.hub.leave(poll)
        self.statistics.polls[answer.reason] += 1
        return self._shown(poll.by, answer)

    def _read_for(self, poll: HeldPoll) -> Steps[State]:
        """How the feed stands, at least as new as any news the joined poll has heard of.

        Raises: OrderNotFound, Unauthenticated, when the principal may not see it, or not any more.
        """
        state = yield poll.feed
        while poll.announced > state.version:
            state = yield poll.feed
        if poll.by is REVOKED:
            raise Unauthenticated("invalid")
        if not may_see(poll.by, state):
            raise OrderNotFound(poll.feed.id)
        return state

    def _park(
        self, poll: HeldPoll, state: State, decision: Answer | Hold, now_s: float, *, resuming: bool = True
    ) -> Steps[Answer | None]:
        """Hold a joined poll, or say what to answer it now."""
        while isinstance(decision, Hold):
            until_s = now_s + decision.for_s
            match self.hub.park(poll, decision.position, until_s, seen=state.version, resuming=resuming):
                case Held(older):
                    self._alarm.set()
                    if older is not None:
                        self._answer(older, Answer(state, Reason.SUPERSEDED, older.position))
                    return None
                case Parking.GONE:
                    return None
                case Parking.DRAINING:
                    return decide_drained(decision.position, state)
                case Parking.SUPERSEDED:
                    return Answer(state, Reason.SUPERSEDED, decision.position)
                case Parking.NEWS:
                    state = yield from self._read_for(poll)
                    decision = decide_at(decision.position, state, poll.ends_at_s - now_s, conditional=poll.conditional)
        return decision

    def _complete(self, poll: HeldPoll, answer: Answer, snapshot: int = 0) -> Steps[Answer]:
        """News in a party's feed with what changed; until here only the version is known.

        What is committed while this is read comes after the answer's cursor, so the next poll has it at once.
        """
        state = yield Changes(poll.feed, answer.position, snapshot if answer.reason is Reason.CHANGED else 0)
        return msgspec.structs.replace(answer, state=state)

    def _due(self, poll: HeldPoll) -> Steps[Answer | None]:
        """Its deadline has come: compare with the store once more, then answer or, if it was ahead of it, hold on."""
        state = yield from self._read_for(poll)
        if not self.hub.has(poll):
            return None  # it left meanwhile, and hears of no news any more
        if state.version > poll.position and poll.announced < state.version:
            self.statistics.lost_wakeups += 1
            log.error("lost wake-up", feed=poll.feed, version=state.version, position=poll.position)
        now_s = self._clock.monotonic_s()
        answer = yield from self._park(poll, state, self._decide_due(poll, state, poll.ends_at_s - now_s), now_s)
        if answer is None or not answer.lacks_changes:
            return answer
        return (yield from self._complete(poll, answer))

    def _decide_due(self, poll: HeldPoll, state: State, left_s: float) -> Answer | Hold:
        if self.hub.draining:
            return decide_drained(poll.position, state)
        return decide_at(poll.position, state, left_s, conditional=poll.conditional, waited=True)

    # Answering polls that were held

    def _deliver_batch(self, batch: FeedBatch, committed_at_s: float) -> None:
        for poll in self.hub.news(batch.feed, batch.version):
            state = batch.after(poll.position)
            if state is not None:
                self._answer(poll, Answer(state, Reason.CHANGED, poll.position), committed_at_s)
                continue
            self._rejoin(poll, batch.version)
            self._settle(poll, committed_at_s)

    def _rejoin(self, poll: HeldPoll, announced: int = 0) -> None:
        """A poll that was handed back goes on as one that is reading, so that it can be settled."""
        self.hub.join(poll)
        poll.announced = announced

    def _settle(self, poll: HeldPoll, committed_at_s: float | None = None) -> None:
        """Answer a joined poll whose time has come, or hold it on."""
        steps = self._due(poll)
        try:
            answer = self._feeds.now(steps)
        except NotAtHand as cold:
            self._start(self._settle_later(poll, steps, cold.wanted, committed_at_s))
        except OrdertrackError as error:
            self._refuse(poll, error)
        else:
            self._finish(poll, answer, committed_at_s)

    async def _settle_later(
        self, poll: HeldPoll, steps: Steps[Answer | None], wanted: Wanted, committed_at_s: float | None
    ) -> None:
        """Invariant: the poll is answered or held on when this returns."""
        try:
            answer = await self._feeds.soon(steps, wanted)
        except (StoreBusy, StoreUnavailable) as error:
            self._settle_unread(poll, error)
        except OrdertrackError as error:
            self._refuse(poll, error)
        except Exception:
            incident = f"{int(self._draw() * 16**12):012x}"
            log.exception("internal error", incident=incident, feed=poll.feed)
            self._refuse(poll, InternalError(incident))
        else:
            self._finish(poll, answer, committed_at_s)

    def _settle_unread(self, poll: HeldPoll, error: OrdertrackError) -> None:
        """Answer a joined poll without the store, or refuse it when too little is known.

        "Nothing new" where nothing was announced: if that is wrong, the next poll with this position is told at once.
        """
        state = self._feeds.unread(poll.feed, max(poll.position, poll.announced))
        answer = None if state is None else self._decide_due(poll, state, left_s=0.0)
        if isinstance(answer, Answer) and not answer.lacks_changes:
            self._finish(poll, answer, None)
        else:
            self._refuse(poll, error)

    def _finish(self, poll: HeldPoll, answer: Answer | None, committed_at_s: float | None) -> None:
        if answer is not None and self.hub.leave(poll):
            self._answer(poll, answer, committed_at_s)

    def _refuse(self, poll: HeldPoll, error: OrdertrackError) -> None:
        if self.hub.leave(poll):
            poll.waiter.refuse(error)

    def _answer(self, poll: HeldPoll, answer: Answer, committed_at_s: float | None = None) -> None:
        """Of a poll that has left the hub."""
        if poll.by is not ANYONE:
            if not may_see(poll.by, answer.state):
                poll.waiter.refuse(OrderNotFound(poll.feed.id))  # it has got another courier
                return
            answer = self._shown(poll.by, answer)
        self.statistics.polls[answer.reason] += 1
        poll.waiter.answer(answer, committed_at_s)

    # Deadlines

    def _on_deadline(self) -> None:
        due = self.hub.expire(self._clock.monotonic_s())
        due.sort(key=lambda poll: poll.feed.id)  # so that polls of one feed share the making of their answer
        for poll in due[:SETTLED_AT_ONCE]:
            self._settle(poll)
        if len(due) > SETTLED_AT_ONCE:
            self._start(self._settle_rest(due[SETTLED_AT_ONCE:]))

    async def _settle_rest(self, due: Sequence[HeldPoll]) -> None:
        for n, poll in enumerate(due):
            if n % SETTLED_AT_ONCE == 0:
                await asyncio.sleep(0)
            self._settle(poll)

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
