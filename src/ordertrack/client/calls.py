"""The requests of the API, each written once as a function that returns a `Call`: the request and the decoder of its
answer. The methods of both clients have these signatures and docstrings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, TypeVar
from urllib.parse import quote
from uuid import uuid4

import msgspec

from ordertrack.client.answers import read
from ordertrack.client.hold import seconds_text
from ordertrack.client.link_url import link_path
from ordertrack.client.values import (
    Applied,
    AuditEntry,
    Envelope,
    EventLog,
    Item,
    Link,
    NewLink,
    Order,
    OrderPage,
    SimulationStep,
    Stats,
    StatusResult,
    StatusUpdate,
    Update,
)

T = TypeVar("T")
D = TypeVar("D")
READ_TIMEOUT_S = 10.0
"""Timeout of an answer, in addition to the hold of a poll."""
DEFAULT_HOLD_S = 30.0
"""The server's hold for a poll with a cursor and without a timeout."""


@dataclass(frozen=True, kw_only=True)
class Call(Generic[T]):
    """One request. `result` decodes status, headers and body, or raises their error.

    `repeatable`: sending it twice has the same effect as sending it once.
    """

    method: str
    path: str
    result: Callable[[int, Mapping[str, str], bytes], T]
    params: tuple[tuple[str, str], ...] = ()
    content: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)
    repeatable: bool = True
    read_timeout_s: float = READ_TIMEOUT_S


def _reader(kind: type[D], pick: Callable[[D], T]) -> Callable[[int, Mapping[str, str], bytes], T]:
    decoder = msgspec.json.Decoder(kind)

    def result(status: int, headers: Mapping[str, str], body: bytes) -> T:
        return pick(read(decoder, status, headers, body))

    return result


class _Steps(msgspec.Struct):
    steps: list[SimulationStep] = []


class _Results(msgspec.Struct):
    results: list[StatusResult]


class _Links(msgspec.Struct):
    links: list[Link]


class _Audit(msgspec.Struct):
    entries: list[AuditEntry]


_ORDER = _reader(Envelope[Order], lambda answer: answer.data)
_PAGE = _reader(Envelope[OrderPage], lambda answer: answer.data)
_LOG = _reader(Envelope[EventLog], lambda answer: answer.data)
_STATS = _reader(Envelope[Stats], lambda answer: answer.data)
_STEPS = _reader(Envelope[_Steps], lambda answer: answer.data.steps)
_RESULTS = _reader(Envelope[_Results], lambda answer: answer.data.results)
_NEW_LINK = _reader(Envelope[NewLink], lambda answer: answer.data)
_LINK = _reader(Envelope[Link], lambda answer: answer.data)
_LINKS = _reader(Envelope[_Links], lambda answer: answer.data.links)
_AUDIT = _reader(Envelope[_Audit], lambda answer: answer.data.entries)
_APPLIED = _reader(Applied, lambda answer: answer)
_UPDATE = _reader(Update, lambda answer: answer)


def order(order_id: int) -> Call[Order]:
    """Return an order in its current state.

    Raises: NotFound.
    """
    return Call(method="GET", path=order_path(order_id), result=_ORDER)


def orders(
    *,
    customer_id: str | int | None = None,
    restaurant_id: str | int | None = None,
    courier_id: str | int | None = None,
    status: str | Iterable[str] = (),
    limit: int | None = None,
    cursor: str | None = None,
) -> Call[OrderPage]:
    """Return one page of the orders that match all filters, newest first; `status` may be a list, `limit` at most 100.

    `cursor` is the `next_cursor` of the page before; `all_orders` reads all pages.
    """
    params: list[tuple[str, object]] = [
        ("customer_id", customer_id),
        ("restaurant_id", restaurant_id),
        ("courier_id", courier_id),
        *(("status", each) for each in ([status] if isinstance(status, str) else status)),
        ("limit", limit),
        ("cursor", cursor),
    ]
    return Call(method="GET", path="/api/v1/orders", params=_query(params), result=_PAGE)


