"""The steps of one poll, as plans that `reads.py` runs: from joining the hub to its answer or its hold."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import structlog

from ordertrack.core.errors import OrderNotFound, Unauthenticated
from ordertrack.core.hub import Hub, Parking
from ordertrack.core.poll import Answer, Hold, PollRequest, Reason, State, decide, decide_at, decide_drained
from ordertrack.core.principal import Principal, Role
from ordertrack.ports.clock import Clock
from ordertrack.service.authorization import may_see
from ordertrack.service.monitoring.statistics import Statistics
from ordertrack.service.tracking.reads import ChangesRequest, ReadPlan
from ordertrack.service.tracking.waiter import Waiter, WaitingPoll

REVOKED = Principal(Role.LINK, "revoked", order_id=-1)
"""The principal of a poll whose link was revoked while the poll was reading."""

MAX_READS = 20

log = structlog.get_logger("ordertrack.tracking")


class PollPlans:
    """Each plan is for a poll that has joined the hub. `on_parked` is called after a poll parked, with the end of its
    hold, the poll that it superseded (or None) and the state that was read."""

    def __init__(
        self,
        hub: Hub[Waiter],
        clock: Clock,
        statistics: Statistics,
        on_parked: Callable[[float, WaitingPoll | None, State], None],
    ) -> None:
        self._hub = hub
        self._clock = clock
        self._statistics = statistics
        self._on_parked = on_parked

    def poll(self, poll: WaitingPoll, request: PollRequest, epoch: str) -> ReadPlan[Answer | WaitingPoll]:
        """Answer the poll or hold it. If it is not held, it has left the hub when the plan ends."""
        now_s = self._clock.monotonic_s()
        try:
            state = yield from self._state_plan(poll)
            decision = decide(request, state, epoch, poll.ends_at_s - now_s)
        except BaseException:
            self._hub.leave(poll)
            raise
        return (yield from self.answer_or_hold(poll, request, state, decision, now_s))

    def answer_or_hold(
        self, poll: WaitingPoll, request: PollRequest, state: State, decision: Answer | Hold, now_s: float
    ) -> ReadPlan[Answer | WaitingPoll]:
        try:
            answer = yield from self._park_plan(poll, state, decision, now_s, resuming=request.has_position)
            if answer is None:
                return poll
            if answer.lacks_changes:
                answer = yield from self._changes_plan(poll, answer, request.after_id)
        except BaseException:
            self._hub.leave(poll)
            raise
        self._hub.leave(poll)
        return answer

    def _state_plan(self, poll: WaitingPoll) -> ReadPlan[State]:
        """Read the state of the feed, at least at the version that was announced to the poll.

        Raises: OrderNotFound, Unauthenticated, when the principal may not see it, or not any more.
        """
        state = yield poll.feed
        for _ in range(MAX_READS):  # a store that lost commits in a failover may never have it
            if poll.announced <= state.version:
                break
            state = yield poll.feed
        if poll.by is REVOKED:
            raise Unauthenticated("invalid", "revoked")
        if not may_see(poll.by, state):
            raise OrderNotFound(poll.feed.id)
        return state

    def _park_plan(
        self, poll: WaitingPoll, state: State, decision: Answer | Hold, now_s: float, *, resuming: bool = True
    ) -> ReadPlan[Answer | None]:
        """Park the poll, or return its answer."""
        while isinstance(decision, Hold):
            match self.park(poll, decision, state, now_s, resuming=resuming):
                case None | Parking.GONE:
                    return None
                case Parking.DRAINING:
                    return decide_drained(decision.position, state)
                case Parking.SUPERSEDED:
                    return Answer(state, Reason.SUPERSEDED, decision.position)
                case Parking.NEWS:
                    state = yield from self._state_plan(poll)
                    decision = decide_at(decision.position, state, poll.ends_at_s - now_s, conditional=poll.conditional)
        return decision

    def park(self, poll: WaitingPoll, hold: Hold, state: State, now_s: float, *, resuming: bool) -> Parking | None:
        """Park the poll; return None, or the reason why it is not parked. Raises: TooManyPolls, NodeFull."""
        until_s = now_s + hold.for_s
        if self._hub.draining and not self._hub.closed:
            until_s = min(until_s, self._hub.drawn_end_s(now_s))
        parked = self._hub.park(poll, hold.position, until_s, seen=state.version, resuming=resuming)
        if isinstance(parked, Parking):
            return parked
        self._on_parked(until_s, parked.superseded, state)
        return None

    def _changes_plan(self, poll: WaitingPoll, answer: Answer, after_id: int = 0) -> ReadPlan[Answer]:
        """Add the changes to news of a party's feed, of which only the version is known.

        Changes that are committed during the read come after the answer's cursor: the next poll gets them at once.
        """
        state = yield ChangesRequest(poll.feed, answer.position, after_id if answer.reason is Reason.CHANGED else 0)
        return msgspec.structs.replace(answer, state=state)

    def resolve(self, poll: WaitingPoll) -> ReadPlan[Answer | None]:
        """Read the state for a poll that is due (deadline, news or drain), then answer it or hold it again."""
        state = yield from self._state_plan(poll)
        if not poll.joined:
            return None  # it left meanwhile
        if state.version > poll.position and poll.announced < state.version:
            self._statistics.lost_wakeups += 1
            log.error("lost wake-up", feed=poll.feed, version=state.version, position=poll.position)
        now_s = self._clock.monotonic_s()
        decision = self.decide_due(poll, state, poll.ends_at_s - now_s)
        answer = yield from self._park_plan(poll, state, decision, now_s)
        if answer is None or not answer.lacks_changes:
            return answer
        return (yield from self._changes_plan(poll, answer))

    def decide_due(self, poll: WaitingPoll, state: State, left_s: float) -> Answer | Hold:
        if self._hub.draining:
            return decide_drained(poll.position, state)
        return decide_at(poll.position, state, left_s, conditional=poll.conditional, waited=True)
