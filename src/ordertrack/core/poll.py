"""The decision on a poll, answer or hold: the table of PROTOCOL.md section 3 (3.5 to 3.13) and its times.

Superseding (3.14, 3.33) and the caps (3.15, 3.16) are in the hub, since they concern held polls only.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from ordertrack.core.cursor import Cursor, version_at
from ordertrack.core.enum_members import plain_members
from ordertrack.core.errors import InvalidInput
from ordertrack.core.event import Event, Status
from ordertrack.core.feed import FeedKey, FeedKind, FeedState
from ordertrack.core.order import Order

State = Order | FeedState
"""The order, or a party's feed at its version."""

DEFAULT_TIMEOUT_S = 30.0
AHEAD_WAIT_S = 2.0
"""Seconds that a poll ahead of the store is held for it: a replica or a failover may lag."""
MAX_EVENTS_IN_ANSWER = 50

NEXT_POLL_INTERVAL_S: dict[Status, int] = {
    Status.CONFIRMED: 120,
    Status.PREPARING: 60,
    Status.READY: 30,
    Status.PICKED_UP: 30,
    Status.DELIVERED: 0,
    Status.CANCELLED: 0,
}
"""Seconds, as in the original contract: its clients sleep for them. 0 always means stop."""
IDLE_FEED_INTERVAL_S = 120
"""Seconds for a feed without active orders: never 0, since a feed never ends."""


@plain_members
class Reason(StrEnum):
    """The reason for an answer."""

    __hash__ = str.__hash__  # Enum's own is written in Python, and every answer is counted by its reason

    SNAPSHOT = "snapshot"
    CHANGED = "changed"
    RESET = "reset"
    TERMINAL = "terminal"
    TIMEOUT = "timeout"
    DRAIN = "drain"
    SUPERSEDED = "superseded"


NEWS = frozenset({Reason.SNAPSHOT, Reason.CHANGED, Reason.RESET})


class PollRequest(msgspec.Struct, frozen=True, gc=False):
    """A parsed poll. `wait_s` is `Prefer: wait`; at most one of the three positions is set.

    `etag` is an `If-None-Match` with a cursor of this server; `any_etag` is `If-None-Match: *`.
    """

    cursor: Cursor | None = None
    etag: Cursor | None = None
    any_etag: bool = False
    last_update_ms: int | None = None
    timeout_s: float | None = None
    wait_s: float | None = None
    client_id: str | None = None

    @property
    def has_position(self) -> bool:
        return not (self.cursor is None and self.etag is None and not self.any_etag and self.last_update_ms is None)

    @property
    def after_id(self) -> int:
        """The order after which the next page of a snapshot is requested; 0 for none."""
        cursor = self.cursor or self.etag
        return 0 if cursor is None else cursor.after_id

    def is_ahead_of(self, state: State) -> bool:
        """Return True when the client has seen a newer state: from another node of the cluster."""
        if self.last_update_ms is not None and not isinstance(state, FeedState):
            return self.last_update_ms > state.updated_at_ms
        cursor = self.cursor or self.etag
        return cursor is not None and cursor.version > state.version

    @property
    def conditional(self) -> bool:
        """True when an answer without news may be a 304."""
        return self.cursor is None and (self.etag is not None or self.any_etag)


class Answer(msgspec.Struct, frozen=True, gc=False):
    """The answer to a client that has version `position` (None: none yet) of an order or of a party's feed."""

    state: State
    reason: Reason
    position: int | None
    not_modified: bool = False

    @property
    def order(self) -> Order:
        """The order, in an answer to a poll of an order."""
        assert not isinstance(self.state, FeedState)
        return self.state

    @property
    def lacks_changes(self) -> bool:
        """True for news of a party's feed: `state` has only its version."""
        return isinstance(self.state, FeedState) and self.reason in NEWS

    @property
    def events(self) -> tuple[Event, ...]:
        """All events after the position; `http/wire` sends the newest MAX_EVENTS_IN_ANSWER and a flag."""
        if isinstance(self.state, FeedState) or self.reason not in NEWS:
            return ()
        return self.state.timeline[self.position or 0 :]


class Hold(msgspec.Struct, frozen=True, gc=False):
    """Hold the poll for news beyond `position`, at most `for_s` seconds."""

    position: int
    for_s: float


