"""What a poll is answered, and when: the decision table of PROTOCOL.md section 3 (3.5 to 3.13) and its figures.

Superseding (3.14, 3.33) and the caps (3.15, 3.16) belong to the hub: only a poll that has to be held can meet them.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from ordertrack.core.cursor import Cursor, version_at
from ordertrack.core.errors import InvalidInput
from ordertrack.core.event import Event, Status
from ordertrack.core.feed import FeedKey, FeedKind, FeedState
from ordertrack.core.order import Order

State = Order | FeedState
"""Of an order all of it; of a party's feed its version, and what changed where that is told."""

DEFAULT_TIMEOUT_S = 30.0
AHEAD_WAIT_S = 2.0
"""How long a poll that is ahead of the store waits for it: a replica or a failover may lag."""
MAX_EVENTS_IN_ANSWER = 50

NEXT_POLL_INTERVAL_S: dict[Status, int] = {
    Status.CONFIRMED: 120,
    Status.PREPARING: 60,
    Status.READY: 30,
    Status.PICKED_UP: 30,
    Status.DELIVERED: 0,
    Status.CANCELLED: 0,
}
"""Exactly the original contract's table: its clients sleep for it, and stop at 0. 0 means stop and nothing else."""
CALM_FEED_INTERVAL_S = 120
"""For a feed none of whose orders asks for less: a feed never ends, so it is never 0."""


class Reason(StrEnum):
    """Why a poll was answered when it was."""

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
    """A poll as asked for: at most one of the three positions is set. `wait_s` is `Prefer: wait`.

    `etag` is an `If-None-Match` that named one of our cursors; `any_etag` is `If-None-Match: *`.
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
    def snapshot(self) -> int:
        """Of which snapshot the next page is asked for."""
        cursor = self.cursor or self.etag
        return 0 if cursor is None else cursor.snapshot

    @property
    def conditional(self) -> bool:
        """True when "nothing new" may be said as 304."""
        return self.cursor is None and (self.etag is not None or self.any_etag)


class Answer(msgspec.Struct, frozen=True, gc=False):
    """What to tell a client that has version `position` (None: nothing yet) of an order or of a party's feed."""

    state: State
    reason: Reason
    position: int | None
    not_modified: bool = False

    @property
    def order(self) -> Order:
        """Of the answer to a poll of an order."""
        assert not isinstance(self.state, FeedState)
        return self.state

    @property
    def has_update(self) -> bool:
        return self.reason in NEWS

    @property
    def lacks_changes(self) -> bool:
        """True of news in a party's feed: `state` says only that there is some."""
        return isinstance(self.state, FeedState) and self.reason in NEWS

    @property
    def events(self) -> tuple[Event, ...]:
        """All the client has not seen of an order; the wire shows the newest MAX_EVENTS_IN_ANSWER and says so."""
        if isinstance(self.state, FeedState) or not self.has_update:
            return ()
        return self.state.events_after(self.position or 0)


class Hold(msgspec.Struct, frozen=True, gc=False):
    """Hold the poll for news beyond `position`, at most `for_s` seconds."""

    position: int
    for_s: float


def hold_s(request: PollRequest, max_timeout_s: float) -> float:
    """How long the poll may be held, in seconds: the least of what was asked for and what the server allows."""
    asked_s = DEFAULT_TIMEOUT_S if request.timeout_s is None else request.timeout_s
    return min(asked_s, max_timeout_s, asked_s if request.wait_s is None else request.wait_s)


def check_request(request: PollRequest, feed: FeedKey) -> None:
    """Whether this feed can be asked for like this. Raises InvalidInput."""
    if feed.kind is FeedKind.ORDER:
        if request.cursor is not None and request.cursor.snapshot:
            raise InvalidInput("cursor", "the `cursor` of an earlier answer about this order")
    elif request.last_update_ms is not None:
        raise InvalidInput("last_update", "left out here: send the `cursor` of your last answer instead")


def decide(request: PollRequest, state: State, epoch: str, left_s: float) -> Answer | Hold:
    """The decision table for a poll that has just come in. `left_s` is its hold; 0 or less means answer now."""
    if not request.has_position and request.timeout_s is None:
        return Answer(state, Reason.SNAPSHOT, None)  # 3.5
    position = _position(request, state, epoch)
    if position is None:
        return Answer(state, Reason.RESET, None)  # 3.7
    return decide_at(position, state, left_s, conditional=request.conditional)


def decide_at(
    position: int, state: State, left_s: float, *, conditional: bool = False, waited: bool = False
) -> Answer | Hold:
    """The rows that need no more than a position; a poll whose deadline has come goes through them once more.

    `waited` is True when the poll has been held already: a store that is still behind it is not waited for again.
    An ended order is never held, not even for a store that is behind: more versions are not expected.
    """
    if position < state.version:
        return Answer(state, Reason.CHANGED, position)  # 3.8
    ended = has_ended(state)
    if position > state.version:  # 3.9
        if ended or waited or left_s <= 0:
            return Answer(state, Reason.RESET, None)
        return Hold(position, min(left_s, AHEAD_WAIT_S))
    if ended:
        return Answer(state, Reason.TERMINAL, position)  # 3.10
    if left_s <= 0:
        return Answer(state, Reason.TIMEOUT, position, not_modified=conditional)  # 3.12
    return Hold(position, left_s)  # 3.11


def decide_news(position: int, order: Order) -> Answer:
    """What a held poll is told by a commit that ends its hold: an event after its position, or the end of the order."""
    answer = decide_at(position, order, 0.0)
    assert isinstance(answer, Answer)
    return answer


def decide_drained(position: int, state: State) -> Answer:
    """What a held poll is told by a node that goes away: news if there is any, else to come again."""
    answer = decide_at(position, state, 0.0)
    if isinstance(answer, Hold) or answer.reason is Reason.TIMEOUT:
        return Answer(state, Reason.DRAIN, position)
    return answer


def has_ended(state: State) -> bool:
    """Nothing more will come. People go on ordering, so a feed of theirs never ends."""
    return not isinstance(state, FeedState) and state.status.ended


def next_poll_interval_s(state: State) -> int:
    """For clients that sleep between polls; 0 means stop."""
    if not isinstance(state, FeedState):
        return NEXT_POLL_INTERVAL_S[state.status]
    intervals_s = (NEXT_POLL_INTERVAL_S[order.status] for order in state.changes.orders if not order.status.ended)
    return min(intervals_s, default=CALM_FEED_INTERVAL_S)


def _position(request: PollRequest, state: State, epoch: str) -> int | None:
    """The version the client has: cursor, then If-None-Match, then last_update, then (3.6) the current one.

    None when its cursor is of another epoch.
    """
    cursor = request.cursor or request.etag
    if cursor is not None:
        return cursor.version if cursor.epoch == epoch else None
    if request.last_update_ms is not None and not request.any_etag and not isinstance(state, FeedState):
        return version_at(state, request.last_update_ms)
    return state.version
