"""The promises of the product, each as a function that returns the violations in a history.

Names are those of etcd's robustness tests where the promise is the same. `check_all` runs every check.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple

from cluster.history import Attempt, Fault, Feed, History, OrderState, Poll, Session, StoredEvent, StoredOrder

NEWS_WITHIN_S = 0.25
"""A held poll is answered this soon after news was acknowledged, while nothing is disturbed."""
RECOVERED_WITHIN_S = 5.0
"""The same after the end of a disturbance."""
MAX_STARVED_SHARE = 0.3
"""Share of a time without CPU from which on a request may fail: the limits of a store are exceeded then."""
MAX_EVENTS_IN_ANSWER = 50
REDACTED_AFTER = StoredEvent._fields.index("actor")
"""The fields of an event that a tracking link shows."""
PROGRESSION = ("confirmed", "preparing", "ready", "picked_up", "delivered")
ENDED = frozenset(("delivered", "cancelled"))
SERVED = (200, 304)


class Violation(NamedTuple):
    check: str
    at_s: float
    text: str


class News(NamedTuple):
    """An acknowledged change, for the feeds that it belongs to."""

    sent_s: float
    acknowledged_s: float
    order_id: int
    version: int
    node: str


class Replayed(NamedTuple):
    """A poll with the versions that its client had before it and after it, by order."""

    poll: Poll
    before: dict[int, int]
    after: dict[int, int]


class Evidence:
    """A history with what several checks derive from it."""

    def __init__(self, history: History) -> None:
        self.history = history
        self._faults = sorted(history.faults, key=lambda fault: fault.begin_s)

    @cached_property
    def stored(self) -> dict[int, StoredOrder]:
        """The orders as the node that started last read them: it has nothing in memory."""
        return list(self.history.final.values())[-1] if self.history.final else {}

    @cached_property
    def news(self) -> dict[Feed, list[News]]:
        """All acknowledged changes by feed, in the order of their acknowledgement."""
        by_feed: defaultdict[Feed, list[News]] = defaultdict(list)
        for attempt in sorted(self.history.attempts, key=lambda attempt: attempt.done_s):
            order = self.stored.get(attempt.order_id)
            if attempt.outcome != "acknowledged" or not attempt.changed or order is None:
                continue
            news = News(attempt.sent_s, attempt.done_s, order.id, attempt.version, attempt.node)
            for feed in feeds_of(order, attempt.version):
                by_feed[feed].append(news)
        return by_feed

    def replay(self, session: Session) -> Iterator[Replayed]:
        """Yield the polls of a session, each with what its client knew.

        A snapshot shows no ended orders, and `left` names no version. There the newest change that may have been made
        by then counts as known.
        """
        known: dict[int, int] = {}
        for poll in session.polls:
            before = dict(known)
            if poll.http_status == 200:
                known.update((state.order_id, state.version) for state in poll.states)
                shown = {state.order_id for state in poll.states}
                is_snapshot = poll.reason == "snapshot" and session.feed.kind != "order"
                if is_snapshot or poll.left:
                    for news in self.news.get(session.feed, ()):
                        is_gone = news.order_id in poll.left or (is_snapshot and news.order_id not in shown)
                        if is_gone and news.sent_s < poll.answered_s:
                            known[news.order_id] = max(news.version, known.get(news.order_id, 0))
            yield Replayed(poll, before, dict(known))

    def due_s(self, begin_s: float, *nodes: str) -> float:
        """Return by when a poll has to be answered that waits since `begin_s`.

        Of the faults count those of the whole cluster and those of the nodes: the poll's and that of the change.
        """
        due_s = begin_s + NEWS_WITHIN_S
        for fault in self._faults:
            is_near = fault.node is None or fault.node in nodes
            if is_near and fault.begin_s <= due_s and fault.end_s + RECOVERED_WITHIN_S >= begin_s:
                due_s = max(due_s, fault.end_s + RECOVERED_WITHIN_S)
        return due_s

    def is_late(self, begin_s: float, end_s: float, *nodes: str) -> bool:
        if end_s - begin_s <= NEWS_WITHIN_S:
            return False
        return self.due_s(begin_s, *nodes) + self.history.starvation.between(begin_s, end_s) < end_s

    def disturbances(self, begin_s: float, end_s: float, node: str | None) -> list[Fault]:
        """Return the faults that were felt in a time: those of the node and of the cluster, or all of them."""
        return [
            fault
            for fault in self._faults
            if (node is None or fault.node in (None, node))
            and fault.begin_s <= end_s
            and fault.end_s + RECOVERED_WITHIN_S >= begin_s
        ]


def feeds_of(order: StoredOrder, version: int) -> set[Feed]:
    """Return the feeds that have news when the order gets this version: also that of a courier who loses it."""
    couriers = {order.courier_at(version), order.courier_at(version - 1)} - {None}
    return {
        Feed("order", str(order.id)),
        Feed("customer", order.customer_id),
        Feed("restaurant", order.restaurant_id),
        *(Feed("courier", str(courier)) for courier in couriers),
    }


def check_durable(evidence: Evidence) -> Iterator[Violation]:
    """Every acknowledged change is in the store, with the version and the status of its acknowledgement."""
    for attempt in evidence.history.attempts:
        if attempt.outcome != "acknowledged":
            continue
        order = evidence.stored.get(attempt.order_id)
        if order is None:
            yield Violation("durable", attempt.done_s, f"{_name(attempt)}: the store has no such order")
        elif attempt.changed:
            event = order.events[attempt.version - 1] if attempt.version <= len(order.events) else None
            is_same = event is not None and event.status == attempt.status
            if is_same and event is not None:
                is_same = {
                    "status": event.token == attempt.token,
                    "courier": event.courier_id == attempt.courier_id,
                    "create": event.type == "created",
                }[attempt.kind]
            if not is_same:
                yield Violation("durable", attempt.done_s, f"{_name(attempt)}: the store has {event} instead")


def check_explained(evidence: Evidence) -> Iterator[Violation]:
    """A change that was refused was not made, and one attempt made at most one change."""
    by_token = {attempt.token: attempt for attempt in evidence.history.attempts}
    seen: dict[str, tuple[int, int]] = {}
    for order in evidence.stored.values():
        for event in order.events:
            if event.token is None or event.actor == "simulator":
                continue
            attempt = by_token.get(event.token)
            place = (order.id, event.version)
            if attempt is None:
                yield Violation("explained", 0, f"order {order.id} has an event of no client: {event}")
            elif attempt.outcome == "refused":
                yield Violation("explained", attempt.done_s, f"{_name(attempt)} was refused and made: {event}")
            if event.token in seen:
                yield Violation("explained", 0, f"{event.token} was made twice: {seen[event.token]} and {place}")
            seen[event.token] = place


def check_unique(evidence: Evidence) -> Iterator[Violation]:
    """No two changes are acknowledged with the same version of an order."""
    owners: dict[tuple[int, int], Attempt] = {}
    for attempt in evidence.history.attempts:
        if attempt.outcome == "acknowledged" and attempt.changed and attempt.kind != "create":
            other = owners.setdefault((attempt.order_id, attempt.version), attempt)
            if other is not attempt:
                yield Violation("unique", attempt.done_s, f"{_name(attempt)} and {_name(other)} are the same version")


def check_ordered(evidence: Evidence) -> Iterator[Violation]:
    """Versions are 1, 2, 3, … and their times increase, although the clocks of nodes differ. No client goes back."""
    for order in evidence.stored.values():
        if [event.version for event in order.events] != list(range(1, order.version + 1)):
            yield Violation("ordered", 0, f"order {order.id} has versions {[e.version for e in order.events]}")
        for one, following in pairwise(order.events):
            if following.recorded_at <= one.recorded_at:
                yield Violation("ordered", 0, f"order {order.id}: times of {one} and {following}")
    for session in _followers(evidence):
        position, shown = 0, dict[int, int]()
        for poll in session.polls:
            if poll.http_status != 200:
                continue
            back = [state for state in poll.states if state.version < shown.get(state.order_id, 0)]
            if back or poll.version < position:
                yield Violation("ordered", poll.answered_s, f"{_of(session, poll)} goes back from {position}: {back}")
            position = poll.version
            shown.update((state.order_id, state.version) for state in poll.states)


def check_reliable(evidence: Evidence) -> Iterator[Violation]:
    """An answer has every event after the client's position, each once and as it is stored."""
    for session in evidence.history.sessions:
        order = evidence.stored.get(int(session.feed.id)) if session.feed.kind == "order" else None
        for poll in session.polls:
            if poll.http_status != 200 or order is None or poll.position is None:
                continue
            first = max(poll.position, poll.version - MAX_EVENTS_IN_ANSWER) if poll.truncated else poll.position
            expected, found = order.events[first : poll.version], poll.events
            if session.redacted:
                expected, found = (tuple(event[:REDACTED_AFTER] for event in events) for events in (expected, found))
            if expected != found:
                text = f"{_of(session, poll)} has events {found} instead of {expected}"
                yield Violation("reliable", poll.answered_s, text)


