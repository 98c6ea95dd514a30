"""The state of an order as a customer sees it: a value without any formatted text.

`sdk/js/src/view.js` is the same function in JavaScript; `sdk/vectors/view` holds both. The keys are those of the
vectors. Times are milliseconds since 1970.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from ordertrack.core.event import PROGRESSION
from ordertrack.core.timestamps import parse_time_ms

_SETS_STATUS = frozenset({"created", "status_changed", "reverted"})
_CANCELLING_ROLES = frozenset({"restaurant", "customer", "courier"})
"""Roles with a sentence of their own for a cancellation."""

_SHORT_DELAY_MS = 300_000
"""An order on its way is expected any moment for so long after its window; a plan is shown when the delay is longer."""

Json = Mapping[str, Any]


class _Log(NamedTuple):
    """`reached` has the time of each status that was reached and not undone; `last` is the latest event that set a
    status, `before` the status before it; `couriers` counts the known assignments."""

    reached: dict[str, int]
    last: Json
    before: str
    couriers: int


def customer_view(order: Json, now_ms: int) -> dict[str, Any]:
    """Return the view of an order's JSON. Unknown statuses and event types are tolerated."""
    status = order["status"]
    log = _read_log(order["timeline"])
    ended = status in ("delivered", "cancelled")
    eta = _arrival(order, log.reached, now_ms)
    return {
        "status": status,
        "headline": status if ended or status in PROGRESSION else "unknown",
        "steps": _steps(status, log.reached),
        "eta": eta,
        "notices": _notices(order, log, eta, ended),
        "updated": _ms(order["updated_at"]),
        "ended": ended,
    }


def _read_log(events: list[Json]) -> _Log:
    reached: dict[str, int] = {}
    last: Json = {}
    before, couriers = "", 0
    for event in events:
        if event["type"] == "courier_assigned" or (event["type"] == "created" and "courier_id" in event):
            couriers += 1
        if event["type"] not in _SETS_STATUS:
            continue
        before, last = last.get("status", ""), event
        status = event["status"]
        if event["type"] == "reverted":
            reached.pop("cancelled", None)
            for later in PROGRESSION[PROGRESSION.index(status) + 1 :] if status in PROGRESSION else PROGRESSION:
                reached.pop(later, None)
            if status in reached:
                continue
        reached[status] = _ms(event["at"])
    return _Log(reached, last, before, couriers)


def _steps(status: str, reached: dict[str, int]) -> list[dict[str, Any]]:
    index = PROGRESSION.index(status) if status in PROGRESSION else -1
    furthest = max(index, *(i if step in reached else -1 for i, step in enumerate(PROGRESSION)))
    steps = []
    for i, step in enumerate(PROGRESSION):
        at = reached.get(step)
        if i == index:
            state = "done" if step == "delivered" else "current"
        elif i > furthest:
            state = "next"
        else:
            state = "skipped" if at is None else "done"
        steps.append({"status": str(step), "state": state, "at": at})
    if index >= 0:
        return steps
    current = {"status": status, "state": "current", "at": reached.get(status)}
    rest = [] if status == "cancelled" else steps[furthest + 1 :]
    return [*steps[: furthest + 1], current, *rest]


def _arrival(order: Json, reached: dict[str, int], now_ms: int) -> dict[str, Any] | None:
    eta = order.get("eta")
    if not eta or order["status"] == "cancelled":
        return None
    promised, late = _read_span(eta["promised"]), eta["late"]
    span = at = None
    if order["status"] == "delivered":
        state, end = "arrived", (at := reached["delivered"])
    else:
        span = _read_span(eta["current"] or eta["promised"])
        end = span["to"]
        is_near = order["status"] == "picked_up" and not late and now_ms <= end + _SHORT_DELAY_MS
        state = "expected" if now_ms <= end else "due" if is_near else "overdue"
    planned = promised if late or end > promised["to"] + _SHORT_DELAY_MS else None
    return {"state": state, "span": span, "at": at, "planned": planned, "late": late}


def _read_span(span: Json) -> dict[str, int]:
    return {"from": _ms(span["from"]), "to": _ms(span["to"])}


def _ms(time: str) -> int:
    return parse_time_ms("time", time)


def _notices(order: Json, log: _Log, eta: Json | None, ended: bool) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []

    def add(key: str, reason: str | None = None, **params: str) -> None:
        found.append({"key": key, "params": params, "reason": reason or None})

    if order["status"] == "cancelled":
        role = order["cancellation"]["by"].partition(":")[0]
        add(f"cancelled_{role if role in _CANCELLING_ROLES else 'other'}", order["cancellation"]["reason"])
        if "picked_up" in log.reached:
            add("was_picked_up")
        if role != "customer":
            add("contact")
    if log.last["type"] == "reverted":
        if log.before == "cancelled":
            add("restored", log.last["reason"])
        else:
            add("undone", log.last["reason"], undone=log.before, to=log.last["status"])
    if log.couriers > 1 and not ended:
        add("courier_replaced")
    if eta and eta["state"] in ("due", "overdue"):
        add(eta["state"])
    elif eta and eta["late"]:
        add("delivered_late" if ended else "late")
    return found
