"""Common parts of the descriptions of operations: their type, parameters, errors, and examples made by the core."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Any, NamedTuple

import msgspec

from ordertrack.core import errors as core
from ordertrack.core.eta.estimator import ArrivalEstimator
from ordertrack.core.eta.rules import EtaRules
from ordertrack.core.event import PROGRESSION, Event, Status
from ordertrack.core.languages import LANGUAGES
from ordertrack.core.order import Details, Item, NewOrder, Order, create, evolve
from ordertrack.core.order_rules import AssignCourier, ChangeStatus, advance
from ordertrack.http.wire import bodies, names
from ordertrack.http.wire import errors as http
from ordertrack.service.links import new_link_token

AT_MS = 1_795_256_100_000
EPOCH = "a1b2c3d4"
ETA_RULES = EtaRules(ArrivalEstimator())

BODY_ERRORS = (http.InvalidJson, http.InvalidBody, http.BodyTooLarge, http.UnsupportedMediaType, core.InvalidInput)
CHANGE_ERRORS = (
    http.UnknownParameter,
    core.OrderNotFound,
    core.VersionConflict,
    core.PreconditionFailed,
    core.OrderLogFull,
)
WRITE_ERRORS = (core.StoreBusy, core.StoreUnavailable, core.OutcomeUnknown)
Errors = Sequence[type[core.OrdertrackError]]
Json = dict[str, Any]

TAGS = {
    "Tracking": "Follow an order, or all orders of a customer, a restaurant or a courier.",
    "Changes": "Change the status or the courier of orders.",
    "Simulation": "Simulate the way of an order through its statuses.",
    "Orders": "Create and read orders.",
    "Links": "Tracking links: follow one order without an account.",
    "System": "Statistics, metrics and health.",
}


class Access(StrEnum):
    """Credentials of an operation: a bearer token, the link's token in the path, or none."""

    TOKEN = "token"
    LINK = "link"
    PUBLIC = "public"


class Operation(NamedTuple):
    """`examples` are request bodies, `answer_example` is made by the core; `answer` None is plain text. With `has_page`
    every answer is a page for a browser."""

    tag: str
    method: str
    path: str
    id: str
    summary: str
    description: str
    answer: type[msgspec.Struct] | None
    status: int = 200
    answer_example: Any = None
    body: type[bodies.RequestBody] | None = None
    body_required: bool = True
    examples: Json = {}  # noqa: RUF012 - never changed
    parameters: Sequence[Json] = ()
    headers: Sequence[str] = ()
    errors: Errors = ()
    not_modified: bool = False
    access: Access = Access.TOKEN
    has_page: bool = False


def parameter(name: str, schema: Json, description: str, where: str = "query", **more: Any) -> Json:
    return {"name": name, "in": where, "description": description, "schema": schema, **more}


def sample(statuses: Sequence[Status]) -> Order:
    """Return an order that went through these statuses, one a minute."""
    new = NewOrder(
        customer_id="1",
        restaurant_id="1",
        details=Details((Item("Margherita", 2), Item("Lemonade", 2)), total=27.0, currency="EUR"),
    )
    order = create(101, new, AT_MS, ETA_RULES.promise("1", AT_MS))
    for minutes, status in enumerate(statuses, start=1):
        order = after(
            order, advance(order, ChangeStatus(101, status, "anonymous"), AT_MS + minutes * 60_000, ETA_RULES)
        )
    return order


def after(order: Order, event: Event | None) -> Order:
    return order if event is None else evolve(order, event)


CONFIRMED, PREPARING = sample(()), sample(PROGRESSION[1:2])
WITH_COURIER = after(PREPARING, advance(PREPARING, AssignCourier(101, "7", "anonymous"), AT_MS + 90_000))

TOKEN = new_link_token(bytes(range(16)))

ORDER_ID = parameter(
    "order_id", {"type": "integer", "format": "int64", "minimum": 1}, "The order.", "path", required=True, example=101
)
LINK_TOKEN = parameter(
    "token",
    {"type": "string", "pattern": "^otl_[A-Za-z0-9_-]{22}$"},
    "The token of a tracking link.",
    "path",
    required=True,
    example=TOKEN,
)
LANGUAGE = parameter(
    names.LANGUAGE,
    {"enum": list(LANGUAGES)},
    "The language of the page. Default: the one that `Accept-Language` prefers.",
)
IF_MATCH = parameter("If-Match", {"type": "string"}, "Refuse unless the order has this ETag.", "header")
IF_NONE_MATCH = parameter("If-None-Match", {"type": "string"}, "The ETag you have: 304 when it is current.", "header")
ORDER_PATH = f"{names.ORDERS}/{{order_id}}"
