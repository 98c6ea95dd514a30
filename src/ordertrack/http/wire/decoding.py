"""Reading request bodies, and saying what is wrong with one in words: which field, and what it may be.

msgspec finds the mistake and names the place; what is allowed there stands in one table, for people.
"""

from __future__ import annotations

import re
from typing import TypeVar

import msgspec

from ordertrack.core.event import Status
from ordertrack.core.workflow import MAX_SPEED, MAX_TIMING_S, MIN_SPEED, TIMINGS_S
from ordertrack.http.errors import InvalidBody, InvalidJson
from ordertrack.http.wire import requests
from ordertrack.http.wire.requests import Body

B = TypeVar("B", bound=Body)
MAX_QUOTED = 100
WHOLE = "body"
"""What stands for the field when the mistake is not in one."""

_ID = f"1 to {requests.MAX_ID} characters without control characters"
_PARTY = f"{_ID} (or an integer)"
_LINE = "text of at most {:,} characters without control characters"
_LINES = "text of at most {:,} characters without control characters other than line breaks"
_MONEY = f"a number from 0 to {requests.MAX_MONEY:,}"
_SECONDS = f"a number of seconds from 0 to {MAX_TIMING_S:,.0f}"
_NUMBER = "a whole number from 1 to {:,}"

ALLOWED: dict[str, str] = {
    WHOLE: "a JSON object",
    "customer_id": _PARTY,
    "restaurant_id": _PARTY,
    "courier_id": _PARTY,
    "reference": _ID,
    "items": f"a list of at most {requests.MAX_ITEMS} items",
    "items[]": f'a name of 1 to {requests.MAX_LINE} characters, or an object such as {{"name": "Margherita"}}',
    "name": f"1 to {requests.MAX_LINE} characters without control characters",
    "quantity": _NUMBER.format(requests.MAX_QUANTITY),
    "price": _MONEY,
    "total": _MONEY,
    "currency": "three capital letters such as EUR",
    "address": _LINES.format(requests.MAX_ADDRESS),
    "note": _LINES.format(requests.MAX_NOTE),
    "status": f"one of {', '.join(Status)}",
    "reason": _LINE.format(requests.MAX_REASON),
    "occurred_at": "an ISO 8601 time such as 2026-11-22T10:15:30Z",
    "expected_version": "a whole number from 1 to 2^63-1",
    "undo": "true or false",
    "order_id": "a whole number from 1 to 2^63-1",
    "updates": f"a list of 1 to {requests.MAX_BULK_UPDATES:,} updates",
    "updates[]": 'an object such as {"order_id": 101, "status": "ready"}',
    "speed": f"a number from {MIN_SPEED:g} to {MAX_SPEED:,.0f}",
    "timings": 'an object such as {"preparing": 10}',
    **dict.fromkeys(TIMINGS_S, _SECONDS),
    "cancel_at": f"one of {', '.join(TIMINGS_S)}",
}
"""What a field may be, by its name. A name means the same in every body; a test holds it against all of them."""

_OBJECTS: dict[str, type[Body]] = {
    "items[]": requests.ItemBody,
    "updates[]": requests.OrderStatusBody,
    "timings": requests.TimingsBody,
}
_GOT = {
    "str": "text", "int": "a number", "float": "a decimal number", "bool": "true or false", "null": "null",
    "array": "a list", "object": "an object",
}  # fmt: skip
_MALFORMED = {
    "Input data was truncated": "it ends too early",
    "JSON is malformed: object keys must be strings": "field names stand in double quotes",
    "JSON is malformed: ": "",
}
_WHERE = re.compile(r" - at `\$\.?(.*)`\Z")
_INDEX = re.compile(r"\[\d+\]")
_UNKNOWN = re.compile(r"Object contains unknown field `(.*)`\Z", re.DOTALL)
_MISSING = re.compile(r"Object missing required field `(.*)`\Z")
_WRONG_TYPE = re.compile(r"Expected .*, got `(\w+)`\Z")


def decode(type_: type[B], body: bytes) -> B:
    """Raises InvalidJson, or InvalidBody that names the field and what is allowed."""
    try:
        return msgspec.json.decode(body, type=type_)
    except msgspec.ValidationError as error:
        raise _invalid_body(type_, str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidJson(_why_no_json(body, str(error))) from None


def _invalid_body(type_: type[Body], message: str) -> InvalidBody:
    where = _WHERE.search(message)
    field = where[1] if where else ""
    path, problem = _INDEX.sub("[]", field), _WHERE.sub("", message)
    if unknown := _UNKNOWN.match(problem):
        known = ", ".join(f"`{name}`" for name in _OBJECTS.get(path, type_).__struct_fields__)
        return InvalidBody(_join(field, unknown[1][:MAX_QUOTED]), f"is an unknown field; the fields are {known}")
    if missing := _MISSING.match(problem):
        return InvalidBody(_join(field, missing[1]), f"is missing: it must be {ALLOWED[missing[1]]}")
    got = _WRONG_TYPE.match(problem)
    instead = f", not {_GOT.get(got[1], got[1])}" if got else ""
    return InvalidBody(field or WHOLE, f"must be {ALLOWED[path.split('.')[-1] or WHOLE]}{instead}")


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _why_no_json(body: bytes, message: str) -> str:
    if not body.strip():
        return "it is empty"
    try:
        body.decode()
    except UnicodeDecodeError as error:
        return f"it is not UTF-8 (byte {error.start})"
    for theirs, ours in _MALFORMED.items():
        if message.startswith(theirs):
            return ours + message.removeprefix(theirs)
    return message