def hold_s(request: PollRequest, max_timeout_s: float) -> float:
    """Return the longest hold in seconds: the least of the requested times and the server's limit."""
    requested_s = DEFAULT_TIMEOUT_S if request.timeout_s is None else request.timeout_s
    return min(requested_s, max_timeout_s, requested_s if request.wait_s is None else request.wait_s)


def check_request(request: PollRequest, feed: FeedKey) -> None:
    """Check that the parameters fit the kind of feed.

    Raises: InvalidInput.
    """
    if feed.kind is FeedKind.ORDER:
        if request.cursor is not None and request.cursor.after_id:
            raise InvalidInput("cursor", "the `cursor` of an earlier answer about this order")
    elif request.last_update_ms is not None:
        raise InvalidInput("last_update", "left out here: send the `cursor` of your last answer instead")


def decide(request: PollRequest, state: State, epoch: str, left_s: float) -> Answer | Hold:
    """Decide a new poll by the table. `left_s` is its hold in seconds; 0 or less means answer now."""
    if not request.has_position and request.timeout_s is None:
        return Answer(state, Reason.SNAPSHOT, None)  # 3.5
    position = _position(request, state, epoch)
    if position is None:
        return Answer(state, Reason.RESET, None)  # 3.7
    if request.after_id and isinstance(state, FeedState):  # 3.30: never held, since a held poll keeps only its version
        is_ahead = position > state.version
        return Answer(state, Reason.RESET, None) if is_ahead else Answer(state, Reason.CHANGED, position)
    return decide_at(position, state, left_s, conditional=request.conditional)


def decide_at(
    position: int, state: State, left_s: float, *, conditional: bool = False, waited: bool = False
) -> Answer | Hold:
    """Decide by the rows that need only a position. A held poll is decided by them again at its deadline.

    `waited` is True for such a poll: it does not wait again for a store that is behind it. A poll of an ended order is
    never held, not even for a store that is behind: no more versions are expected.
    """
    if left_s > 0 and position >= state.version and not has_ended(state):
        if position == state.version:
            return Hold(position, left_s)  # 3.11
        if not waited:
            return Hold(position, min(left_s, AHEAD_WAIT_S))  # 3.9
    return answer_now(position, state, conditional=conditional)


def answer_now(position: int, state: State, *, conditional: bool = False) -> Answer:
    """Answer a poll that is not held, or no longer: after a commit, at its deadline, in a drain."""
    if position < state.version:
        return Answer(state, Reason.CHANGED, position)  # 3.8
    if position > state.version:
        return Answer(state, Reason.RESET, None)  # 3.9
    if has_ended(state):
        return Answer(state, Reason.TERMINAL, position)  # 3.10
    return Answer(state, Reason.TIMEOUT, position, not_modified=conditional)  # 3.12


def decide_drained(position: int, state: State) -> Answer:
    """Answer a held poll in a drain: with news if there is any, else with the request to poll again."""
    answer = answer_now(position, state)
    if answer.reason is Reason.TIMEOUT:
        return Answer(state, Reason.DRAIN, position)
    return answer


def has_ended(state: State) -> bool:
    """Return True for an ended order. A party's feed never ends."""
    return not isinstance(state, FeedState) and state.status.ended


def next_poll_interval_s(state: State) -> int:
    """Return the seconds between two polls of a client that sleeps between them; 0 means stop."""
    if not isinstance(state, FeedState):
        return NEXT_POLL_INTERVAL_S[state.status]
    intervals_s = (NEXT_POLL_INTERVAL_S[order.status] for order in state.changes.orders if not order.status.ended)
    return min(intervals_s, default=IDLE_FEED_INTERVAL_S)


def _position(request: PollRequest, state: State, epoch: str) -> int | None:
    """Return the version that the client has, from cursor, If-None-Match, last_update or (3.6) the current version.

    None for a cursor of another epoch.
    """
    cursor = request.cursor or request.etag
    if cursor is not None:
        return cursor.version if cursor.epoch == epoch else None
    if request.last_update_ms is not None and not request.any_etag and not isinstance(state, FeedState):
        return version_at(state, request.last_update_ms)
    return state.version
