"""What the operations of the API are described with: examples made by the core, parameters, errors in common."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Any, NamedTuple

import msgspec

from ordertrack.core import errors as core
from ordertrack.core.event import PROGRESSION, Event, Status
from ordertrack.core.order import Details, Item, NewOrder, Order, create, evolve
from ordertrack.core.order_rules import AssignCourier, ChangeStatus, advance
from ordertrack.core.poll import DEFAULT_TIMEOUT_S
from ordertrack.core.simulation import WorkflowOptions, plan_steps
from ordertrack.core.timestamps import format_time
from ordertrack.core.tracking_link import Link
from ordertrack.http.wire import bodies, names, order_views
from ordertrack.http.wire import errors as http
from ordertrack.service.links import new_link_token

AT_MS = 1_795_256_100_000
EPOCH = "a1b2c3d4"

BODY = (http.InvalidJson, http.InvalidBody, http.BodyTooLarge, http.UnsupportedMediaType, core.InvalidInput)
CHANGE = (http.UnknownParameter, core.OrderNotFound, core.VersionConflict, core.PreconditionFailed, core.OrderLogFull)
WRITE = (core.StoreBusy, core.StoreUnavailable, core.OutcomeUnknown)
LINKS = (http.UnknownParameter, core.InvalidInput, core.Forbidden, core.OrderNotFound)
Errors = Sequence[type[core.OrdertrackError]]
Json = dict[str, Any]


TAGS = {
    "Tracking": "Follow an order, or all orders of a customer, a restaurant or a courier.",
    "Changes": "Change the status or the courier of orders.",
    "Simulation": "Let an order go through its statuses by itself.",
    "Orders": "Create and read orders.",
    "Links": "Tracking links: follow one order without an account.",
    "System": "Statistics, metrics and health.",
}


class Access(StrEnum):
    """How the caller of an operation is known: by a token, by the link's token in the path, or not at all."""

    TOKEN = "token"
    LINK = "link"
    PUBLIC = "public"


class Operation(NamedTuple):
    """`examples` are bodies to try; `answer_example` is made by the core; `answer` None is plain text."""

    tag: str
    method: str
    path: str
    id: str
    summary: str
    description: str
    answer: type[msgspec.Struct] | None
    status: int = 200
    answer_example: Any = None
    body: type[bodies.Body] | None = None
    body_required: bool = True
    examples: Json = {}  # noqa: RUF012 - never changed
    parameters: Sequence[Json] = ()
    headers: Sequence[str] = ()
    errors: Errors = ()
    not_modified: bool = False
    access: Access = Access.TOKEN


def parameter(name: str, schema: Json, description: str, where: str = "query", **more: Any) -> Json:
    return {"name": name, "in": where, "description": description, "schema": schema, **more}


def sample(way: Sequence[Status]) -> Order:
    new = NewOrder(
        customer_id="1",
        restaurant_id="1",
        details=Details((Item("Margherita", 2), Item("Lemonade", 2)), total=27.0, currency="EUR"),
    )
    order = create(101, new, AT_MS)
    for minutes, status in enumerate(way, start=1):
        order = after(order, advance(order, ChangeStatus(101, status, "anonymous"), AT_MS + minutes * 60_000))
    return order


def after(order: Order, event: Event | None) -> Order:
    return order if event is None else evolve(order, event)


CONFIRMED, PREPARING = sample(()), sample(PROGRESSION[1:2])
WITH_COURIER = after(PREPARING, advance(PREPARING, AssignCourier(101, "7", "anonymous"), AT_MS + 90_000))
STEPS = plan_steps(CONFIRMED, WorkflowOptions(speed=60), AT_MS)
BULK_RESULTS = [
    order_views.BulkResult(101, True, True, Status.PREPARING, 2, format_time(PREPARING.updated_at_ms)),
    order_views.BulkResult(999, False, error="order_not_found", message="There is no such order."),
]

LINK = Link(7, 101, AT_MS, "service:shop")
REVOKED_LINK = msgspec.structs.replace(LINK, revoked_at_ms=AT_MS + 600_000)
TOKEN = new_link_token(bytes(range(16)))

ORDER_ID = parameter(
    "order_id", {"type": "integer", "format": "int64", "minimum": 1}, "The order.", "path", required=True, example=101
)
LINK_ID = parameter(
    "link_id", {"type": "integer", "format": "int64", "minimum": 1}, "The link.", "path", required=True, example=7
)
LINK_TOKEN = parameter(
    "token",
    {"type": "string", "pattern": "^otl_[A-Za-z0-9_-]{22}$"},
    "The token of a tracking link.",
    "path",
    required=True,
    example=TOKEN,
)
IF_MATCH = parameter("If-Match", {"type": "string"}, "Refuse unless the order has this ETag.", "header")
IF_NONE_MATCH = parameter("If-None-Match", {"type": "string"}, "The ETag you have: 304 when it is current.", "header")
LAST_UPDATE = (
    parameter(
        names.LAST_UPDATE,
        {"type": "string"},
        "The `updated_at` you have (ISO 8601; no zone means UTC).",
        example="2025-01-12T20:30:00",
    ),
)
POLL_PARAMETERS = (
    parameter(names.CURSOR, {"type": "string"}, "The `cursor` of your last answer. Goes before all other positions."),
    parameter(
        names.TIMEOUT,
        {"type": "number", "minimum": 0},  # no `default`: generated clients would send it with every first poll
        f"Seconds to wait for news; 0 answers at once. Clamped to the server's `max_timeout`. Left out it is "
        f"{DEFAULT_TIMEOUT_S:g} with a position, and without one the answer comes at once.",
        example=0,
    ),
    parameter(
        names.CLIENT_ID,
        {"type": "string", "maxLength": 64},
        "Names this client: its newest poll ends its older one of the same.",
    ),
    parameter("If-None-Match", {"type": "string"}, "The position as an ETag: no news is then 304.", "header"),
    parameter("Prefer", {"type": "string"}, "`wait=N` waits at most N seconds (RFC 7240).", "header"),
)
LIST_PARAMETERS = (
    *(
        parameter(f"{party}_id", {"type": "string"}, f"Of this {party}.")
        for party in ("customer", "restaurant", "courier")
    ),
    parameter("status", {"type": "array", "items": {"enum": list(Status)}}, "In one of these; may be repeated."),
    parameter("limit", {"type": "integer", "minimum": 1, "maximum": 100, "default": 50}, "At most this many."),
    parameter("cursor", {"type": "string"}, "The `next_cursor` of the page before."),
)
ORDER_PATH = f"{names.ORDERS}/{{order_id}}"
LINKS_PATH = f"{ORDER_PATH}{names.LINKS_SUFFIX}"

POLL_HEADERS = ("ETag", "Preference-Applied")
POLL_ERRORS = (core.InvalidInput, core.TooManyPolls, core.NodeFull, core.StoreBusy, core.StoreUnavailable)