def create(
    *,
    customer_id: str | int,
    restaurant_id: str | int,
    reference: str | None = None,
    items: Iterable[Item] = (),
    total: float | None = None,
    currency: str | None = None,
    address: str | None = None,
    note: str | None = None,
    restaurant_name: str | None = None,
    courier_id: str | int | None = None,
    idempotency_key: str | None = None,
) -> Call[Order]:
    """Create an order and return it; its status is `confirmed`.

    Every call sends a new idempotency key, so a retry after a lost answer does not create a second order. Pass your own
    `idempotency_key`, such as the id of a cart, to extend that over restarts of your program, for 24 hours.

    Raises: InvalidRequest; Conflict, when the restaurant has used the `reference` or the key came with another body.
    """
    body = {
        "customer_id": customer_id,
        "restaurant_id": restaurant_id,
        "reference": reference,
        "items": list(items) or None,
        "total": total,
        "currency": currency,
        "address": address,
        "note": note,
        "restaurant_name": restaurant_name,
        "courier_id": courier_id,
    }
    headers = {**_JSON, "idempotency-key": idempotency_key or str(uuid4())}
    return Call(method="POST", path="/api/v1/orders", content=_json(body), headers=headers, result=_ORDER)


def set_status(
    order_id: int,
    status: str,
    *,
    reason: str | None = None,
    occurred_at: datetime | None = None,
    expected_version: int | None = None,
    undo: bool = False,
) -> Call[Applied]:
    """Set an order's status. Clients that track the order receive it at once.

    Setting the current status is no error: `changed` is False, so a retry is safe. `occurred_at` is the time of the
    change, with a time zone, for a courier who was offline. `expected_version` makes the update conditional. `undo`
    allows an earlier status, within the undo window. A cancellation after pick-up requires a `reason`.

    Raises: NotFound; InvalidRequest, also for a missing reason; Conflict, when the rules or the condition forbid it,
    with `current_status`, `current_version` and `legal_next` in `problem`; ValueError without a time zone.
    """
    update = StatusUpdate(order_id, status, reason, occurred_at, expected_version, undo)
    body = {name: value for name, value in msgspec.to_builtins(update).items() if name != "order_id"}
    return Call(
        method="PUT", path=f"{order_path(order_id)}/status", content=_json(body), headers=_JSON, result=_APPLIED
    )


def set_statuses(updates: Iterable[StatusUpdate]) -> Call[list[StatusResult]]:
    """Apply up to 1,000 updates in one durable commit. Return a result for each; a refused one does not stop others.

    Not retried after a lost answer: if an order occurs twice, its first update would then be a step back.
    """
    content = _json({"updates": list(updates)})
    path = "/api/v1/status-updates"
    return Call(method="POST", path=path, content=content, headers=_JSON, repeatable=False, result=_RESULTS)


def assign_courier(order_id: int, courier_id: str | int) -> Call[Applied]:
    """Assign a courier or replace the current one. The status is unchanged.

    Raises: NotFound; Conflict, for an ended order.
    """
    content = _json({"courier_id": courier_id})
    path = f"{order_path(order_id)}/courier"
    return Call(method="PUT", path=path, content=content, headers=_JSON, result=_APPLIED)


def events(order_id: int, *, after: int = 0) -> Call[EventLog]:
    """Return the order's log after version `after`, by default all of it, at once.

    Raises: NotFound.
    """
    path = f"{order_path(order_id)}/events"
    return Call(method="GET", path=path, params=_query([("after", after)]), result=_LOG)


def audit(order_id: int) -> Call[list[AuditEntry]]:
    """Return the order's log with the network address of each change, oldest first. For administrators.

    Raises: NotFound, AccessDenied.
    """
    return Call(method="GET", path=f"{order_path(order_id)}/audit", result=_AUDIT)


def create_link(order_id: int) -> Call[NewLink]:
    """Create a tracking link, which shows this order without an account and without personal data.

    The server shows the token of the link only in this answer. Not retried after a lost answer: that would create a
    second link.

    Raises: NotFound; AccessDenied; Conflict, when the order has as many valid links as allowed.
    """
    return Call(method="POST", path=_links_path(order_id), repeatable=False, result=_NEW_LINK)


