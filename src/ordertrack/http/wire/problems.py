"""Errors as the client sees them: one table from error to code, status, title and message.

The body is `application/problem+json` (RFC 9457) with the fields of the original contract: `success`, `error` and
`message` are always there. `error` never changes. `docs/reference/errors.md` is made from this table.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any, NamedTuple

from ordertrack.core import errors as core
from ordertrack.http.wire import errors as http
from ordertrack.http.wire import names
from ordertrack.http.wire.order_views import encode
from ordertrack.http.wire.permission_words import permission_words
from ordertrack.http.wire.problem_view import Problem

TYPE_PREFIX = "urn:ordertrack:error:"


class Kind(NamedTuple):
    """`message` and `fields` are made from the error, with bounded quotes of the request. `fields` are other fields
    of `problem_view.Problem`."""

    code: str
    status: int
    title: str
    message: Callable[[Any], str]
    fields: Callable[[Any], dict[str, Any]] = lambda error: {}


def _count(count: float, noun: str) -> str:
    return f"1 {noun}" if count == 1 else f"{count:g} {noun}s"


def _seconds(count: float) -> str:
    return _count(count, "second")


def _state(error: core.OrderConflict) -> dict[str, Any]:
    order = error.order
    return {
        "order_id": order.id,
        "current_status": order.status,
        "current_version": order.version,
        "legal_next": list(order.legal_next()),
    }


def _illegal_transition(error: core.IllegalTransition) -> str:
    order, requested, legal = error.order, error.requested, error.order.legal_next()
    follows = f"Legal next: {', '.join(legal)}." if legal else "No status can follow."
    if error.undo and requested in legal:
        return f"Order {order.id} is {order.status}: {requested} is not a step back, so leave out `undo`."
    if error.undo:
        return f"Order {order.id} is {order.status}; it cannot go back to {requested}. {follows}"
    refused = f"Order {order.id} is {order.status} and cannot become {requested}."
    if error.undo_possible:
        back = 'To go back, send "undo": true.'
        return f"{refused} {follows} {back}" if legal else f"{refused} {back}"
    return f"{refused} {follows}"


def _undo_window_passed(error: core.UndoWindowPassed) -> str:
    return (
        f"Order {error.order.id} can no longer go back to {error.requested}: an undo is possible for "
        f"{_seconds(error.undo_window_ms / 1000)} after the step it undoes (version {error.undone_version})."
    )


_UNAUTHENTICATED: dict[core.WhyUnauthenticated, str] = {
    "missing": "Send a token: `Authorization: Bearer ...`.",
    "malformed": "Malformed bearer token.",
    "invalid": "Invalid bearer token.",
    "expired": "The token has expired.",
}
_LINK_FAULTS: dict[core.LinkFault, str] = {
    "unknown": "There is no such tracking link: it is incomplete or mistyped.",
    "revoked": "The tracking link was revoked.",
    "expired": "The tracking link has expired.",
}


def _quoted(received: str) -> str:
    """Return the first 100 characters, in quotation marks and with control characters escaped."""
    return repr(received[:100])


def _declared(received: str) -> str:
    return f"this request sent {_quoted(received)}" if received else "this request sent none"


KINDS: dict[type[core.OrdertrackError], Kind] = {
    core.InvalidInput: Kind(
        "invalid_parameter",
        400,
        "Invalid parameter",
        lambda e: f"`{e.field}` must be {e.allowed}.",
        lambda e: {"field": e.field},
    ),
    http.MalformedRequest: Kind("malformed_request", 400, "Malformed request", lambda e: e.detail),
    http.InvalidJson: Kind("invalid_json", 400, "Invalid JSON", lambda e: f"The body is not valid JSON: {e.detail}."),
    http.InvalidBody: Kind(
        "invalid_body",
        400,
        "Invalid body",
        lambda e: f"{'The body' if e.field == 'body' else f'`{e.field}`'} {e.detail}.",
        lambda e: {"field": e.field},
    ),
    http.UnknownParameter: Kind(
        "unknown_parameter",
        400,
        "Unknown parameter",
        lambda e: f"`{e.name}` is not a query parameter here; allowed: {', '.join(e.allowed) or 'none'}.",
        lambda e: {"field": e.name},
    ),
    core.ReasonRequired: Kind(
        "reason_required",
        400,
        "Reason required",
        lambda e: f"Order {e.order.id} is {e.order.status}: a change to {e.requested} needs a `reason`.",
        _state,
    ),
    core.Unauthenticated: Kind(
        "unauthenticated",
        401,
        "Authentication required",
        lambda e: _LINK_FAULTS[e.link] if e.link else _UNAUTHENTICATED[e.why],
        lambda e: {"why": e.why},
    ),
    core.Forbidden: Kind(
        "forbidden", 403, "Forbidden", permission_words, lambda e: {"role": e.role, "action": e.action}
    ),
    http.CrossSite: Kind(
        "cross_site",
        403,
        "Cross-site request refused",
        lambda e: (
            f"Pages of {e.origin[:100] or 'another site'} may not send changes. Allow the origin with --cors-origins."
        ),
    ),
    core.OrderNotFound: Kind("order_not_found", 404, "Order not found", lambda e: "There is no such order."),
    core.LinkNotFound: Kind(
        "link_not_found", 404, "Tracking link not found", lambda e: "This order has no such tracking link."
    ),
    http.NoSuchPage: Kind(
        "not_found",
        404,
        "Resource not found",
        lambda e: "No resource has this path. The API is described at /apidocs/.",
    ),
    core.SimulationNotRunning: Kind(
        "simulation_not_running",
        404,
        "No simulation running",
        lambda e: f"No simulation of order {e.order_id} is running.",
    ),
    http.MethodNotAllowed: Kind(
        "method_not_allowed",
        405,
        "Method not allowed",
        lambda e: f"{e.method} is not allowed here; allowed: {', '.join(e.allowed)}.",
    ),
    core.IllegalTransition: Kind("illegal_transition", 409, "Illegal transition", _illegal_transition, _state),
    core.UndoWindowPassed: Kind("undo_window_passed", 409, "Undo window passed", _undo_window_passed, _state),
    core.OrderEnded: Kind(
        "order_ended",
        409,
        "Order ended",
        lambda e: f"Order {e.order.id} is {e.order.status}: an ended order cannot change.",
        _state,
    ),
    core.OrderLogFull: Kind(
        "order_log_full",
        409,
        "Order log full",
        lambda e: (
            f"Order {e.order.id} has {e.max_events} events, which is the limit. Only a change that ends it is allowed."
        ),
        _state,
    ),
    core.VersionConflict: Kind(
        "version_conflict",
        409,
        "Version conflict",
        lambda e: f"Order {e.order.id} has version {e.order.version}, not {e.expected_version}.",
        _state,
    ),
    core.SimulationRunning: Kind(
        "simulation_running",
        409,
        "Simulation running",
        lambda e: f"A simulation of order {e.order.id} is running. Stop it with DELETE first.",
        _state,
    ),
    core.TooManyLinks: Kind(
        "too_many_links",
        409,
        "Too many tracking links",
        lambda e: f"Order {e.order.id} has {e.limit} tracking links, which is the limit. Revoke one first.",
        _state,
    ),
    core.ReferenceTaken: Kind(
        "reference_taken",
        409,
        "Reference taken",
        lambda e: f"Restaurant {e.restaurant_id} has an order with reference {e.reference!r} already.",
    ),
    core.IdempotencyKeyReused: Kind(
        "idempotency_key_reused",
        409,
        "Idempotency-Key reused",
        lambda e: "This Idempotency-Key came with another body within 24 hours. Use a new key for a new order.",
    ),
    core.PreconditionFailed: Kind(
        "precondition_failed",
        412,
        "Precondition failed",
        lambda e: f"Order {e.order.id} has version {e.order.version}, which `If-Match` does not name.",
        _state,
    ),
    http.BodyTooLarge: Kind(
        "body_too_large", 413, "Body too large", lambda e: f"The body may have at most {e.limit_bytes} bytes."
    ),
    http.UnsupportedMediaType: Kind(
        "unsupported_media_type",
        415,
        "Unsupported media type",
        lambda e: f"Send the body with `Content-Type: application/json`; {_declared(e.received)}.",
    ),
    http.ExpectationFailed: Kind(
        "expectation_failed",
        417,
        "Expectation failed",
        lambda e: f"`Expect` may only be 100-continue; this request sent {_quoted(e.received)}.",
    ),
    core.TooManyPolls: Kind(
        "too_many_connections",
        429,
        "Too many held polls",
        lambda e: (
            f"This {e.of} has {_count(e.limit, 'held poll')}, which is the limit. "
            f"Try again in {_seconds(e.retry_after_s)}."
        ),
    ),
    core.RateLimited: Kind(
        "rate_limited",
        429,
        "Rate limit exceeded",
        lambda e: (
            f"The limit of {e.budget}, {e.requests} in {_seconds(e.window_s)}, is reached. "
            f"Try again in {_seconds(e.retry_after_s)}."
        ),
        lambda e: {"budget": e.budget, "requests": e.requests, "window_s": e.window_s},
    ),
    http.HeadTooLarge: Kind(
        "head_too_large",
        431,
        "Request head too large",
        lambda e: f"Request line and headers together may have at most {e.limit_bytes} bytes.",
    ),
    core.InternalError: Kind(
        "internal_error",
        500,
        "Internal error",
        lambda e: f"The server failed. Its log has the cause under incident {e.incident}.",
    ),
    http.UnknownMethod: Kind(
        "method_not_implemented",
        501,
        "Method not implemented",
        lambda e: f"This server does not implement the method {_quoted(e.method)}.",
    ),
    http.UnsupportedTransferCoding: Kind(
        "unsupported_transfer_coding",
        501,
        "Transfer coding not supported",
        lambda e: f"`Transfer-Encoding` may only be chunked; this request sent {_quoted(e.received)}.",
    ),
    http.UnsupportedVersion: Kind(
        "http_version_not_supported",
        505,
        "HTTP version not supported",
        lambda e: f"This server speaks HTTP/1.1 and HTTP/1.0, not {_quoted(e.received)}.",
    ),
    http.NotReady: Kind(
        "not_ready", 503, "Node not ready", lambda e: f"This node is {e.why}.", lambda e: {"why": e.why}
    ),
    core.NodeFull: Kind(
        "node_full", 503, "Node full", lambda e: f"This node is full. Try again in {_seconds(e.retry_after_s)}."
    ),
    core.TokensUnavailable: Kind(
        "tokens_unavailable",
        503,
        "Tokens cannot be verified",
        lambda e: f"The keys that verify tokens cannot be fetched. Try again in {_seconds(e.retry_after_s)}.",
    ),
    core.StoreBusy: Kind(
        "store_busy",
        503,
        "Store busy",
        lambda e: f"Too many requests wait for the store. Try again in {_seconds(e.retry_after_s)}.",
    ),
    core.StoreUnavailable: Kind(
        "store_unavailable",
        503,
        "Store unavailable",
        lambda e: f"The store cannot be used; nothing was changed. Try again in {_seconds(e.retry_after_s)}.",
    ),
    core.OutcomeUnknown: Kind(
        "outcome_unknown",
        503,
        "Outcome unknown",
        lambda e: (
            "The store did not confirm the change in time: it may have been made, or may be made later. "
            f"Try again in {_seconds(e.retry_after_s)}: setting the same status again changes nothing."
        ),
    ),
}


class ProblemResponse(NamedTuple):
    """An error ready to be sent."""

    status: int
    headers: dict[str, str]
    body: bytes


def problem_fields(error: core.OrdertrackError) -> dict[str, Any]:
    """Return the fields that a Problem and a result of a bulk update have in common."""
    kind = KINDS[type(error)]
    return {"success": False, "error": kind.code, "message": kind.message(error), **kind.fields(error)}


def refusal(error: core.OrdertrackError, refused: Counter[str]) -> ProblemResponse:
    """Return the error as an answer to a request, counted by its code."""
    refused[KINDS[type(error)].code] += 1
    return problem(error)


def problem(error: core.OrdertrackError) -> ProblemResponse:
    """Return the error as an answer to a request."""
    kind = KINDS[type(error)]
    body = Problem(**problem_fields(error), type=TYPE_PREFIX + kind.code, title=kind.title, status=kind.status)
    headers = {names.CONTENT_TYPE: names.PROBLEM_JSON, names.CACHE_CONTROL: names.NO_STORE}
    if isinstance(error, core.Overloaded):
        headers[names.RETRY_AFTER] = str(error.retry_after_s)
        body.retry_after_s = error.retry_after_s
    if isinstance(error, core.RateLimited):  # draft-ietf-httpapi-ratelimit-headers
        headers[names.RATELIMIT_POLICY] = f'"{error.budget}";q={error.requests};w={error.window_s}'
        headers[names.RATELIMIT] = f'"{error.budget}";r=0;t={error.retry_after_s}'
    if isinstance(error, core.Unauthenticated):  # RFC 6750, 3: no error code where no token was sent
        headers[names.WWW_AUTHENTICATE] = "Bearer" if error.why == "missing" else 'Bearer error="invalid_token"'
    if isinstance(error, http.MethodNotAllowed):
        headers[names.ALLOW] = ", ".join(error.allowed)
    return ProblemResponse(kind.status, headers, encode(body))
