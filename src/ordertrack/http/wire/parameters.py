"""Query strings and headers as values."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import parse_qsl

from ordertrack.core.cursor import parse_cursor
from ordertrack.core.errors import InvalidInput
from ordertrack.core.poll import PollRequest
from ordertrack.core.text import LINE
from ordertrack.core.timestamps import parse_time_ms
from ordertrack.http.wire import names
from ordertrack.http.wire.errors import UnknownParameter
from ordertrack.http.wire.etag import etag_cursor
from ordertrack.http.wire.message import Headers

MAX_PARAMETERS = 50
MAX_CLIENT_ID = 64
_PLAIN_QUERY = re.compile(rb"[a-z_]+=[A-Za-z0-9_.:-]*(?:&[a-z_]+=[A-Za-z0-9_.:-]*){0,9}")
"""Nearly every poll: nothing to decode."""
_TIMEOUT = re.compile(r"[0-9]{1,12}(\.[0-9]{1,9})?", re.ASCII)
_PREFER_WAIT = re.compile(r'(?:^|[,;])\s*wait\s*=\s*"?([0-9]{1,9})"?\s*(?=\Z|[,;])', re.ASCII | re.IGNORECASE)
_PRINTABLE = re.compile(LINE)


def header(headers: Headers, name: str) -> str | None:
    """Return a header's value as text; None when there is no such header."""
    value = headers.get(name.encode())
    return None if value is None else value.decode("latin-1")


def parse_query(query_string: bytes) -> dict[str, list[str]]:
    """Raises: InvalidInput."""
    query: dict[str, list[str]] = {}
    if _PLAIN_QUERY.fullmatch(query_string):
        for pair in query_string.decode("ascii").split("&"):
            name, _, value = pair.partition("=")
            query.setdefault(name, []).append(value)
        return query
    try:
        pairs = parse_qsl(
            query_string.decode("utf-8"), keep_blank_values=True, errors="strict", max_num_fields=MAX_PARAMETERS
        )
    except ValueError:
        raise InvalidInput("query", f"percent-encoded UTF-8 with at most {MAX_PARAMETERS} parameters") from None
    for name, value in pairs:
        query.setdefault(name, []).append(value)
    return query


def check_query(query_string: bytes, *allowed: str) -> dict[str, list[str]]:
    """Return the query. Parameters that would have no effect are refused.

    Raises: UnknownParameter, InvalidInput.
    """
    query = parse_query(query_string)
    for name in query:
        if name not in allowed:
            raise UnknownParameter(name[:100], allowed)
    return query


def single(query: Mapping[str, list[str]], name: str) -> str | None:
    """Return the value of a parameter that may be given once; None when it is missing.

    Raises: InvalidInput.
    """
    values = query.get(name)
    if values is None:
        return None
    if len(values) > 1:
        raise InvalidInput(name, "given once")
    return values[0]


def query_value(query_string: bytes, name: str) -> str | None:
    """Return the value of a parameter that is ignored when it is malformed or repeated."""
    try:
        return single(parse_query(query_string), name)
    except InvalidInput:
        return None


def parse_poll(query_string: bytes, headers: Headers) -> PollRequest:
    """Parse a poll's query and headers. Unknown parameters are ignored: apps add their own to bypass caches.

    Raises: InvalidInput.
    """
    query = parse_query(query_string)
    cursor = single(query, names.CURSOR)
    last_update = single(query, names.LAST_UPDATE)
    timeout = single(query, names.TIMEOUT)
    if_none_match, prefer = header(headers, names.IF_NONE_MATCH), header(headers, names.PREFER)
    return PollRequest(
        cursor=parse_cursor(cursor) if cursor else None,
        etag=etag_cursor(if_none_match) if if_none_match and if_none_match.strip() != "*" else None,
        any_etag=if_none_match is not None and if_none_match.strip() == "*",
        last_update_ms=parse_time_ms(names.LAST_UPDATE, last_update) if last_update else None,
        timeout_s=None if timeout is None else parse_timeout_s(timeout),
        wait_s=_prefer_wait_s(prefer),
        client_id=_client_id(single(query, names.CLIENT_ID)),
    )


def parse_timeout_s(text: str) -> float:
    """Raises: InvalidInput."""
    if not _TIMEOUT.fullmatch(text):
        raise InvalidInput(names.TIMEOUT, "seconds as a plain number, 0 or more, such as 30 or 2.5")
    return float(text)


def _prefer_wait_s(value: str | None) -> float | None:
    """Parse `Prefer: wait=N` (RFC 7240, 4.3). Other preferences are ignored (section 2)."""
    match = _PREFER_WAIT.search(value) if value else None
    return float(match[1]) if match else None


def _client_id(value: str | None) -> str | None:
    if not value:
        return None
    if len(value) > MAX_CLIENT_ID or not _PRINTABLE.fullmatch(value):
        raise InvalidInput(names.CLIENT_ID, f"1 to {MAX_CLIENT_ID} printable characters")
    return value
