"""Bulk updates, and the courier of an order. One change of status: `http/endpoints/status_update.py`."""

from __future__ import annotations

from litestar import Response, Router, post, put
from litestar.params import FromPath

from ordertrack.core import errors as core
from ordertrack.core.access import check_action
from ordertrack.core.errors import OrdertrackError
from ordertrack.core.order_rules import Change, ChangeStatus
from ordertrack.core.principal import Action
from ordertrack.core.timestamps import format_time
from ordertrack.http.openapi import shared
from ordertrack.http.openapi.shared import Operation
from ordertrack.http.policy.admission import Admission, Budget
from ordertrack.http.routes.request import AnyRequest, caller_of, known_query, read_body
from ordertrack.http.wire import bodies, names, order_views
from ordertrack.http.wire import errors as http
from ordertrack.http.wire.etag import parse_if_match, version_headers
from ordertrack.http.wire.paths import parse_order_id
from ordertrack.http.wire.problems import problem_fields
from ordertrack.ports.commits import Applied
from ordertrack.service.orders import Orders, sole

_BULK_RESULTS = [
    order_views.BulkResult(101, True, True, shared.PREPARING.status, 2, format_time(shared.PREPARING.updated_at_ms)),
    order_views.BulkResult(999, False, error="order_not_found", message="There is no such order."),
]
OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "Changes",
        "put",
        f"{shared.ORDER_PATH}/courier",
        "setCourier",
        "Assign or replace the courier of an order",
        "The status stays the same.",
        order_views.ChangeAnswer,
        answer_example=order_views.ChangeAnswer(data=order_views.order_view(shared.WITH_COURIER), changed=True),
        body=bodies.CourierBody,
        examples={"assign": {"courier_id": "7"}},
        parameters=(shared.ORDER_ID, shared.IF_MATCH),
        headers=("ETag",),
        errors=(*shared.BODY_ERRORS, *shared.CHANGE_ERRORS, core.OrderEnded, *shared.WRITE_ERRORS),
    ),
    Operation(
        "Changes",
        "post",
        f"{names.API}/status-updates",
        "setStatuses",
        "Make up to 1,000 changes of status in one durable commit",
        "They are made in order. Each one succeeds or fails independently; `results` has one entry for each.",
        order_views.BulkAnswer,
        answer_example=order_views.BulkAnswer(data=order_views.BulkView(_BULK_RESULTS)),
        body=bodies.BulkStatusBody,
        examples={"two": {"updates": [{"order_id": 101, "status": "preparing"}, {"order_id": 999, "status": "ready"}]}},
        errors=(*shared.BODY_ERRORS, http.UnknownParameter, *shared.WRITE_ERRORS),
    ),
)


def changes_router(orders: Orders, admission: Admission, undo_window_ms: int) -> Router:
    @put(f"{names.ORDERS}/{{order_id:str}}/courier")
    async def set_courier(request: AnyRequest, order_id: FromPath[str]) -> Response[order_views.ChangeAnswer]:
        known_query(request)
        id_ = parse_order_id(order_id)
        body = await read_body(request, bodies.CourierBody)
        return await _changed(body.change(id_, *caller_of(request), _if_match(request)))

    @post(f"{names.API}/status-updates", status_code=200)
    async def set_statuses(request: AnyRequest) -> order_views.BulkAnswer:
        known_query(request)
        body = await read_body(request, bodies.BulkStatusBody)
        by, origin = caller_of(request)
        check_action(by, Action.MOVE)
        admission.charge(Budget.WRITES, by, len(body.updates) - 1, origin)  # admission took the first one
        changes = body.changes(by, origin, undo_window_ms)
        results = await orders.change(*changes)
        view = [_bulk_result(change, result) for change, result in zip(changes, results, strict=True)]
        return order_views.BulkAnswer(data=order_views.BulkView(view))

    async def _changed(change: Change) -> Response[order_views.ChangeAnswer]:
        applied = sole(await orders.change(change))
        answer = order_views.ChangeAnswer(data=order_views.order_view(applied.order), changed=applied.event is not None)
        return Response(answer, headers=version_headers(orders.epoch, applied.order))

    def _if_match(request: AnyRequest) -> frozenset[int] | None:
        return parse_if_match(request.headers.get(names.IF_MATCH), orders.epoch)

    return Router("/", route_handlers=[set_courier, set_statuses])


def _bulk_result(change: ChangeStatus, result: Applied | OrdertrackError) -> order_views.BulkResult:
    if isinstance(result, OrdertrackError):
        return order_views.BulkResult(**{"order_id": change.order_id, **problem_fields(result)})
    order = result.order
    return order_views.BulkResult(
        order_id=order.id,
        success=True,
        changed=result.event is not None,
        status=order.status,
        version=order.version,
        updated_at=format_time(order.updated_at_ms),
    )
