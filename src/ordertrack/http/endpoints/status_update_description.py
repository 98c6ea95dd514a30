"""The status update as /openapi.json describes it."""

from __future__ import annotations

from ordertrack.core import errors as core
from ordertrack.http.openapi import shared
from ordertrack.http.openapi.shared import Operation
from ordertrack.http.wire import bodies, order_views

_TRANSITION_ERRORS = (core.ReasonRequired, core.IllegalTransition, core.UndoWindowPassed)

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "Changes",
        "put",
        f"{shared.ORDER_PATH}/status",
        "setStatus",
        "Change the status of an order",
        "All polls of the order are answered once the change is durable. Repeating a status changes nothing.",
        order_views.ChangeAnswer,
        answer_example=order_views.ChangeAnswer(data=order_views.order_view(shared.PREPARING), changed=True),
        body=bodies.StatusBody,
        examples={
            "next": {"status": "preparing"},
            "cancel": {"status": "cancelled", "reason": "sold out"},
            "undo": {"status": "confirmed", "undo": True},
            "conditional": {"status": "ready", "expected_version": 2, "occurred_at": "2026-11-22T10:15:30Z"},
        },
        parameters=(shared.ORDER_ID, shared.IF_MATCH),
        headers=("ETag",),
        errors=(*shared.BODY_ERRORS, *shared.CHANGE_ERRORS, *_TRANSITION_ERRORS, *shared.WRITE_ERRORS),
    ),
)
