"""Errors for answers that are not successful."""

from __future__ import annotations

from unicodedata import category

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.json import Decoder

from client.wire_answers import order, update_body
from ordertrack.client import Conflict, InvalidRequest, RequestRefused, ServerBusy, ServerFailed, Update
from ordertrack.client.answers import MAX_RETRY_AFTER_S, error_of, read, retry_after_s
from ordertrack.client.escape import escape

DATE = "Sun, 22 Nov 2026 10:15:30 GMT"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, 0),
        ({"retry-after": "7"}, 7),
        ({"retry-after": " 0.5 "}, 0.5),
        ({"retry-after": "-3"}, 0),
        ({"retry-after": "nan"}, 0),
        ({"retry-after": "inf"}, 0),
        ({"retry-after": "1e9"}, MAX_RETRY_AFTER_S),
        ({"retry-after": "soon"}, 0),
        ({"retry-after": "Sun, 22 Nov 2026 10:16:00 GMT", "date": DATE}, 30),
        ({"retry-after": "Sun, 22 Nov 2026 10:15:00 GMT", "date": DATE}, 0),
        ({"retry-after": "Sun, 22 Nov 2026 10:16:00 GMT"}, 0),
        ({"retry-after": "Sun, 22 Nov 2026 10:16:00 GMT", "date": "today"}, 0),
        ({"retry-after": "Sun, 22 Nov 2026 10:16:00", "date": DATE}, 0),
    ],
)
def test_retry_after_is_seconds_or_a_date_else_zero(headers: dict[str, str], seconds: float) -> None:
    assert retry_after_s(headers) == seconds


@given(st.text(), st.text())
def test_arbitrary_headers_do_not_break_the_client(retry_after: str, date: str) -> None:
    assert 0 <= retry_after_s({"retry-after": retry_after, "date": date}) <= MAX_RETRY_AFTER_S


@given(st.integers(300, 999), st.binary())
def test_arbitrary_bodies_do_not_break_the_client(status: int, body: bytes) -> None:
    error = error_of(status, {}, body)
    assert error.status == status
    assert str(error)
    assert error.problem["success"] is False or b"success" in body


def test_the_servers_words_and_fields_are_kept() -> None:
    body = (
        b'{"success": false, "error": "illegal_transition", "message": "It is delivered.", "legal_next": [],'
        b' "status": 409}'
    )
    error = error_of(409, {}, body)
    assert isinstance(error, Conflict)
    assert (str(error), error.code, error.problem["legal_next"]) == ("It is delivered.", "illegal_transition", [])


@pytest.mark.parametrize(
    ("status", "kind", "code"),
    [
        (422, InvalidRequest, "http_422"),
        (429, ServerBusy, "http_429"),
        (502, ServerFailed, "http_502"),
        (418, RequestRefused, "http_418"),
    ],
)
def test_a_proxys_own_page_still_makes_a_proper_error(status: int, kind: type[RequestRefused], code: str) -> None:
    error = error_of(status, {"retry-after": "4"}, b"<html>nginx</html>")
    assert type(error) is kind
    assert error.code == code
    assert str(status) in str(error)
    assert error.retry_after_s == 4


def test_an_order_of_a_link_hides_fields_as_null() -> None:
    hidden = dict.fromkeys(("customer_id", "reference", "address", "note", "courier_id", "restaurant_id"))
    update = read(Decoder(Update), 200, {}, update_body(1, data=order(1, **hidden)))
    assert (update.order.customer_id, update.order.reference) == (None, None)


@given(st.text())
def test_an_error_is_one_line_and_safe_to_print(text: str) -> None:
    told = str(ServerFailed(text, code="internal", status=500))
    assert all(category(character) not in ("Cc", "Cs", "Zl", "Zp") for character in told)
    assert "\N{RIGHT-TO-LEFT OVERRIDE}" not in told


def test_unsafe_characters_are_escaped_as_in_python() -> None:
    assert escape("a\x1b[2J\n\r\t\x7f\x9b\u2028\u202e\ud800é🍕[b]") == (
        r"a\x1b[2J\n\r\t\x7f\x9b\u2028\u202e\ud800é🍕[b]"
    )
