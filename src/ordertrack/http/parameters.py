"""Requests as values: what paths, query strings and headers say. Shared by everything that serves a request."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from urllib.parse import parse_qsl

from ordertrack.core.errors import InvalidInput, OrderNotFound
from ordertrack.core.feed import MAX_INT64, Cursor, FeedKey, FeedKind, order_feed, parse_cursor, parse_time_ms
from ordertrack.core.poll import PollRequest
from ordertrack.core.principal import Principal
from ordertrack.core.text import LINE
from ordertrack.http import names

MAX_PARAMETERS = 50
MAX_CLIENT_ID = 64
MAX_PARTY_ID = 64
_PLAIN_QUERY = re.compile(rb"[a-z_]+=[A-Za-z0-9_.:-]*(?:&[a-z_]+=[A-Za-z0-9_.:-]*){0,9}")
"""What nearly every poll has: nothing to decode."""
_NO_CURSOR = Cursor("", 0)
"""Stands for an ETag that is not one of ours: a history nobody has."""

_PARTIES = {
    names.CUSTOMERS: FeedKind.CUSTOMER,
    names.RESTAURANTS: FeedKind.RESTAURANT,
    names.COURIERS: FeedKind.COURIER,
}
_POLL_PATH = re.compile(
    rf"{names.ORDERS}/(?P<order>[^/]+){names.TRACK_SUFFIX}|(?P<party>{'|'.join(_PARTIES)})/(?P<id>.*){names.TRACK_SUFFIX}",
    re.DOTALL,
)
_LINK_PATH = re.compile(rf"{names.LINKS}/([A-Za-z0-9_-]{{1,64}})({names.TRACK_SUFFIX})?")
_NOT_UTF8 = "\N{REPLACEMENT CHARACTER}"
_ORDER_ID = re.compile(r"[1-9][0-9]{0,18}", re.ASCII)
_TIMEOUT = re.compile(r"[0-9]{1,12}(\.[0-9]{1,9})?", re.ASCII)
_ENTITY_TAG = re.compile(r'(?:W/)?"([^"]*)"')
_PREFER_WAIT = re.compile(r'(?:^|[,;])\s*wait\s*=\s*"?([0-9]{1,9})"?\s*(?=\Z|[,;])', re.ASCII | re.IGNORECASE)
_PRINTABLE = re.compile(LINE)


def is_poll_path(path: str) -> bool:
    """Of a path whose percent-encoding is undone. An id that is not one is noticed by `parse_feed`."""
    return _POLL_PATH.fullmatch(path) is not None


def parse_feed(path: str) -> FeedKey:
    """The feed a poll path asks for. The id of a party may contain a slash, as those that come in bodies may.

    Raises OrderNotFound, InvalidInput.
    """
    match = _POLL_PATH.fullmatch(path)
    assert match is not None
    if match["party"] is None:
        return order_feed(parse_order_id(match["order"]))
    id_, kind = match["id"], _PARTIES[match["party"]]
    if len(id_) > MAX_PARTY_ID or not _PRINTABLE.fullmatch(id_) or _NOT_UTF8 in id_:
        raise InvalidInput(f"{kind}_id", f"1 to {MAX_PARTY_ID} characters in UTF-8 without control characters")
    return FeedKey(kind, id_)


def link_path(path: str) -> tuple[str, str] | None:
    """Of `/t/{token}` and `/t/{token}/track`: the token, and what follows it; None when it is another path."""
    match = _LINK_PATH.fullmatch(path)
    return (match[1], match[2] or "") if match else None


def link_track_token(path: str) -> str | None:
    """The token in the path of a link's poll; None when it is another path."""
    link = link_path(path)
    return link[0] if link is not None and link[1] else None


def shown_to_holder(path: str, holder: Principal) -> str:
    """A link's path as the path of the order that it is for; every other one as it is."""
    link = link_path(path)
    return path if link is None else f"{names.ORDERS}/{holder.order_id}{link[1]}"


