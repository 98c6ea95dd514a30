"""JSON answers to polls."""

from __future__ import annotations

from typing import Annotated, Any, Generic, TypeVar

from msgspec import Meta, Struct

from ordertrack.core.cursor import Cursor
from ordertrack.core.feed import FeedState
from ordertrack.core.poll import MAX_EVENTS_IN_ANSWER, NEWS, Answer, Reason, next_poll_interval_s
from ordertrack.core.timestamps import format_time
from ordertrack.http.wire.order_views import (
    CursorText,
    EventView,
    OrderView,
    Success,
    Time,
    encoded_order,
    event_view,
    order_view,
)

D = TypeVar("D")


class _PollAnswer(Struct, Generic[D], kw_only=True, gc=False):
    """The answer to a poll. The first five keys are those of the original contract."""

    success: Success = True
    data: D
    has_update: bool
    next_poll_interval: Annotated[int, Meta(description="Seconds. 0 means: stop polling.")]
    battery_tip: str
    cursor: CursorText
    reason: Reason
    reset: Annotated[bool, Meta(description="Discard what you know: the server has another history.")]
    terminal: Annotated[bool, Meta(description="The order has ended and will not change.")]
    events: Annotated[
        list[EventView], Meta(description="Events since your position, oldest first, at most the newest 50.")
    ]
    events_truncated: Annotated[bool, Meta(description="True when `events` leaves out older ones.")]
    max_timeout: Annotated[float | int, Meta(description="The longest hold this server grants, in seconds.")]
    server_time: Time


class PollAnswer(_PollAnswer[OrderView], kw_only=True, gc=False):
    """The answer to a poll of an order."""


class FeedView(Struct, gc=False):
    orders: Annotated[
        list[OrderView], Meta(description="At most 100: a snapshot by id, then changes, the oldest change first.")
    ]


class FeedPollAnswer(_PollAnswer[FeedView], kw_only=True, gc=False):
    """The answer to a poll of a customer, a restaurant or a courier. A feed never ends, and each order has its own
    events: `terminal` is false and `events` is empty."""

    left: Annotated[list[int], Meta(description="Ids of orders that are no longer this courier's.")]
    more: Annotated[bool, Meta(description="More orders have changed: poll again at once with this `cursor`.")]


def position_of(answer: Answer, epoch: str) -> Cursor:
    """Return the position that the client has with this answer. It is unchanged when a party's feed has no news."""
    state = answer.state
    if isinstance(state, FeedState):
        if answer.reason not in NEWS and answer.position is not None:
            return Cursor(epoch, answer.position)
        return Cursor(epoch, state.version, state.changes.after_id)
    return Cursor(epoch, state.version)


def poll_answer(answer: Answer, epoch: str, max_timeout_s: float, now_ms: int) -> PollAnswer | FeedPollAnswer:
    """Return the answer. `data` of an order's answer is JSON already, and can only be encoded."""
    state, events = answer.state, answer.events
    interval_s = next_poll_interval_s(state)
    common: dict[str, Any] = {
        "has_update": answer.reason in NEWS,
        "next_poll_interval": interval_s,
        "battery_tip": f"Next poll in {interval_s} seconds" if interval_s else "Order complete: stop polling",
        "cursor": str(position_of(answer, epoch)),
        "reason": answer.reason,
        "reset": answer.reason is Reason.RESET,
        "terminal": not isinstance(state, FeedState) and state.status.ended,
        "events": [event_view(event) for event in events[-MAX_EVENTS_IN_ANSWER:]],
        "events_truncated": len(events) > MAX_EVENTS_IN_ANSWER,
        "max_timeout": int(max_timeout_s) if max_timeout_s == int(max_timeout_s) else max_timeout_s,
        "server_time": format_time(now_ms),
    }
    if isinstance(state, FeedState):
        orders, changes = [order_view(order) for order in state.changes.orders], state.changes
        return FeedPollAnswer(data=FeedView(orders), left=list(changes.left), more=changes.more, **common)
    return PollAnswer(data=encoded_order(state), **common)
