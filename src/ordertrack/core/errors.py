"""Errors as a tree. They carry fields, not sentences; `http/wire/problems.py` has the messages.

OrdertrackError
├── InvalidInput                  a value of the request is not allowed
├── Unauthenticated               no valid token
├── Forbidden                     the role has no grant for this action
├── OrderNotFound                 no such order, or another principal's: clients cannot tell which
├── OrderConflict                 the order's state does not allow it; carries the current order
│   ├── IllegalTransition
│   ├── UndoWindowPassed
│   ├── ReasonRequired
│   ├── OrderEnded
│   ├── OrderLogFull
│   ├── VersionConflict           `expected_version` is not the current version
│   ├── PreconditionFailed        `If-Match` does not match
│   ├── TooManyLinks              the order has MAX_LINKS tracking links
│   └── SimulationRunning
├── LinkNotFound
├── SimulationNotRunning
├── ReferenceTaken
├── IdempotencyKeyReused
├── InternalError                 a fault of the server; its log has the details under `incident`
└── Overloaded                    try again after `retry_after_s`
    ├── TooManyPolls              a cap of the feed or of the client is reached
    ├── NodeFull                  the node's cap is reached
    ├── RateLimited               a rate limit is exceeded
    ├── TokensUnavailable         the keys that verify tokens cannot be fetched
    ├── StoreBusy                 the write queue is full
    ├── StoreUnavailable          the store failed; nothing of the request was kept
    └── OutcomeUnknown            the store did not confirm a change in time: it may be made, now or later
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ordertrack.core.event import Status
from ordertrack.core.order import Order
from ordertrack.core.principal import Action, Role

WhyUnauthenticated = Literal["missing", "malformed", "invalid", "expired"]
"""No token was sent; it has not the form of a token; it is not accepted; it was valid and has expired."""
LinkFault = Literal["unknown", "revoked", "expired"]


@dataclass(eq=False)
class OrdertrackError(Exception):
    """Base of all errors of a request."""

    def __str__(self) -> str:
        fields = ", ".join(f"{name}={value!r}" for name, value in vars(self).items() if name != "order")
        return f"{type(self).__name__}({fields})"


@dataclass(eq=False)
class InvalidInput(OrdertrackError):
    """The value of `field` is not allowed; `allowed` describes the values that are."""

    field: str
    allowed: str


@dataclass(eq=False)
class Unauthenticated(OrdertrackError):
    """`link` is the fault of a tracking link; None for other tokens."""

    why: WhyUnauthenticated
    link: LinkFault | None = None


@dataclass(eq=False)
class Forbidden(OrdertrackError):
    """`status` is the requested status, for MOVE."""

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
    """`order_id` is as the client wrote it."""

    order_id: int | str


@dataclass(eq=False)
class OrderConflict(OrdertrackError):
    """`order` is the current one, so that the client can decide again without another request."""

    order: Order


@dataclass(eq=False)
class IllegalTransition(OrderConflict):
    """`undo` is the request's; `undo_possible` is True when the same request with an undo would be allowed now."""

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


class OrderEnded(OrderConflict): ...


@dataclass(eq=False)
class OrderLogFull(OrderConflict):
    max_events: int


@dataclass(eq=False)
class VersionConflict(OrderConflict):
    expected_version: int


class PreconditionFailed(OrderConflict): ...


class SimulationRunning(OrderConflict): ...


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


class IdempotencyKeyReused(OrdertrackError): ...


@dataclass(eq=False)
class InternalError(OrdertrackError):
    """A fault of the server, or damage in its store. The log has the details under `incident`."""

    incident: str


@dataclass(eq=False)
class Overloaded(OrdertrackError):
    """The request is valid and may succeed after `retry_after_s` seconds."""

    retry_after_s: int


@dataclass(eq=False)
class TooManyPolls(Overloaded):
    """`of` names the cap: the kind of feed, `link` or `client`."""

    limit: int
    of: str


@dataclass(eq=False)
class NodeFull(Overloaded):
    limit: int


class TokensUnavailable(Overloaded): ...


@dataclass(eq=False)
class RateLimited(Overloaded):
    """The `budget` of `requests` in `window_s` seconds is spent."""

    budget: str
    requests: int
    window_s: int


class StoreBusy(Overloaded): ...


class StoreUnavailable(Overloaded): ...


class OutcomeUnknown(Overloaded): ...