def links(order_id: int) -> Call[list[Link]]:
    """Return all tracking links of an order, revoked ones too, oldest first, without their tokens.

    Raises: NotFound, AccessDenied.
    """
    return Call(method="GET", path=_links_path(order_id), result=_LINKS)


def revoke_link(order_id: int, link_id: int) -> Call[Link]:
    """Revoke a tracking link, and end the polls that its holders have. Revoking it again changes nothing.

    Raises: NotFound, AccessDenied.
    """
    path = f"{_links_path(order_id)}/{quote(str(link_id), safe='')}"
    return Call(method="DELETE", path=path, result=_LINK)


def order_by_link(link: str) -> Call[Order]:
    """Return the order of a tracking link in its current state. `link` is the URL of its page, or only its token.

    The client's own token is not sent. The holder of a link is not shown the customer, the address and notes.

    Raises: NotFound or AccessDenied, when the link is unknown, revoked or too old; ValueError, when it is no link or
    one of another server.
    """
    return Call(method="GET", path=link_path(link), result=_ORDER)


def simulate(
    order_id: int,
    *,
    speed: float | None = None,
    timings: Mapping[str, float] | None = None,
    cancel_at: str | None = None,
) -> Call[list[SimulationStep]]:
    """Let the server set each status in turn, at the times of a real restaurant. Return the planned steps.

    At `speed` 1 this takes 33 minutes (3 + 15 + 5 + 10); at 60, 33 seconds. `timings` replaces the seconds in single
    statuses, `cancel_at` cancels the order at the end of that status.

    Raises: NotFound; InvalidRequest; Conflict, when a simulation is running or the order has ended.
    """
    content = _json({"speed": speed, "timings": timings, "cancel_at": cancel_at})
    path = f"{order_path(order_id)}/simulate-workflow"
    return Call(method="POST", path=path, content=content, headers=_JSON, repeatable=False, result=_STEPS)


def stop_simulation(order_id: int) -> Call[list[SimulationStep]]:
    """Stop a running simulation. Return the steps that will not happen.

    Raises: NotFound, also when no simulation is running.
    """
    path = f"{order_path(order_id)}/simulate-workflow"
    return Call(method="DELETE", path=path, repeatable=False, result=_STEPS)


def stats() -> Call[Stats]:
    """Return the server's statistics: held polls, wake latency, orders by status, and so on."""
    return Call(method="GET", path="/api/v1/orders/system/stats", result=_STATS)


def poll(
    order_id: int, *, cursor: str | None = None, timeout_s: float | None = None, client_id: str | None = None
) -> Call[Update]:
    """Send a single poll; `track` is the complete loop.

    Without `cursor` and `timeout_s` the answer comes at once. With `cursor` the server holds the poll for up to
    `timeout_s` seconds (default 30; 0 does not wait) until there is a newer version.

    Raises: NotFound, ServerBusy, ConnectionLost.
    """
    timeout = None if timeout_s is None else seconds_text(timeout_s)
    params: list[tuple[str, object]] = [("cursor", cursor), ("timeout", timeout), ("client_id", client_id)]
    return Call(
        method="GET",
        path=track_path(order_id),
        params=_query(params),
        result=_UPDATE,
        read_timeout_s=(DEFAULT_HOLD_S if timeout_s is None else timeout_s) + READ_TIMEOUT_S,
    )


def order_path(order_id: int) -> str:
    return f"/api/v1/orders/{quote(str(order_id), safe='')}"


def track_path(order_id: int) -> str:
    return f"{order_path(order_id)}/track"


def feed_path(party: str, party_id: str | int) -> str:
    return f"/api/v1/{party}s/{quote(str(party_id), safe='')}"


def _links_path(order_id: int) -> str:
    return f"{order_path(order_id)}/links"


_JSON = {"content-type": "application/json"}


def _json(body: Mapping[str, Any]) -> bytes:
    """Encode a body without its None values: for the server, null and a missing field differ."""
    return msgspec.json.encode({name: value for name, value in body.items() if value is not None})


def _query(params: Iterable[tuple[str, object]]) -> tuple[tuple[str, str], ...]:
    return tuple((name, str(value)) for name, value in params if value is not None)
