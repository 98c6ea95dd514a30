"""Paths as values: `match_path` decides once per request which endpoint a path leads to."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import ClassVar
from urllib.parse import unquote

import msgspec

from ordertrack.core.cursor import MAX_INT64
from ordertrack.core.errors import InvalidInput, OrderNotFound
from ordertrack.core.feed import FeedKey, FeedKind, order_feed
from ordertrack.core.text import LINE
from ordertrack.http.wire import names

MAX_PARTY_ID = 64
MAX_BODY_BYTES = 64 * 1024
MAX_BULK_BODY_BYTES = 1024 * 1024

_PARTIES = {
    names.CUSTOMERS: FeedKind.CUSTOMER,
    names.RESTAURANTS: FeedKind.RESTAURANT,
    names.COURIERS: FeedKind.COURIER,
}
_PATH = re.compile(
    rf"{names.ORDERS}/(?P<order>[^/]+)(?P<what>{names.TRACK_SUFFIX}|{names.STATUS_SUFFIX})"
    rf"|(?P<party>{'|'.join(_PARTIES)})/(?P<id>.*){names.TRACK_SUFFIX}"
    rf"|{names.LINKS}/(?P<token>[^/]+)(?P<track>{names.TRACK_SUFFIX})?"
    rf"|{names.ORDER_PAGES}/(?P<order_page>[^/]+)"
    rf"|(?P<apidocs>/|{names.APIDOCS}(?:/.*)?)|(?P<sdk>{names.SDK}/.*)"
    rf"|(?P<service_worker>{names.SERVICE_WORKER})"
    rf"|(?P<data>{names.PAGE_FILES}/.*|{names.HEALTH}|{names.READY}|{names.OPENAPI})",
    re.DOTALL,
)
_LINK_START = re.compile(rf"{names.LINKS}/[^/]+")
_LOGGED_CHARACTERS = 100
_ORDER_ID = re.compile(r"[1-9][0-9]{0,18}", re.ASCII)
_PRINTABLE = re.compile(LINE)
_NOT_UTF8 = "\N{REPLACEMENT CHARACTER}"


class Content(StrEnum):
    """The kind of a response, which decides its security headers. The groups of `_PATH` have these names."""

    DATA = "data"
    APIDOCS = "apidocs"
    SERVICE_WORKER = "service_worker"
    SDK = "sdk"


class _Target(msgspec.Struct, frozen=True, gc=False):
    max_body_bytes: ClassVar[int] = MAX_BODY_BYTES
    polls: ClassVar[bool] = False
    has_page: ClassVar[bool] = False
    """The order is shown as a page or as JSON, as `Accept` prefers."""


class PollTarget(_Target, frozen=True, gc=False):
    """The poll of a feed. `id` is percent-encoded and not checked yet."""

    polls: ClassVar[bool] = True
    kind: FeedKind
    id: str

    def feed(self) -> FeedKey:
        """Return the feed. The id of a party may contain a slash, as in bodies.

        Raises: OrderNotFound, InvalidInput.
        """
        id_ = unquote(self.id)
        if self.kind is FeedKind.ORDER:
            return order_feed(parse_order_id(id_))
        if len(id_) > MAX_PARTY_ID or not _PRINTABLE.fullmatch(id_) or _NOT_UTF8 in id_:
            allowed = f"1 to {MAX_PARTY_ID} characters in UTF-8 without control characters"
            raise InvalidInput(f"{self.kind}_id", allowed)
        return FeedKey(self.kind, id_)


class StatusTarget(_Target, frozen=True, gc=False):
    """The status of an order. `id` is percent-encoded and not checked yet."""

    id: str


class OrdersTarget(_Target, frozen=True, gc=False):
    """All orders. The framework routes the reads."""


class LinkTarget(_Target, frozen=True, gc=False):
    """A tracking link: its order, or the poll of its order."""

    token: str
    polls: bool  # type: ignore[misc]  # a link leads to its order as well

    @property
    def has_page(self) -> bool:  # type: ignore[override]
        return not self.polls

    @property
    def track_path(self) -> str:
        return f"{names.LINKS}/{self.token}{names.TRACK_SUFFIX}"


class OrderPageTarget(_Target, frozen=True, gc=False):
    """An order. `id` is percent-encoded and not checked yet."""

    has_page: ClassVar[bool] = True
    id: str

    @property
    def track_path(self) -> str:
        return f"{names.ORDERS}/{self.id}{names.TRACK_SUFFIX}"


class OtherTarget(_Target, frozen=True, gc=False):
    """All other paths. The framework knows which of them exist."""

    path: str
    is_public: bool = False
    """Needs no caller: nothing of any order is in the response."""
    content: Content = Content.DATA
    max_body_bytes: int = MAX_BODY_BYTES  # type: ignore[misc]  # one path has its own


Target = PollTarget | StatusTarget | OrdersTarget | LinkTarget | OrderPageTarget | OtherTarget


def match_path(path: str) -> Target:
    """Return the target of a path that is normalized (`wire.message`)."""
    match = _PATH.fullmatch(path)
    if match is None:
        if path == names.ORDERS:
            return OrdersTarget()
        return OtherTarget(path, max_body_bytes=MAX_BULK_BODY_BYTES if path == names.BULK else MAX_BODY_BYTES)
    order, what, party, id_, token, track, order_page = match.groups()[:7]
    if order is not None:
        return PollTarget(FeedKind.ORDER, order) if what == names.TRACK_SUFFIX else StatusTarget(order)
    if party is not None:
        return PollTarget(_PARTIES[party], id_)
    if token is not None:
        return LinkTarget(token, track is not None)
    if order_page is not None:
        return OrderPageTarget(order_page)
    return OtherTarget(path, True, Content(match.lastgroup or ""))


def without_token(path: str) -> str:
    """Return a path without the token of a tracking link, as it may be logged."""
    return _LINK_START.sub(f"{names.LINKS}/-", path)[:_LOGGED_CHARACTERS]


def parse_order_id(text: str) -> int:
    """Raises: OrderNotFound, also for text that is not an id."""
    if not _ORDER_ID.fullmatch(text) or int(text) > MAX_INT64:
        raise OrderNotFound(text)
    return int(text)
