"""The creation of an order as /openapi.json describes it."""

from __future__ import annotations

from ordertrack.core import errors as core
from ordertrack.http.openapi import shared
from ordertrack.http.openapi.shared import Operation, parameter
from ordertrack.http.wire import bodies, names, order_views
from ordertrack.http.wire import errors as http

_IDEMPOTENCY_KEY = parameter(
    "Idempotency-Key", {"type": "string", "minLength": 1, "maxLength": 255}, "Makes a retry safe.", "header"
)
_CREATE_ERRORS = (http.UnknownParameter, core.ReferenceTaken, core.IdempotencyKeyReused)

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "Orders",
        "post",
        names.ORDERS,
        "createOrder",
        "Create an order",
        "It starts as `confirmed`. With an `Idempotency-Key`, a repeated request gets the same answer for 24 hours.",
        order_views.OrderAnswer,
        status=201,
        answer_example=order_views.OrderAnswer(data=order_views.order_view(shared.CONFIRMED)),
        body=bodies.CreateOrderBody,
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
                "restaurant_name": "Trattoria Aurora",
            },
        },
        parameters=(_IDEMPOTENCY_KEY,),
        headers=("ETag", "Location"),
        errors=(*shared.BODY_ERRORS, *_CREATE_ERRORS, *shared.WRITE_ERRORS),
    ),
)
