"""One example of every error, for the reference page and `/openapi.json`. Refusals of the core are made by running
it, so that a message and the state beside it agree."""

from __future__ import annotations

import msgspec

from ordertrack.core import errors as core
from ordertrack.core.event import PROGRESSION, Status
from ordertrack.core.order import Order
from ordertrack.core.order_rules import MAX_EVENTS, AssignCourier, Change, ChangeStatus, advance
from ordertrack.core.principal import Action, Role
from ordertrack.core.tracking_link import MAX_LINKS
from ordertrack.http.openapi.shared import PREPARING, sample
from ordertrack.http.wire import errors as http
from ordertrack.http.wire.body_decoding import ALLOWED
from ordertrack.http.wire.message import MAX_HEAD_BYTES
from ordertrack.http.wire.paths import MAX_BODY_BYTES

_RETRY_AFTER_S = 5
_UNDO_WINDOW_MS = 120_000


def _refused(order: Order, change: Change, after_ms: int = 1_000) -> core.OrdertrackError:
    """Return the error of a `change` made `after_ms` after the order's last event."""
    try:
        advance(order, change, order.updated_at_ms + after_ms)
    except core.OrdertrackError as error:
        return error
    raise AssertionError(f"{change} is allowed")


def _status(to: Status, **more: object) -> ChangeStatus:
    return ChangeStatus(101, to, "anonymous", undo_window_ms=_UNDO_WINDOW_MS, **more)  # type: ignore[arg-type]


_LONG = msgspec.structs.replace(PREPARING, version=MAX_EVENTS)

_CASES: tuple[core.OrdertrackError, ...] = (
    core.InvalidInput("timeout", "seconds as a plain number, 0 or more, such as 30 or 2.5"),
    http.MalformedRequest("A header line ends in a bare LF; it must end in CRLF."),
    http.InvalidJson("field names need double quotes (byte 1)"),
    http.InvalidBody("status", f"must be {ALLOWED['status']}"),
    http.UnknownParameter("colour", ("customer_id", "restaurant_id", "courier_id", "status", "limit", "cursor")),
    _refused(sample(PROGRESSION[1:4]), _status(Status.CANCELLED)),
    core.Unauthenticated("expired"),
    core.Forbidden(Role.CUSTOMER, Action.CANCEL),
    http.CrossSite("https://shop.example"),
    core.OrderNotFound(9999),
    core.LinkNotFound(101, "7"),
    http.NoSuchPage("/api/orders"),
    core.SimulationNotRunning(101),
    http.MethodNotAllowed("PATCH", ("PUT",)),
    _refused(PREPARING, _status(Status.CONFIRMED)),
    _refused(PREPARING, _status(Status.CONFIRMED, undo=True), after_ms=_UNDO_WINDOW_MS + 1),
    _refused(sample(PROGRESSION[1:]), AssignCourier(101, "7", "anonymous")),
    _refused(_LONG, _status(Status.READY)),
    _refused(PREPARING, _status(Status.READY, expected_version=1)),
    core.SimulationRunning(PREPARING),
    core.TooManyLinks(PREPARING, MAX_LINKS),
    core.ReferenceTaken("A-1042", "1"),
    core.IdempotencyKeyReused(),
    _refused(PREPARING, _status(Status.READY, if_match=frozenset({1}))),
    http.BodyTooLarge(MAX_BODY_BYTES),
    http.UnsupportedMediaType("text/plain"),
    http.ExpectationFailed("200-ok"),
    core.TooManyPolls(_RETRY_AFTER_S, 10, "order"),
    core.RateLimited(_RETRY_AFTER_S, "polls", 300, 60),
    http.HeadTooLarge(MAX_HEAD_BYTES),
    core.InternalError("5f2d9c01a7be"),
    http.UnknownMethod("BREW"),
    http.UnsupportedTransferCoding("gzip, chunked"),
    http.UnsupportedVersion("HTTP/2.0"),
    http.NotReady(_RETRY_AFTER_S, "draining"),
    core.NodeFull(_RETRY_AFTER_S, 10_000),
    core.TokensUnavailable(_RETRY_AFTER_S),
    core.StoreBusy(_RETRY_AFTER_S),
    core.StoreUnavailable(_RETRY_AFTER_S),
    core.OutcomeUnknown(_RETRY_AFTER_S),
)
EXAMPLES: dict[type[core.OrdertrackError], core.OrdertrackError] = {type(case): case for case in _CASES}
"""One for each class in `problems.KINDS`; a test checks it."""
