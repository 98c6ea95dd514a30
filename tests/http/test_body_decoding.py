"""Refused bodies: any bytes get an error that names the field."""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from ordertrack.http.wire import bodies
from ordertrack.http.wire.body_decoding import MAX_QUOTED, decode
from ordertrack.http.wire.errors import InvalidBody, InvalidJson
from ordertrack.http.wire.message import Headers
from ordertrack.http.wire.problems import problem
from ordertrack.http.wire.responses import JSON as JSON_TYPE

HEADERS = Headers([JSON_TYPE])
VALID: dict[type[bodies.RequestBody], dict[str, Any]] = {
    bodies.StatusBody: {"status": "ready", "reason": "r", "occurred_at": "x", "expected_version": 1, "undo": True},
    bodies.CourierBody: {"courier_id": "7"},
    bodies.BulkStatusBody: {"updates": [{"order_id": 1, "status": "ready"}, {"order_id": 2, "status": "ready"}]},
    bodies.CreateOrderBody: {
        "customer_id": "1", "restaurant_id": 1, "courier_id": None, "reference": "A", "items": ["a", {"name": "b"}],
        "total": 1, "currency": "EUR", "address": "", "note": "", "restaurant_name": "Aurora",
    },
    bodies.SimulationBody: {"speed": 1, "timings": {"ready": 5}, "cancel_at": "ready"},
}  # fmt: skip


class Place(NamedTuple):
    """An object within a body: `path` is empty for the body itself, `prefix` what its fields' paths begin with."""

    body: type[bodies.RequestBody]
    object: type[bodies.RequestBody]
    path: tuple[str | int, ...] = ()
    prefix: str = ""


PLACES = [
    *(Place(type_, type_) for type_ in VALID),
    Place(bodies.BulkStatusBody, bodies.OrderStatusBody, ("updates", 1), "updates[1]."),
    Place(bodies.CreateOrderBody, bodies.ItemBody, ("items", 1), "items[1]."),
    Place(bodies.SimulationBody, bodies.TimingsBody, ("timings",), "timings."),
]

# Text as msgspec quotes it in its messages, and what could be mistaken for the place that a message names.
HOSTILE = st.sampled_from(["` - at `$.x", "` - at `$", "a`b", "'", "x` - at `$.status", "Expected `str`, got `int`"])
TEXT = HOSTILE | st.builds(str.__add__, st.text(), HOSTILE) | st.text()
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)


def _valid(place: Place) -> tuple[dict[str, Any], dict[str, Any]]:
    """Draw a valid body, and the object at this place of it."""
    body: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(VALID[place.body]))
    inner: Any = body
    for step in place.path:
        inner = inner[step]
    return body, inner


def _refusal(type_: type[bodies.RequestBody], body: object) -> InvalidBody:
    with pytest.raises(InvalidBody) as caught:
        decode(type_, HEADERS, msgspec.json.encode(body))
    answer = msgspec.json.decode(problem(caught.value).body)
    assert (answer["status"], answer["field"]) == (400, caught.value.field)
    return caught.value


@given(place=st.sampled_from(PLACES), name=TEXT, value=JSON)
def test_unknown_field_is_named(place: Place, name: str, value: object):
    assume(name not in place.object.__struct_fields__)
    body, inner = _valid(place)
    inner[name] = value
    refusal = _refusal(place.body, body)
    assert refusal.field == place.prefix + name[:MAX_QUOTED]
    assert refusal.detail.startswith("is an unknown field; the fields are ")


@given(place=st.sampled_from(PLACES), data=st.data(), value=JSON)
def test_wrong_value_is_named(place: Place, data: st.DataObject, value: object):
    body, inner = _valid(place)
    name = data.draw(st.sampled_from(place.object.__struct_fields__))
    inner[name] = value
    try:
        decode(place.body, HEADERS, msgspec.json.encode(body))
    except InvalidBody:
        field = place.prefix + name
        named = _refusal(place.body, body).field
        assert named == field or named.startswith((f"{field}.", f"{field}["))
    else:
        msgspec.json.decode(msgspec.json.encode(body), type=place.body)


@pytest.mark.parametrize(
    ("place", "name"),
    [(place, field.name) for place in PLACES for field in msgspec.structs.fields(place.object) if field.required],
)
def test_missing_field_is_named(place: Place, name: str):
    body, inner = _valid(place)
    del inner[name]
    refusal = _refusal(place.body, body)
    assert refusal.field == place.prefix + name
    assert refusal.detail.startswith("is missing: it must be ")


@given(type_=st.sampled_from(list(VALID)), body=JSON.map(msgspec.json.encode) | st.binary())
@example(bodies.StatusBody, b'{"status": "` - at `$.x"}')
@example(bodies.StatusBody, b'{"status": 7, "status": "ready"}')
@example(bodies.CreateOrderBody, b'{"customer_id": "1", "restaurant_id": "1", "total": 1e400}')
@example(bodies.CreateOrderBody, b'{"unknown": 1e400}')
@example(bodies.CreateOrderBody, b'{"unknown": 1, nothing more')
@example(bodies.CreateOrderBody, b'{"note": "\\ud800"}')
@example(bodies.StatusBody, b"[" * 20_000)
@example(bodies.StatusBody, b'{"x":' * 10_000)
@example(bodies.StatusBody, b"[" * 20_000 + b"]" * 20_000)
def test_any_body_is_read_or_refused(type_: type[bodies.RequestBody], body: bytes):
    try:
        decode(type_, HEADERS, body)
    except (InvalidBody, InvalidJson) as error:
        problem(error)


def test_field_given_twice_is_refused_when_one_is_wrong():
    with pytest.raises(InvalidBody) as caught:
        decode(bodies.StatusBody, HEADERS, b'{"status": 7, "status": "ready"}')
    assert (caught.value.field, caught.value.detail) == ("body", "must be a JSON object with each field once")