def parse_order_id(text: str) -> int:
    """Raises OrderNotFound: whatever is not an id is the id of no order."""
    if not _ORDER_ID.fullmatch(text) or int(text) > MAX_INT64:
        raise OrderNotFound(text)
    return int(text)


def parse_query(query_string: bytes) -> dict[str, list[str]]:
    """Raises InvalidInput."""
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


def single(query: Mapping[str, list[str]], name: str) -> str | None:
    """The value of a parameter that may be given once; None when it is missing. Raises InvalidInput."""
    values = query.get(name)
    if values is None:
        return None
    if len(values) > 1:
        raise InvalidInput(name, "given once")
    return values[0]


def parse_poll(query_string: bytes, headers: Iterable[tuple[bytes, bytes]]) -> PollRequest:
    """A poll's query and headers. Parameters it does not know are ignored: apps add their own against caches.

    Raises InvalidInput.
    """
    query = parse_query(query_string)
    cursor = single(query, names.CURSOR)
    last_update = single(query, names.LAST_UPDATE)
    timeout = single(query, names.TIMEOUT)
    if_none_match, prefer = header(headers, names.IF_NONE_MATCH), header(headers, names.PREFER)
    return PollRequest(
        cursor=parse_cursor(cursor) if cursor else None,
        etag=_etag_cursor(if_none_match) if if_none_match and if_none_match.strip() != "*" else None,
        any_etag=if_none_match is not None and if_none_match.strip() == "*",
        last_update_ms=parse_time_ms(names.LAST_UPDATE, last_update) if last_update else None,
        timeout_s=None if timeout is None else parse_timeout_s(timeout),
        wait_s=_prefer_wait_s(prefer),
        client_id=_client_id(single(query, names.CLIENT_ID)),
    )


def parse_timeout_s(text: str) -> float:
    """Raises InvalidInput."""
    if not _TIMEOUT.fullmatch(text):
        raise InvalidInput(names.TIMEOUT, "seconds as a plain number, 0 or more, such as 30 or 2.5")
    return float(text)


def parse_if_match(value: str | None, epoch: str) -> frozenset[int] | None:
    """The versions an `If-Match` header names; None when there is no condition. Tags of ours only count as themselves:
    a weak one too, since every version of an order is one representation."""
    if value is None or value.strip() == "*":
        return None
    return frozenset(cursor.version for cursor in _cursors(value) if cursor.epoch == epoch)


def names_version(value: str | None, cursor: Cursor) -> bool:
    """Whether an `If-None-Match` header names this version."""
    return value is not None and (value.strip() == "*" or cursor in _cursors(value))


def _cursors(value: str) -> list[Cursor]:
    found: list[Cursor] = []
    for tag in _ENTITY_TAG.findall(value):
        try:
            found.append(parse_cursor(tag))
        except InvalidInput:
            continue
    return found


def _etag_cursor(value: str) -> Cursor:
    cursors = _cursors(value)
    return cursors[0] if cursors else _NO_CURSOR


def _prefer_wait_s(value: str | None) -> float | None:
    """`Prefer: wait=N` (RFC 7240, 4.3). A preference that is not understood is ignored, as section 2 asks."""
    match = _PREFER_WAIT.search(value) if value else None
    return float(match[1]) if match else None


def _client_id(value: str | None) -> str | None:
    if not value:
        return None
    if len(value) > MAX_CLIENT_ID or not _PRINTABLE.fullmatch(value):
        raise InvalidInput(names.CLIENT_ID, f"1 to {MAX_CLIENT_ID} printable characters")
    return value


def header(headers: Iterable[tuple[bytes, bytes]], name: str) -> str | None:
    """A header's value; repeated ones are one list (RFC 9110, 5.3)."""
    wanted = name.encode()
    values = [value.decode("latin-1") for key, value in headers if key == wanted]
    return ", ".join(values) if values else None
