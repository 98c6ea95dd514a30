"""Page or JSON, language and compression, by the preferences of a request (RFC 9110, 12.5)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordertrack.core.languages import LANGUAGES
from ordertrack.http.wire.negotiation import MAX_PREFERENCES, accepts_gzip, asks_for_page, preferred_language

CHROMIUM = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8"


@pytest.mark.parametrize(
    ("accept", "page"),
    [
        (CHROMIUM, True), ("text/html", True), ("TEXT/HTML", True), ("text/html;q=0.001", True),
        ("text/html, */*", True), ("text/*", True), ("application/json;q=0.5, text/html;q=0.6", True),
        ("text/html;level=1", True), ("application/json;q=0, */*", True),
        ("", False), ("*/*", False), ("application/json", False), ("application/json, text/plain, */*", False),
        ("text/html, application/json", False), ("text/html;q=0.5, application/json;q=0.6", False),
        ("text/html;q=0, */*;q=0.1", False), ("text/html;q=0", False), ("text/html;q=x", False),
        ("image/png", False), ("text/*;q=0.5, */*;q=0.5", False), ("application/*, text/html;q=0.9", False),
    ],
)  # fmt: skip
def test_a_page_is_for_clients_that_prefer_html(accept: str, page: bool) -> None:
    assert asks_for_page(accept) is page


@pytest.mark.parametrize(
    ("accept_language", "language"),
    [
        ("", "en"), ("de", "de"), ("DE-ch", "de"), ("fr;q=0.5, de;q=0.9", "de"), ("nl, vi;q=0.1", "vi"), ("nl", "en"),
        ("ar-EG,ar;q=0.9,en;q=0.8", "ar"), ("de;q=0, fr;q=0.2", "fr"), ("*", "en"), ("es, fr", "es"), ("d", "en"),
        ("nl, *;q=0.5", "en"), ("de;q=2, fr;q=0.1", "fr"), ("-de", "en"),
    ],
)  # fmt: skip
def test_the_most_preferred_language_is_chosen(accept_language: str, language: str) -> None:
    assert preferred_language(accept_language, LANGUAGES, "en") == language


@pytest.mark.parametrize(
    ("accept_encoding", "gzip"),
    [
        ("gzip", True), ("br, GZIP;q=0.1", True), ("*", True), ("deflate, *;q=0.5", True),
        ("", False), ("identity", False), ("gzip;q=0", False), ("gzip;q=0, *", False), ("br", False),
    ],
)  # fmt: skip
def test_gzip_needs_a_weight_above_zero(accept_encoding: str, gzip: bool) -> None:
    assert accepts_gzip(accept_encoding) is gzip


def test_only_the_first_preferences_are_read() -> None:
    """A head may have 15,000 of them, and reading each takes microseconds."""
    assert asks_for_page("image/png," * (MAX_PREFERENCES - 1) + "text/html")
    assert not asks_for_page("image/png," * MAX_PREFERENCES + "text/html")


@given(st.text(max_size=80))
def test_any_preference_gets_an_answer(text: str) -> None:
    assert isinstance(asks_for_page(text), bool)
    assert isinstance(accepts_gzip(text), bool)
    assert preferred_language(text, LANGUAGES, "vi") in LANGUAGES
