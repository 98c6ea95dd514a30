"""What a poll is answered, and when: the decision table of PROTOCOL.md section 3 (rows 1 to 7) and its figures.

Rows 8 and 9, the caps, belong to the hub: only a poll that has to be held can meet them.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

from ordertrack.core.event import Event, Status
from ordertrack.core.feed import Cursor, version_at

if TYPE_CHECKING:
    from ordertrack.core.order import Order

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


class Reason(StrEnum):
    """Why a poll was answered when it was."""

    SNAPSHOT = "snapshot"
    CHANGED = "changed"
    RESET = "reset"
    TERMINAL = "terminal"
    TIMEOUT = "timeout"
    DRAIN = "drain"
    SUPERSEDED = "superseded"


_NEWS = frozenset({Reason.SNAPSHOT, Reason.CHANGED, Reason.RESET})


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
    def conditional(self) -> bool:
        """True when "nothing new" may be said as 304."""
        return self.cursor is None and (self.etag is not None or self.any_etag)


class Answer(msgspec.Struct, frozen=True, gc=False):
    """What to tell a client that has version `position` (None: nothing yet) of `order`."""

    order: Order
    reason: Reason
    position: int | None
    not_modified: bool = False

    @property
    def has_update(self) -> bool:
        return self.reason in _NEWS

    @property
    def events(self) -> tuple[Event, ...]:
        """All the client has not seen; the wire shows the newest MAX_EVENTS_IN_ANSWER and says so."""
        return self.order.events_after(self.position or 0) if self.has_update else ()


class Hold(msgspec.Struct, frozen=True, gc=False):
    """Hold the poll for news beyond `position`, at most `for_s` seconds; `ahead`: until the store catches up."""

    position: int
    for_s: float
    ahead: bool = False


def hold_s(request: PollRequest, max_timeout_s: float) -> float:
    """How long the poll may be held, in seconds: the least of what was asked for and what the server allows."""
    asked_s = DEFAULT_TIMEOUT_S if request.timeout_s is None else request.timeout_s
    return min(asked_s, max_timeout_s, asked_s if request.wait_s is None else request.wait_s)


def decide(request: PollRequest, order: Order, epoch: str, left_s: float) -> Answer | Hold:
    """The decision table for a poll that has just come in. `left_s` is its hold; 0 or less means answer now."""
    if not request.has_position and request.timeout_s is None:
        return Answer(order, Reason.SNAPSHOT, None)  # row 1
    position = _position(request, order, epoch)
    if position is None:
        return Answer(order, Reason.RESET, None)  # row 4
    return decide_at(position, order, left_s, conditional=request.conditional)


def decide_at(
    position: int, order: Order, left_s: float, *, conditional: bool = False, waited_ahead: bool = False
) -> Answer | Hold:
    """The rows that need no more than a position; a poll whose deadline has come goes through them once more.

    `waited_ahead` is True when a poll ahead of the store has already been held for it.
    """
    if position < order.version:
        return Answer(order, Reason.CHANGED, position)  # row 3
    if position > order.version:  # row 7
        if waited_ahead or left_s <= 0:
            return Answer(order, Reason.RESET, None)
        return Hold(position, min(left_s, AHEAD_WAIT_S), ahead=True)
    if order.status.ended:
        return Answer(order, Reason.TERMINAL, position)  # row 5
    if left_s <= 0:
        return Answer(order, Reason.TIMEOUT, position, not_modified=conditional)
    return Hold(position, left_s)  # row 6


def decide_drained(position: int, order: Order) -> Answer:
    """What a held poll is told by a node that goes away: news if there is any, else to come again."""
    answer = decide_at(position, order, 0.0)
    if isinstance(answer, Hold) or answer.reason is Reason.TIMEOUT:
        return Answer(order, Reason.DRAIN, position)
    return answer


def _position(request: PollRequest, order: Order, epoch: str) -> int | None:
    """The version the client has: cursor, then If-None-Match, then last_update, then (row 2) the current one.

    None when its cursor is of another epoch.
    """
    cursor = request.cursor or request.etag
    if cursor is not None:
        return cursor.version if cursor.epoch == epoch else None
    if request.last_update_ms is not None and not request.any_etag:
        return version_at(order, request.last_update_ms)
    return order.version