def check_resumable(evidence: Evidence) -> Iterator[Violation]:
    """A position is valid on every node: no poll that has one is answered with a reset, a snapshot or a 4xx."""
    for session in _followers(evidence):
        for poll in session.polls:
            is_refused = poll.reason in ("reset", "snapshot") or 400 <= poll.http_status < 500
            if poll.position is not None and is_refused and poll.http_status != 429:
                text = f"{_of(session, poll)}: {poll.http_status} {poll.error or poll.reason}"
                yield Violation("resumable", poll.answered_s, text)


def check_bookmarkable(evidence: Evidence) -> Iterator[Violation]:
    """An answer without news has the state of the client's position: the client has missed nothing up to it."""
    for session in _followers(evidence):
        for poll in session.polls:
            if poll.reason in ("timeout", "drain", "superseded", "terminal") and poll.version != poll.position:
                text = f"{_of(session, poll)}: {poll.reason} with version {poll.version}"
                yield Violation("bookmarkable", poll.answered_s, text)


def check_prompt(evidence: Evidence) -> Iterator[Violation]:
    """No poll waits over news: it ends within NEWS_WITHIN_S after both its request and the acknowledgement."""
    for session in _followers(evidence):
        news, next_unknown = evidence.news.get(session.feed, []), 0
        for poll, before, _ in evidence.replay(session):
            while next_unknown < len(news) and news[next_unknown].version <= before.get(news[next_unknown].order_id, 0):
                next_unknown += 1
            if poll.position is None or poll.end not in ("answered", "gave_up", "stopped"):
                continue
            for change in _after(news, next_unknown, poll.answered_s - NEWS_WITHIN_S):
                if change.version <= before.get(change.order_id, 0):
                    continue
                waits_since_s = max(change.acknowledged_s, poll.sent_s)
                if evidence.is_late(waits_since_s, poll.answered_s, poll.node, change.node):
                    waited_s = poll.answered_s - waits_since_s
                    text = f"{_of(session, poll)} {poll.reason or poll.end} {waited_s:.3f} s after {change}"
                    yield Violation("prompt", poll.answered_s, text)
                    break


