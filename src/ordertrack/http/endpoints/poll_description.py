"""The long polls as /openapi.json describes them."""

from __future__ import annotations

from ordertrack.core import errors as core
from ordertrack.core.feed import FeedChanges, FeedKey, FeedKind, FeedState
from ordertrack.core.link_view import redact_for_link
from ordertrack.core.order import Order
from ordertrack.core.poll import DEFAULT_TIMEOUT_S, Answer, Reason
from ordertrack.http.openapi import shared
from ordertrack.http.openapi.shared import Access, Operation, parameter
from ordertrack.http.wire import errors as http
from ordertrack.http.wire import names, poll_view

_LAST_UPDATE = parameter(
    names.LAST_UPDATE,
    {"type": "string"},
    "The `updated_at` you have (ISO 8601; no zone means UTC).",
    example="2025-01-12T20:30:00",
)
_PARAMETERS = (
    parameter(names.CURSOR, {"type": "string"}, "The `cursor` of your last answer. Precedes all other positions."),
    parameter(
        names.TIMEOUT,
        {"type": "number", "minimum": 0},  # no `default`: generated clients would send it with every first poll
        f"Seconds to wait for news; 0 answers at once. At most the server's `max_timeout`. Default: "
        f"{DEFAULT_TIMEOUT_S:g} with a position, 0 without one.",
        example=0,
    ),
    parameter(
        names.CLIENT_ID, {"type": "string", "maxLength": 64}, "Names this client: a new poll of it ends its older one."
    ),
    parameter("If-None-Match", {"type": "string"}, "The position as an ETag: no news is then 304.", "header"),
    parameter("Prefer", {"type": "string"}, "`wait=N` waits at most N seconds (RFC 7240).", "header"),
)
_HEADERS = ("ETag", "Preference-Applied")
_ERRORS = (core.InvalidInput, core.TooManyPolls, core.NodeFull, core.StoreBusy, core.StoreUnavailable)


def _example(answer: Answer, order: Order) -> poll_view.PollAnswer | poll_view.FeedPollAnswer:
    return poll_view.poll_answer(answer, shared.EPOCH, 240, order.updated_at_ms + 8)


def _party_poll(kind: FeedKind, path: str, summary: str, order: Order) -> Operation:
    answer = Answer(FeedState(FeedKey(kind, "7"), FeedChanges(12, (order,))), Reason.CHANGED, 11)
    return Operation(
        "Tracking",
        "get",
        f"{path}/{{{kind}_id}}/track",
        f"track{kind.capitalize()}",
        summary,
        "Without a position and a `timeout` it answers the orders that have not ended. With the `cursor` of that "
        "answer the poll is held until an order of the feed changes or a new one is added. An id that no "
        "order has is an empty feed. PROTOCOL.md section 3.",
        poll_view.FeedPollAnswer,
        answer_example=_example(answer, order),
        parameters=(
            parameter(
                f"{kind}_id",
                {"type": "string", "minLength": 1, "maxLength": 64},
                f"The {kind}.",
                "path",
                required=True,
                example="7",
            ),
            *_PARAMETERS,
        ),
        headers=_HEADERS,
        errors=_ERRORS,
        not_modified=True,
    )


OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "Tracking",
        "get",
        f"{shared.ORDER_PATH}/track",
        "trackOrder",
        "Wait for the next change of an order",
        "The long poll. Without a position and a `timeout` it answers at once; with the position of an earlier answer "
        "it is held until the order changes or the time is up. PROTOCOL.md section 3 has the decision table.",
        poll_view.PollAnswer,
        answer_example=_example(Answer(shared.PREPARING, Reason.CHANGED, 1), shared.PREPARING),
        parameters=(shared.ORDER_ID, _LAST_UPDATE, *_PARAMETERS),
        headers=_HEADERS,
        errors=(core.OrderNotFound, *_ERRORS),
        not_modified=True,
    ),
    _party_poll(FeedKind.CUSTOMER, names.CUSTOMERS, "All orders of a customer in one poll", shared.PREPARING),
    _party_poll(FeedKind.RESTAURANT, names.RESTAURANTS, "All orders of a restaurant in one poll", shared.PREPARING),
    _party_poll(FeedKind.COURIER, names.COURIERS, "All orders of a courier in one poll", shared.WITH_COURIER),
    Operation(
        "Tracking",
        "get",
        f"{names.LINKS}/{{token}}/track",
        "trackLink",
        "The poll of a tracking link's order",
        "As the poll of an order, without personal data. PROTOCOL.md section 7.",
        poll_view.PollAnswer,
        answer_example=_example(Answer(redact_for_link(shared.PREPARING), Reason.CHANGED, 1), shared.PREPARING),
        parameters=(shared.LINK_TOKEN, _LAST_UPDATE, *_PARAMETERS),
        headers=_HEADERS,
        errors=(http.NoSuchPage, core.OrderNotFound, *_ERRORS),
        not_modified=True,
        access=Access.LINK,
    ),
)
