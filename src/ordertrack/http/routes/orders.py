"""Orders: list, read. A new order: `http/endpoints/order_creation.py`."""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec
from litestar import Response, Router, get
from litestar.params import FromPath

from ordertrack.core import errors as core
from ordertrack.core.cursor import MAX_INT64, Cursor
from ordertrack.core.errors import InvalidInput
from ordertrack.core.event import Status
from ordertrack.http.openapi import shared
from ordertrack.http.openapi.shared import Operation, parameter
from ordertrack.http.routes.request import AnyRequest, caller_of, known_query
from ordertrack.http.wire import errors as http
from ordertrack.http.wire import names, order_views
from ordertrack.http.wire.etag import names_version, version_headers
from ordertrack.http.wire.parameters import single
from ordertrack.http.wire.paths import parse_order_id
from ordertrack.ports.order_store import OrderFilter
from ordertrack.service.orders import Orders

DEFAULT_PAGE, MAX_PAGE = 50, 100
_FILTERS = ("customer_id", "restaurant_id", "courier_id", "status", "limit", "cursor")
_PAGE_CURSOR = re.compile(r"o([1-9][0-9]{0,18})", re.ASCII)

_LIST_PARAMETERS = (
    *(
        parameter(f"{party}_id", {"type": "string"}, f"Orders of this {party}.")
        for party in ("customer", "restaurant", "courier")
    ),
    parameter("status", {"type": "array", "items": {"enum": list(Status)}}, "One of these; may be repeated."),
    parameter("limit", {"type": "integer", "minimum": 1, "maximum": 100, "default": 50}, "The most orders of a page."),
    parameter("cursor", {"type": "string"}, "The `next_cursor` of the previous page."),
)
_READ_LOG_ERRORS = (core.InvalidInput, http.UnknownParameter, core.OrderNotFound, core.StoreUnavailable)
_EXAMPLE = order_views.order_view(shared.PREPARING)

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "Orders",
        "get",
        names.ORDERS,
        "listOrders",
        "List orders, newest first",
        "Unknown filters are refused. Follow `next_cursor` until it is null.",
        order_views.OrdersAnswer,
        answer_example=order_views.OrdersAnswer(data=order_views.OrdersView([_EXAMPLE], None)),
        parameters=_LIST_PARAMETERS,
        errors=(core.InvalidInput, http.UnknownParameter, core.StoreUnavailable),
    ),
    Operation(
        "Orders",
        "get",
        shared.ORDER_PATH,
        "getOrder",
        "Read an order",
        "Never held.",
        order_views.OrderAnswer,
        answer_example=order_views.OrderAnswer(data=_EXAMPLE),
        parameters=(shared.ORDER_ID, shared.IF_NONE_MATCH),
        headers=("ETag",),
        errors=(core.OrderNotFound, core.StoreUnavailable),
        not_modified=True,
    ),
    Operation(
        "Orders",
        "get",
        f"{names.ORDER_PAGES}/{{order_id}}",
        "showOrder",
        "Show an order",
        "A page for clients that prefer HTML, such as browsers; for others the same as `getOrder`.",
        order_views.OrderAnswer,
        answer_example=order_views.OrderAnswer(data=_EXAMPLE),
        parameters=(shared.ORDER_ID, shared.LANGUAGE, shared.IF_NONE_MATCH),
        headers=("ETag",),
        errors=(core.OrderNotFound, core.StoreUnavailable),
        not_modified=True,
        has_page=True,
    ),
    Operation(
        "Orders",
        "get",
        f"{shared.ORDER_PATH}/events",
        "listEvents",
        "Read an order's log",
        "Every event after a version, oldest first. Never held.",
        order_views.EventsAnswer,
        answer_example=order_views.EventsAnswer(
            data=order_views.EventsView(101, 2, f"{shared.EPOCH}.2", _EXAMPLE.timeline)
        ),
        parameters=(
            shared.ORDER_ID,
            parameter("after", {"type": "integer", "minimum": 0, "default": 0}, "The version you have."),
        ),
        errors=_READ_LOG_ERRORS,
    ),
    Operation(
        "Orders",
        "get",
        f"{shared.ORDER_PATH}/audit",
        "auditOrder",
        "Read an order's audit log",
        "The log with the address that each change came from. For administrators.",
        order_views.AuditAnswer,
        answer_example=order_views.AuditAnswer(
            data=order_views.AuditView(
                101,
                [
                    order_views.audit_entry(msgspec.structs.replace(e, origin="198.51.100.7"))
                    for e in shared.PREPARING.timeline
                ],
            )
        ),
        parameters=(shared.ORDER_ID,),
        errors=_READ_LOG_ERRORS,
    ),
)