def check_fresh(evidence: Evidence) -> Iterator[Violation]:
    """No answer shows a state from before a change that was acknowledged NEWS_WITHIN_S earlier."""
    for session in evidence.history.sessions:
        news, next_unknown = evidence.news.get(session.feed, []), 0
        for poll, _, after in evidence.replay(session):
            if not session.follows:
                next_unknown = 0
            while next_unknown < len(news) and news[next_unknown].version <= after.get(news[next_unknown].order_id, 0):
                next_unknown += 1
            if poll.http_status not in SERVED or poll.more:
                continue
            for change in _after(news, next_unknown, poll.answered_s - NEWS_WITHIN_S):
                if change.version <= after.get(change.order_id, 0):
                    continue
                if evidence.is_late(change.acknowledged_s, poll.answered_s, poll.node, change.node):
                    age_s = poll.answered_s - change.acknowledged_s
                    text = f"{_of(session, poll)} {poll.reason} lacks {change}, {age_s:.3f} s old"
                    yield Violation("fresh", poll.answered_s, text)
                    break


def check_converged(evidence: Evidence) -> Iterator[Violation]:
    """At the end all nodes and all clients have the state of the store."""
    for node, orders in evidence.history.final.items():
        for order_id, order in evidence.stored.items():
            if orders.get(order_id) != order:
                yield Violation("converged", math.inf, f"{node} has another order {order_id}: {orders.get(order_id)}")
    for session in _followers(evidence):
        states = _final_states(session)
        for order in evidence.stored.values():
            state = states.get(order.id)
            text = f"{session.client} has {state} of order {order.id}, the store has {order.version} {order.status}"
            if session.ended:
                is_wrong = state is not None and order.events[state.version - 1].status not in ENDED
            elif not session.polls or session.feed not in feeds_of(order, order.version + 1):
                is_wrong = state is not None
            else:
                is_current = state is not None and (state.version, state.status) == (order.version, order.status)
                is_wrong = not is_current and (state is not None or order.status not in ENDED)
            if is_wrong:
                yield Violation("converged", math.inf, text)


def check_drained(evidence: Evidence) -> Iterator[Violation]:
    """A node that drains answers every poll that it has with 200 (304 at its deadline)."""
    drains = [fault for fault in evidence.history.faults if fault.kind == "node_drain"]
    for drain in drains:
        if drain.failure:
            yield Violation("drained", drain.begin_s, f"{drain.node}: {drain.failure}")
    for session in evidence.history.sessions:
        for poll in session.polls:
            for drain in drains:
                is_held = poll.node == drain.node and poll.sent_s < drain.begin_s < poll.answered_s
                if not is_held or poll.http_status in SERVED or poll.end in ("dropped", "stopped"):
                    continue
                disturbed = evidence.disturbances(poll.sent_s, poll.answered_s, poll.node)
                if not any(fault is not drain and fault.kind != "node_drain" for fault in disturbed):
                    text = f"{_of(session, poll)} got {poll.http_status} {poll.end} {poll.error} in a drain"
                    yield Violation("drained", poll.answered_s, text)


