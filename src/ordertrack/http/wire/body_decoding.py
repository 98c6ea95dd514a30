"""Decode request bodies. The error of an invalid one names the field and what it may be.

msgspec decides whether a body is valid. Its messages quote the client, so they are not used: the field at fault is
found in the untyped JSON, and one table has the words for what is allowed there.
"""

from __future__ import annotations

from types import UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

import msgspec

from ordertrack.core.event import Status
from ordertrack.core.simulation import MAX_SPEED, MAX_TIMING_S, MIN_SPEED, TIMINGS_S
from ordertrack.http.wire import bodies, names
from ordertrack.http.wire.bodies import RequestBody
from ordertrack.http.wire.errors import InvalidBody, InvalidJson, UnsupportedMediaType
from ordertrack.http.wire.message import Headers
from ordertrack.http.wire.parameters import header
from ordertrack.http.wire.responses import JSON

B = TypeVar("B", bound=RequestBody)
MAX_QUOTED = 100
MAX_LIST = bodies.MAX_BULK_UPDATES
"""The longest list of any body: later entries are not searched for a mistake."""
WHOLE = "body"
"""The field of a mistake that is in no single field."""

_ID = f"1 to {bodies.MAX_ID} characters without control characters"
_PARTY = f"{_ID} (or an integer)"
_LINE = "text of at most {:,} characters without control characters"
_LINES = "text of at most {:,} characters without control characters other than line breaks"
_MONEY = f"a number from 0 to {bodies.MAX_MONEY:,}"
_SECONDS = f"a number of seconds from 0 to {MAX_TIMING_S:,.0f}"
_NUMBER = "a whole number from 1 to {:,}"

ALLOWED: dict[str, str] = {
    WHOLE: "a JSON object",
    "customer_id": _PARTY,
    "restaurant_id": _PARTY,
    "courier_id": _PARTY,
    "reference": _ID,
    "items": f"a list of at most {bodies.MAX_ITEMS} items",
    "items[]": f'a name of 1 to {bodies.MAX_LINE} characters, or an object such as {{"name": "Margherita"}}',
    "name": f"1 to {bodies.MAX_LINE} characters without control characters",
    "quantity": _NUMBER.format(bodies.MAX_QUANTITY),
    "price": _MONEY,
    "total": _MONEY,
    "currency": "three capital letters such as EUR",
    "address": _LINES.format(bodies.MAX_ADDRESS),
    "note": _LINES.format(bodies.MAX_NOTE),
    "restaurant_name": f"1 to {bodies.MAX_NAME} characters without control characters",
    "status": f"one of {', '.join(Status)}",
    "reason": _LINE.format(bodies.MAX_REASON),
    "occurred_at": "an ISO 8601 time such as 2026-11-22T10:15:30Z",
    "expected_version": "a whole number from 1 to 2^63-1",
    "undo": "true or false",
    "order_id": "a whole number from 1 to 2^63-1",
    "updates": f"a list of 1 to {bodies.MAX_BULK_UPDATES:,} updates",
    "updates[]": 'an object such as {"order_id": 101, "status": "ready"}',
    "speed": f"a number from {MIN_SPEED:g} to {MAX_SPEED:,.0f}",
    "timings": 'an object such as {"preparing": 10}',
    **dict.fromkeys(TIMINGS_S, _SECONDS),
    "cancel_at": f"one of {', '.join(TIMINGS_S)}",
}
"""Allowed values of a field, by its name. A name means the same in every body; a test compares all bodies."""

_KINDS: dict[type, str] = {
    str: "text", int: "a number", float: "a decimal number", bool: "true or false", type(None): "null",
    list: "a list", dict: "an object",
}  # fmt: skip
_MALFORMED = {
    "Input data was truncated": "it ends too early",
    "JSON is malformed: object keys must be strings": "field names need double quotes",
    "JSON is malformed: ": "",
}
_UNTYPED = msgspec.json.Decoder(float_hook=float)
"""Accepts all JSON. Without the hook it refuses numbers beyond the range of a float, such as 1e400."""


