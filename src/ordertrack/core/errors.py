"""Errors as a tree. They carry fields, not sentences; `http/problems.py` gives each its words.

OrdertrackError
├── InvalidInput                  the request itself cannot be understood
├── Unauthenticated               no valid token
├── Forbidden                     the role may not do this with its own order, or with none
├── OrderNotFound                 no such order, or another principal's: the two look alike
├── OrderConflict                 the order's state does not allow it; carries the order as it stands
│   ├── IllegalTransition
│   ├── UndoWindowPassed
│   ├── ReasonRequired
│   ├── OrderEnded
│   ├── OrderLogFull
│   ├── VersionConflict           `expected_version` lost
│   ├── PreconditionFailed        `If-Match` lost
│   ├── TooManyLinks              it has all the tracking links it may
│   └── SimulationRunning
├── LinkNotFound
├── SimulationNotRunning
├── ReferenceTaken
├── IdempotencyKeyReused
├── InternalError                 a fault of the server; its log has it under `incident`
└── Overloaded                    try again after `retry_after_s`
    ├── TooManyPolls              this feed, or this client, has all it may
    ├── NodeFull                  this node holds all it may
    ├── RateLimited               a budget is spent
    ├── TokensUnavailable         the keys that verify tokens cannot be fetched
    ├── StoreBusy                 the write queue is full
    ├── StoreUnavailable          the store failed; nothing of the request was kept
    └── OutcomeUnknown            the store did not confirm a change in time; it may have been made, or be made later
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from ordertrack.core.event import Status
    from ordertrack.core.order import Order
    from ordertrack.core.principal import Action, Role

WhyUnauthenticated = Literal["missing", "malformed", "invalid", "expired"]
"""The reason: no token was sent; it has not the form of one; it is not accepted; it was accepted and has expired."""


@dataclass(eq=False)
class OrdertrackError(Exception):
    """Base of every error a caller may meet."""

    def __str__(self) -> str:
        fields = ", ".join(f"{name}={value!r}" for name, value in vars(self).items() if name != "order")
        return f"{type(self).__name__}({fields})"


@dataclass(eq=False)
class InvalidInput(OrdertrackError):
    """`field` had a value that is not allowed; `allowed` says in words what is."""

    field: str
    allowed: str


@dataclass(eq=False)
class Unauthenticated(OrdertrackError):
    why: WhyUnauthenticated


@dataclass(eq=False)
class Forbidden(OrdertrackError):
    """`status` is the one that an order was to be moved to."""

    role: Role
    action: Action
    status: Status | None = None


@dataclass(eq=False)
class LinkNotFound(OrdertrackError):
    """The order has no such tracking link."""

    order_id: int
    link_id: str


@dataclass(eq=False)
class OrderNotFound(OrdertrackError):
    """`order_id` as the caller wrote it."""

    order_id: int | str


@dataclass(eq=False)
class OrderConflict(OrdertrackError):
    """The order as it stands, so that the caller can decide again without another request."""

    order: Order


@dataclass(eq=False)
class IllegalTransition(OrderConflict):
    """`undo` is what was asked for; `undo_possible` says that the same with an undo would be allowed now."""

    requested: Status
    undo: bool = False
    undo_possible: bool = False


@dataclass(eq=False)
class UndoWindowPassed(OrderConflict):
    requested: Status
    undo_window_ms: int
    undone_version: int


@dataclass(eq=False)
class ReasonRequired(OrderConflict):
    requested: Status


@dataclass(eq=False)
class OrderEnded(OrderConflict):
    pass


@dataclass(eq=False)
class OrderLogFull(OrderConflict):
    max_events: int


@dataclass(eq=False)
class VersionConflict(OrderConflict):
    expected_version: int


@dataclass(eq=False)
class PreconditionFailed(OrderConflict):
    pass


@dataclass(eq=False)
class SimulationRunning(OrderConflict):
    pass


@dataclass(eq=False)
class TooManyLinks(OrderConflict):
    limit: int


@dataclass(eq=False)
class SimulationNotRunning(OrdertrackError):
    order_id: int


@dataclass(eq=False)
class ReferenceTaken(OrdertrackError):
    reference: str
    restaurant_id: str


@dataclass(eq=False)
class IdempotencyKeyReused(OrdertrackError):
    pass


@dataclass(eq=False)
class InternalError(OrdertrackError):
    """A fault of the server, or of what its store has of an order. The log has it under `incident`."""

    incident: str


@dataclass(eq=False)
class Overloaded(OrdertrackError):
    """Nothing is wrong with the request: it may succeed after `retry_after_s` seconds."""

    retry_after_s: int


@dataclass(eq=False)
class TooManyPolls(Overloaded):
    """`of` is what has them: the kind of feed, or `client`."""

    limit: int
    of: str


@dataclass(eq=False)
class NodeFull(Overloaded):
    limit: int


@dataclass(eq=False)
class TokensUnavailable(Overloaded):
    pass


@dataclass(eq=False)
class RateLimited(Overloaded):
    """A `budget` of so many `requests` in `window_s` seconds is spent."""

    budget: str
    requests: int
    window_s: int


@dataclass(eq=False)
class StoreBusy(Overloaded):
    pass


@dataclass(eq=False)
class StoreUnavailable(Overloaded):
    pass


@dataclass(eq=False)
class OutcomeUnknown(Overloaded):
    pass