def check_answered(evidence: Evidence) -> Iterator[Violation]:
    """Polls are answered while nothing is disturbed, and no request gets 500 at any time."""
    for session in evidence.history.sessions:
        for poll in session.polls:
            is_failed = poll.end in ("broken", "gave_up") or poll.http_status >= 500
            if is_failed and _is_unexcused(evidence, poll.http_status, poll.sent_s, poll.answered_s, poll.node):
                text = f"{_of(session, poll)}: {poll.http_status} {poll.end} {poll.error}"
                yield Violation("answered", poll.answered_s, text)
    for attempt in evidence.history.attempts:
        is_failed = attempt.outcome == "unknown" or attempt.http_status >= 500
        # A node that was stopped in a transaction holds locks of rows: any fault excuses a change that was not made.
        if is_failed and _is_unexcused(evidence, attempt.http_status, attempt.sent_s, attempt.done_s, None):
            yield Violation("answered", attempt.done_s, f"{_name(attempt)}: {attempt.http_status}")


def check_idempotent(evidence: Evidence) -> Iterator[Violation]:
    """One Idempotency-Key makes one order, also when it is repeated on another node."""
    by_key: defaultdict[str, set[int]] = defaultdict(set)
    for order in evidence.stored.values():
        by_key[order.key].add(order.id)
    for attempt in evidence.history.attempts:
        if attempt.kind == "create" and attempt.outcome == "acknowledged":
            by_key[attempt.token].add(attempt.order_id)
    for key, order_ids in by_key.items():
        if len(order_ids) > 1:
            yield Violation("idempotent", 0, f"key {key} made orders {sorted(order_ids)}")


def check_once(evidence: Evidence) -> Iterator[Violation]:
    """Each step of a simulation is taken once, and all are taken."""
    for order_id in evidence.history.simulated:
        order = evidence.stored.get(order_id)
        if order is None:
            continue  # check_durable reports it
        steps = [event.status for event in order.events if event.actor == "simulator"]
        if steps != list(PROGRESSION[1:]):
            yield Violation("once", math.inf, f"order {order_id} was simulated with the steps {steps}")


CHECKS: tuple[Callable[[Evidence], Iterator[Violation]], ...] = (
    check_durable, check_explained, check_unique, check_ordered, check_reliable, check_resumable, check_bookmarkable,
    check_prompt, check_fresh, check_converged, check_drained, check_answered, check_idempotent, check_once,
)  # fmt: skip


def check_all(history: History) -> list[Violation]:
    """Return the violations of all checks, the earliest first."""
    evidence = Evidence(history)
    return sorted((violation for check in CHECKS for violation in check(evidence)), key=lambda found: found.at_s)


def _followers(evidence: Evidence) -> Iterator[Session]:
    return (session for session in evidence.history.sessions if session.follows)


def _after(news: list[News], index: int, until_s: float) -> Iterator[News]:
    for change in news[index:]:
        if change.acknowledged_s >= until_s:
            return
        yield change


def _final_states(session: Session) -> dict[int, OrderState]:
    states: dict[int, OrderState] = {}
    for poll in session.polls:
        states.update((state.order_id, state) for state in poll.states)
        for order_id in poll.left:
            states.pop(order_id, None)
    return states


def _is_unexcused(evidence: Evidence, http_status: int, sent_s: float, done_s: float, node: str | None) -> bool:
    """Return True for 500, and for another failure when nothing was disturbed and processes had their CPU time."""
    if http_status == 500:
        return True
    starved_s = evidence.history.starvation.between(sent_s - RECOVERED_WITHIN_S, done_s)
    is_starved = starved_s > MAX_STARVED_SHARE * (done_s - sent_s + RECOVERED_WITHIN_S)
    return not is_starved and not evidence.disturbances(sent_s, done_s, node)


def _name(attempt: Attempt) -> str:
    return (
        f"{attempt.kind} {attempt.token} of order {attempt.order_id} on {attempt.node} "
        f"({attempt.outcome}, version {attempt.version}, {attempt.status})"
    )


def _of(session: Session, poll: Poll) -> str:
    return f"{session.client} on {poll.node} at {poll.sent_s:.3f} from {poll.position}, {'/'.join(session.feed)}:"