def decode(type_: type[B], headers: Headers, body: bytes) -> B:
    """Return the body of a request as a value of this type.

    Raises: UnsupportedMediaType, InvalidJson, InvalidBody (which names the field and says what is allowed).
    """
    if headers.get(JSON[0]) != JSON[1]:
        _check_json(header(headers, names.CONTENT_TYPE))
    try:
        return msgspec.json.decode(body, type=type_)
    except msgspec.ValidationError:
        raise _invalid_body(type_, body) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _invalid_json(body, error) from None


def _invalid_body(type_: type[RequestBody], body: bytes) -> InvalidBody | InvalidJson:
    try:
        value = _UNTYPED.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:  # the typed decoder stopped before it
        return _invalid_json(body, error)
    # No mistake found: a field was given twice, and the untyped value has only its last value.
    return _mistake_at("", WHOLE, value, type_) or InvalidBody(WHOLE, f"must be {ALLOWED[WHOLE]} with each field once")


def _mistake_at(path: str, name: str, value: Any, type_: Any) -> InvalidBody | None:
    """Return the first mistake in this value. `name` is its key in ALLOWED."""
    if _is_valid(value, type_):
        return None
    plain_types = _plain_types(type_)
    for plain in plain_types:
        if isinstance(value, dict) and _json_types(plain) == (dict,):
            return _mistake_in(path, value, plain)
        if isinstance(value, list) and _json_types(plain) == (list,):
            (entry_type,) = get_args(plain)
            looked_at = enumerate(value[:MAX_LIST])
            entries = (_mistake_at(f"{path}[{i}]", f"{name}[]", entry, entry_type) for i, entry in looked_at)
            if mistake := next(filter(None, entries), None):
                return mistake
    wrong_type = not any(type(value) in _json_types(plain) for plain in plain_types)
    instead = f", not {_KINDS[type(value)]}" if wrong_type else ""
    return InvalidBody(path or WHOLE, f"must be {ALLOWED[name]}{instead}")


def _mistake_in(path: str, value: dict[str, Any], type_: type[RequestBody]) -> InvalidBody | None:
    """Return the first mistake in the fields of an object."""
    fields = {field.name: field for field in msgspec.structs.fields(type_)}
    for name, inner in value.items():
        if name not in fields:
            known = ", ".join(f"`{field}`" for field in fields)
            return InvalidBody(_join(path, name[:MAX_QUOTED]), f"is an unknown field; the fields are {known}")
        if mistake := _mistake_at(_join(path, name), name, inner, fields[name].type):
            return mistake
    missing = next((name for name, field in fields.items() if field.required and name not in value), None)
    return InvalidBody(_join(path, missing), f"is missing: it must be {ALLOWED[missing]}") if missing else None


def _is_valid(value: Any, type_: Any) -> bool:
    try:
        msgspec.convert(value, type_)
    except msgspec.ValidationError:
        return False
    return True


def _plain_types(type_: Any) -> tuple[Any, ...]:
    """Return the alternatives of a union, each without its annotations."""
    if get_origin(type_) is Annotated:
        return _plain_types(get_args(type_)[0])
    if get_origin(type_) in (Union, UnionType):
        return tuple(plain for one in get_args(type_) for plain in _plain_types(one))
    return (type_,)


def _json_types(plain: Any) -> tuple[type, ...]:
    """Return the types of untyped values that may become a value of this plain type."""
    if get_origin(plain) is list:
        return (list,)
    if issubclass(plain, RequestBody):
        return (dict,)
    return (str,) if issubclass(plain, Status) else (int, float) if plain is float else (plain,)


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _invalid_json(body: bytes, error: Exception) -> InvalidJson:
    """msgspec's messages about malformed JSON quote nothing of it."""
    if not body.strip():
        return InvalidJson("it is empty")
    try:
        body.decode()
    except UnicodeDecodeError as not_text:
        return InvalidJson(f"it is not UTF-8 (byte {not_text.start})")
    if isinstance(error, RecursionError):
        return InvalidJson("it is nested too deeply")
    message = str(error)
    for theirs, ours in _MALFORMED.items():
        if message.startswith(theirs):
            return InvalidJson(ours + message.removeprefix(theirs))
    return InvalidJson(message)


def _check_json(content_type: str | None) -> None:
    """Require a JSON content type: pages of other sites can send other types without a preflight.

    Raises: UnsupportedMediaType.
    """
    declared = content_type or ""
    if declared != names.JSON and declared.split(";")[0].strip().lower() != names.JSON:
        raise UnsupportedMediaType(declared)