def orders_router(orders: Orders) -> Router:
    @get(names.ORDERS)
    async def list_orders(request: AnyRequest) -> Response[order_views.OrdersAnswer]:
        filter_ = _order_filter(known_query(request, *_FILTERS))
        page, more = await orders.page(filter_, caller_of(request).principal)
        next_cursor = f"o{page[-1].id}" if more else None
        view = order_views.OrdersView([order_views.order_view(order) for order in page], next_cursor)
        return _uncached(order_views.OrdersAnswer(data=view))

    @get(f"{names.ORDERS}/{{order_id:str}}")
    async def get_order(request: AnyRequest, order_id: FromPath[str]) -> Response[order_views.OrderAnswer | None]:
        order = await orders.get(parse_order_id(order_id), caller_of(request).principal)
        if names_version(request.headers.get(names.IF_NONE_MATCH), Cursor(orders.epoch, order.version)):
            return Response(None, status_code=304, headers=version_headers(orders.epoch, order))
        answer = order_views.OrderAnswer(data=order_views.order_view(order))
        return Response(answer, headers=version_headers(orders.epoch, order))

    @get(f"{names.ORDERS}/{{order_id:str}}/events")
    async def list_events(request: AnyRequest, order_id: FromPath[str]) -> Response[order_views.EventsAnswer]:
        after = _number(known_query(request, "after"), "after", default=0, least=0, most=MAX_INT64)
        order = await orders.get(parse_order_id(order_id), caller_of(request).principal)
        view = order_views.EventsView(
            order_id=order.id,
            version=order.version,
            cursor=order_views.cursor_of(orders.epoch, order),
            events=[order_views.event_view(event) for event in order.events_after(after)],
        )
        return _uncached(order_views.EventsAnswer(data=view))

    @get(f"{names.ORDERS}/{{order_id:str}}/audit")
    async def audit_order(request: AnyRequest, order_id: FromPath[str]) -> Response[order_views.AuditAnswer]:
        known_query(request)
        order = await orders.audit(parse_order_id(order_id), caller_of(request).principal)
        entries = [order_views.audit_entry(event) for event in order.timeline]
        return _uncached(order_views.AuditAnswer(data=order_views.AuditView(order.id, entries)))

    return Router("/", route_handlers=[list_orders, get_order, list_events, audit_order])


def _uncached(answer: order_views.OrdersAnswer | order_views.EventsAnswer | order_views.AuditAnswer) -> Response:  # type: ignore[type-arg]
    return Response(answer, headers={names.CACHE_CONTROL: names.NO_STORE})


def _order_filter(query: Mapping[str, list[str]]) -> OrderFilter:
    """Raises: InvalidInput."""
    cursor = single(query, "cursor")
    page = _PAGE_CURSOR.fullmatch(cursor) if cursor else None
    if cursor and page is None:
        raise InvalidInput("cursor", "the `next_cursor` of an earlier page, unchanged")
    try:
        statuses = tuple(Status(status) for status in query.get("status", ()))
    except ValueError:
        raise InvalidInput("status", f"one of {', '.join(Status)}") from None
    return OrderFilter(
        limit=_number(query, "limit", default=DEFAULT_PAGE, least=1, most=MAX_PAGE),
        customer_id=single(query, "customer_id"),
        restaurant_id=single(query, "restaurant_id"),
        courier_id=single(query, "courier_id"),
        statuses=statuses,
        before_id=min(int(page[1]), MAX_INT64) if page else None,
    )


def _number(query: Mapping[str, list[str]], name: str, *, default: int, least: int, most: int) -> int:
    """Raises: InvalidInput."""
    text = single(query, name)
    if text is None:
        return default
    if not text.isascii() or not text.isdigit() or len(text) > 19 or not least <= int(text) <= most:
        raise InvalidInput(name, f"a whole number from {least} to {most}")
    return int(text)
