"""Every operation of the API, for /openapi.json. Examples come from running the core."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from ordertrack.core import errors as core
from ordertrack.core.event import ROAD, Event, Status
from ordertrack.core.feed import FeedChanges, FeedKey, FeedKind, FeedState, format_time
from ordertrack.core.order import AssignCourier, ChangeStatus, Details, Item, NewOrder, Order, advance, create, evolve
from ordertrack.core.poll import DEFAULT_TIMEOUT_S, Answer, Reason
from ordertrack.core.workflow import WorkflowOptions, plan
from ordertrack.http import errors as http
from ordertrack.http import names
from ordertrack.http.wire import answers, requests

_AT_MS = 1_795_256_100_000
_EPOCH = "a1b2c3d4"

_BODY = (http.InvalidJson, http.InvalidBody, http.BodyTooLarge, http.UnsupportedMediaType, core.InvalidInput)
_CHANGE = (http.UnknownParameter, core.OrderNotFound, core.VersionConflict, core.PreconditionFailed, core.OrderLogFull)
_WRITE = (core.StoreBusy, core.StoreUnavailable)
Errors = Sequence[type[core.OrdertrackError]]
Json = dict[str, Any]


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
    body: type[requests.Body] | None = None
    body_required: bool = True
    examples: Json = {}  # noqa: RUF012 - never changed
    parameters: Sequence[Json] = ()
    headers: Sequence[str] = ()
    errors: Errors = ()
    not_modified: bool = False


def _parameter(name: str, schema: Json, description: str, where: str = "query", **more: Any) -> Json:
    return {"name": name, "in": where, "description": description, "schema": schema, **more}


def sample(way: Sequence[Status]) -> Order:
    new = NewOrder(
        customer_id="1",
        restaurant_id="1",
        details=Details((Item("Margherita", 2), Item("Lemonade", 2)), total=27.0, currency="EUR"),
    )
    order = create(101, new, _AT_MS)
    for minutes, status in enumerate(way, start=1):
        order = _after(order, advance(order, ChangeStatus(101, status, "anonymous"), _AT_MS + minutes * 60_000))
    return order


def _after(order: Order, event: Event | None) -> Order:
    return order if event is None else evolve(order, event)


_CONFIRMED, PREPARING = sample(()), sample(ROAD[1:2])
_WITH_COURIER = _after(PREPARING, advance(PREPARING, AssignCourier(101, "7", "anonymous"), _AT_MS + 90_000))
_STEPS = plan(_CONFIRMED, WorkflowOptions(speed=60), _AT_MS)
_BULK_RESULTS = [
    answers.BulkResult(101, True, True, Status.PREPARING, 2, format_time(PREPARING.updated_at_ms)),
    answers.BulkResult(999, False, error="order_not_found", message="There is no such order."),
]

_ORDER_ID = _parameter(
    "order_id", {"type": "integer", "format": "int64", "minimum": 1}, "The order.", "path", required=True, example=101
)
_IF_MATCH = _parameter("If-Match", {"type": "string"}, "Refuse unless the order has this ETag.", "header")
_IF_NONE_MATCH = _parameter("If-None-Match", {"type": "string"}, "The ETag you have: 304 when it is current.", "header")
_LAST_UPDATE = (
    _parameter(
        names.LAST_UPDATE,
        {"type": "string"},
        "The `updated_at` you have (ISO 8601; no zone means UTC).",
        example="2025-01-12T20:30:00",
    ),
)
_POLL_PARAMETERS = (
    _parameter(names.CURSOR, {"type": "string"}, "The `cursor` of your last answer. Goes before all other positions."),
    _parameter(
        names.TIMEOUT,
        {"type": "number", "minimum": 0, "default": DEFAULT_TIMEOUT_S},
        "Seconds to wait for news; 0 answers at once. Clamped to the server's `max_timeout`.",
        example=0,
    ),
    _parameter(
        names.CLIENT_ID,
        {"type": "string", "maxLength": 64},
        "Names this client: its newest poll ends its older one of the same.",
    ),
    _parameter("If-None-Match", {"type": "string"}, "The position as an ETag: no news is then 304.", "header"),
    _parameter("Prefer", {"type": "string"}, "`wait=N` waits at most N seconds (RFC 7240).", "header"),
)
_LIST_PARAMETERS = (
    *(
        _parameter(f"{party}_id", {"type": "string"}, f"Of this {party}.")
        for party in ("customer", "restaurant", "courier")
    ),
    _parameter("status", {"type": "array", "items": {"enum": list(Status)}}, "In one of these; may be repeated."),
    _parameter("limit", {"type": "integer", "minimum": 1, "maximum": 100, "default": 50}, "At most this many."),
    _parameter("cursor", {"type": "string"}, "The `next_cursor` of the page before."),
)
_ORDER_PATH = f"{names.ORDERS}/{{order_id}}"

_POLL_HEADERS = ("ETag", "Preference-Applied")
_POLL_ERRORS = (core.InvalidInput, core.TooManyPolls, core.NodeFull, core.StoreUnavailable)


def _party_poll(kind: FeedKind, path: str, summary: str, order: Order) -> Operation:
    state = FeedState(FeedKey(kind, "7"), FeedChanges(12, (order,)))
    return Operation(
        "Tracking",
        "get",
        f"{path}/{{{kind}_id}}/track",
        f"track{kind.capitalize()}",
        summary,
        "Begin without a position and a `timeout`: that answers the orders that have not ended. Go on with the "
        "answer's `cursor`: then the poll is held until one of them changes or another one comes. An id that nobody "
        "has used is an empty feed. PROTOCOL.md section 3.",
        answers.FeedPollAnswer,
        answer_example=answers.poll_answer(Answer(state, Reason.CHANGED, 11), _EPOCH, 120, order.updated_at_ms + 8),
        parameters=(
            _parameter(
                f"{kind}_id",
                {"type": "string", "minLength": 1, "maxLength": 64},
                f"The {kind}.",
                "path",
                required=True,
                example="7",
            ),
            *_POLL_PARAMETERS,
        ),
        headers=_POLL_HEADERS,
        errors=_POLL_ERRORS,
        not_modified=True,
    )


_PARTY_POLLS = (
    _party_poll(FeedKind.CUSTOMER, names.CUSTOMERS, "All orders of a customer in one poll", PREPARING),
    _party_poll(FeedKind.RESTAURANT, names.RESTAURANTS, "The kitchen's board", PREPARING),
    _party_poll(FeedKind.COURIER, names.COURIERS, "A courier's run", _WITH_COURIER),
)

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "Tracking",
        "get",
        f"{_ORDER_PATH}/track",
        "trackOrder",
        "What about my order? Answers when there is news",
        "The long poll. Without a position and a `timeout` it answers at once; with an earlier answer's position it "
        "is held until the order changes or the time is up. PROTOCOL.md section 3 has the whole decision table.",
        answers.PollAnswer,
        answer_example=answers.poll_answer(
            Answer(PREPARING, Reason.CHANGED, 1), _EPOCH, 120, PREPARING.updated_at_ms + 8
        ),
        parameters=(_ORDER_ID, *_LAST_UPDATE, *_POLL_PARAMETERS),
        headers=_POLL_HEADERS,
        errors=(core.OrderNotFound, *_POLL_ERRORS),
        not_modified=True,
    ),
    *_PARTY_POLLS,
    Operation(
        "Changes",
        "put",
        f"{_ORDER_PATH}/status",
        "setStatus",
        "The kitchen or the courier taps",
        "Everybody who waits for the order is answered once it is durable. The same status again changes nothing.",
        answers.ChangeAnswer,
        answer_example=answers.ChangeAnswer(data=answers.order_view(PREPARING), changed=True),
        body=requests.StatusBody,
        examples={
            "next": {"status": "preparing"},
            "cancel": {"status": "cancelled", "reason": "sold out"},
            "undo": {"status": "confirmed", "undo": True},
            "conditional": {"status": "ready", "expected_version": 2, "occurred_at": "2026-11-22T10:15:30Z"},
        },
        parameters=(_ORDER_ID, _IF_MATCH),
        headers=("ETag",),
        errors=(*_BODY, *_CHANGE, core.ReasonRequired, core.IllegalTransition, core.UndoWindowPassed, *_WRITE),
    ),
    Operation(
        "Changes",
        "put",
        f"{_ORDER_PATH}/courier",
        "setCourier",
        "Assign a courier, or replace the one there is",
        "The status stays: the customer's stepper never goes back for it.",
        answers.ChangeAnswer,
        answer_example=answers.ChangeAnswer(data=answers.order_view(_WITH_COURIER), changed=True),
        body=requests.CourierBody,
        examples={"assign": {"courier_id": "7"}},
        parameters=(_ORDER_ID, _IF_MATCH),
        headers=("ETag",),
        errors=(*_BODY, *_CHANGE, core.OrderEnded, *_WRITE),
    ),
    Operation(
        "Changes",
        "post",
        f"{names.API}/status-updates",
        "setStatuses",
        "Up to 1,000 changes of status with one durable commit",
        "They are made in order; each succeeds or fails for itself, and `results` has one entry each.",
        answers.BulkAnswer,
        answer_example=answers.BulkAnswer(data=answers.BulkView(_BULK_RESULTS)),
        body=requests.BulkStatusBody,
        examples={"two": {"updates": [{"order_id": 101, "status": "preparing"}, {"order_id": 999, "status": "ready"}]}},
        errors=(*_BODY, http.UnknownParameter, *_WRITE),
    ),
    Operation(
        "Simulation",
        "post",
        f"{_ORDER_PATH}/simulate-workflow",
        "startSimulation",
        "Let an order go its way by itself",
        "Without a body: confirmed 3 min, preparing 15 min, ready 5 min, picked_up 10 min, delivered, from the current "
        "status on. A change of status by anybody else ends it.",
        answers.SimulationAnswer,
        status=202,
        answer_example=answers.SimulationAnswer(data=answers.simulation_view(101, _STEPS)),
        body=requests.SimulationBody,
        body_required=False,
        examples={
            "a minute a second": {"speed": 60},
            "cancelled": {"cancel_at": "preparing", "timings": {"preparing": 5}},
        },
        parameters=(_ORDER_ID,),
        errors=(*_BODY, http.UnknownParameter, core.OrderNotFound, core.OrderEnded, core.SimulationRunning, *_WRITE),
    ),
    Operation(
        "Simulation",
        "delete",
        f"{_ORDER_PATH}/simulate-workflow",
        "stopSimulation",
        "Stop a simulation",
        "Answers the steps that will not happen.",
        answers.SimulationAnswer,
        answer_example=answers.SimulationAnswer(data=answers.simulation_view(101, _STEPS[1:])),
        parameters=(_ORDER_ID,),
        errors=(http.UnknownParameter, core.InvalidInput, core.OrderNotFound, core.SimulationNotRunning, *_WRITE),
    ),
    Operation(
        "Orders",
        "post",
        names.ORDERS,
        "createOrder",
        "A new order",
        "It starts as `confirmed`. With an `Idempotency-Key`, a repeated request has the same answer for 24 hours.",
        answers.OrderAnswer,
        status=201,
        answer_example=answers.OrderAnswer(data=answers.order_view(_CONFIRMED)),
        body=requests.CreateOrderBody,
        examples={
            "small": {"customer_id": "1", "restaurant_id": "1"},
            "full": {
                "customer_id": 1,
                "restaurant_id": "1",
                "reference": "A-1042",
                "items": [{"name": "Margherita", "quantity": 2, "price": 9.5}, "Lemonade"],
                "total": 22.0,
                "currency": "EUR",
                "address": "12 Mill Lane",
                "note": "Ring twice",
            },
        },
        parameters=(
            _parameter(
                "Idempotency-Key", {"type": "string", "minLength": 1, "maxLength": 255}, "Makes a retry safe.", "header"
            ),
        ),
        headers=("ETag", "Location"),
        errors=(*_BODY, http.UnknownParameter, core.ReferenceTaken, core.IdempotencyKeyReused, *_WRITE),
    ),
    Operation(
        "Orders",
        "get",
        names.ORDERS,
        "listOrders",
        "Orders, newest first",
        "Filters narrow it down; an unknown one is refused. Follow `next_cursor` until it is null.",
        answers.OrdersAnswer,
        answer_example=answers.OrdersAnswer(data=answers.OrdersView([answers.order_view(PREPARING)], None)),
        parameters=_LIST_PARAMETERS,
        errors=(core.InvalidInput, http.UnknownParameter, core.StoreUnavailable),
    ),
    Operation(
        "Orders",
        "get",
        _ORDER_PATH,
        "getOrder",
        "One order",
        "Never held.",
        answers.OrderAnswer,
        answer_example=answers.OrderAnswer(data=answers.order_view(PREPARING)),
        parameters=(_ORDER_ID, _IF_NONE_MATCH),
        headers=("ETag",),
        errors=(core.OrderNotFound, core.StoreUnavailable),
        not_modified=True,
    ),
    Operation(
        "Orders",
        "get",
        f"{_ORDER_PATH}/events",
        "listEvents",
        "The order's log",
        "Every event after a version, oldest first. Never held.",
        answers.EventsAnswer,
        answer_example=answers.EventsAnswer(
            data=answers.EventsView(101, 2, f"{_EPOCH}.2", [answers.event_view(e) for e in PREPARING.timeline])
        ),
        parameters=(
            _ORDER_ID,
            _parameter("after", {"type": "integer", "minimum": 0, "default": 0}, "The version you have."),
        ),
        errors=(core.InvalidInput, http.UnknownParameter, core.OrderNotFound, core.StoreUnavailable),
    ),
    Operation(
        "System",
        "get",
        f"{names.ORDERS}/system/stats",
        "systemStats",
        "How this node is doing",
        "Held polls, wake-up latency, orders by status. PROTOCOL.md section 6.",
        answers.StatsAnswer,
        errors=(core.StoreUnavailable,),
    ),
    Operation(
        "System",
        "get",
        "/metrics",
        "metrics",
        "The same for Prometheus, and more",
        "Its text format; OpenMetrics when `Accept` asks for it. docs/reference/metrics.md lists them all.",
        None,
    ),
    Operation(
        "System",
        "get",
        "/healthz",
        "healthz",
        "Is the process alive?",
        "200 as long as it answers.",
        answers.HealthAnswer,
    ),
    Operation(
        "System",
        "get",
        "/readyz",
        "readyz",
        "Does this node want new work?",
        "503 while it drains.",
        answers.HealthAnswer,
        errors=(http.NotReady,),
    ),
)
