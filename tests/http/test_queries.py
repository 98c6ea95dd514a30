"""Query strings: the fast path for plain ones gives the same result as the full parser."""

from __future__ import annotations

from urllib.parse import parse_qsl

from hypothesis import given
from hypothesis import strategies as st

from ordertrack.http.wire.parameters import parse_query

PLAIN = st.from_regex(r"[a-z_]{1,3}=[A-Za-z0-9_.:-]{0,4}(&[a-z_]{1,3}=[A-Za-z0-9_.:-]{0,4}){0,4}", fullmatch=True)
ODD = st.text("ab=&+%20;é/", max_size=12)


@given(PLAIN | ODD)
def test_a_query_is_parsed_as_by_the_library(text: str) -> None:
    expected: dict[str, list[str]] = {}
    try:
        for name, value in parse_qsl(text, keep_blank_values=True, errors="strict"):
            expected.setdefault(name, []).append(value)
    except UnicodeDecodeError:
        return
    assert parse_query(text.encode()) == expected
