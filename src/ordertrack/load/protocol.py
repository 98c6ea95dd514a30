"""Requests and answers of a server under load. Those of other servers are in `bench/peers`."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

import msgspec

from ordertrack.load.http_parser import HttpResponse

ORDERS = "/api/v1/orders"
HEADERS = (
    "Host: 127.0.0.1\r\n"
    "User-Agent: ordertrack-bench/1 (with the headers that a phone's HTTP library sends, about 300 bytes)\r\n"
    "Accept: application/json, text/plain, */*\r\n"
    "Accept-Language: en-GB,en;q=0.9\r\n"
    "Accept-Encoding: gzip, deflate\r\n"
    "X-Requested-With: com.example.food\r\n"
)
STATUS_BY_VERSION = {2: "preparing", 3: "ready", 4: "picked_up", 5: "delivered"}
"""The status that each version of an order sets."""


class WrongAnswer(Exception):
    """An answer that breaks the protocol; the message says what is wrong."""


class PollReply(NamedTuple):
    """The parsed answer to a poll. `feed` is None when the answer does not name it.

    `first` and `version` are the oldest and the newest version of the news; without news, `version` is the current one
    (None when not named). `position` is what the next poll must send.
    """

    feed: int | None
    news: bool
    first: int
    version: int | None
    position: bytes
    ended: bool = False


class ServerProtocol(Protocol):
    """`last_version` ends a feed; None means feeds do not end. `hold_s` is the hold that polls request."""

    last_version: int | None
    hold_s: float

    def poll(self, feed: int, position: bytes) -> bytes:
        """Return the request of a poll from `position`."""

    def parse(self, response: HttpResponse) -> PollReply:
        """Raises: WrongAnswer."""

    def update(self, feed: int, version: int) -> bytes:
        """Return the request that sets `version` of the feed."""

    def updates(self, changes: Sequence[tuple[int, int]]) -> bytes:
        """Return one request for many feeds, from pairs of feed and version."""

    def accepted(self, response: HttpResponse, count: int) -> bool:
        """Return True when all `count` updates were applied."""


class _Version(msgspec.Struct, gc=False):
    version: int


class _Order(msgspec.Struct, gc=False):
    id: int
    version: int


class _PollBody(msgspec.Struct):
    data: _Order
    has_update: bool
    cursor: str
    reason: str
    terminal: bool = False
    events: list[_Version] = []


_poll_body = msgspec.json.Decoder(_PollBody)


def build_request(method: str, path: str, body: object = None, token: str = "") -> bytes:
    authorization = f"Authorization: Bearer {token}\r\n" if token else ""
    head = f"{method} {path} HTTP/1.1\r\n{HEADERS}{authorization}"
    if body is None:
        return head.encode() + b"\r\n"
    content = json.dumps(body, separators=(",", ":")).encode()
    return f"{head}Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n".encode() + content


class OrdertrackProtocol:
    """PROTOCOL.md, sections 2, 3 and 7. A position is a cursor. Requests carry `token`; polls carry the token that
    `poll_token` returns for the order and its customer, if it is given. `customers` has the customer of each order."""

    def __init__(self, hold_s: float, token: str = "", poll_token: Callable[[int, str], str] | None = None) -> None:
        self.hold_s = hold_s
        self.customers: dict[int, str] = {}
        self.last_version: int | None = max(STATUS_BY_VERSION)
        self._token = token
        self._poll_token = poll_token
        self._tail = self._poll_tail(token)
        self._update_tail = {
            version: self.request("PUT", "", {"status": status}).removeprefix(b"PUT ")
            for version, status in STATUS_BY_VERSION.items()
        }

    def request(self, method: str, path: str, body: object = None) -> bytes:
        return build_request(method, path, body, self._token)

    def poll_at_once(self, feed: int) -> bytes:
        """Return the request of a poll that is not held."""
        return build_request("GET", f"{ORDERS}/{feed}/track?timeout=0", token=self._token_of_poll(feed))

    def poll(self, feed: int, position: bytes) -> bytes:
        tail = self._tail if self._poll_token is None else self._poll_tail(self._token_of_poll(feed))
        return b"GET %s/%d/track?cursor=%s%s" % (ORDERS.encode(), feed, position, tail)

    def _token_of_poll(self, feed: int) -> str:
        return self._token if self._poll_token is None else self._poll_token(feed, self.customers[feed])

    def _poll_tail(self, token: str) -> bytes:
        return f"&timeout={self.hold_s:g}".encode() + build_request("", "", token=token).removeprefix(b" ")

    def parse(self, response: HttpResponse) -> PollReply:
        if response.status != 200:
            raise WrongAnswer(f"status {response.status}")
        try:
            body = _poll_body.decode(response.body)
        except msgspec.MsgspecError as error:
            raise WrongAnswer(f"not the body of a poll answer: {error}") from None
        order, news = body.data, body.has_update
        if news is not (body.reason == "changed") or news is not bool(body.events):
            raise WrongAnswer(f"reason {body.reason} with has_update {news} and {len(body.events)} events")
        first = body.events[0].version if news else 0
        return PollReply(order.id, news, first, order.version, body.cursor.encode(), body.terminal)

    def update(self, feed: int, version: int) -> bytes:
        return b"PUT %s/%d/status%s" % (ORDERS.encode(), feed, self._update_tail[version])

    def updates(self, changes: Sequence[tuple[int, int]]) -> bytes:
        entries = [{"order_id": feed, "status": STATUS_BY_VERSION[version]} for feed, version in changes]
        return self.request("POST", "/api/v1/status-updates", {"updates": entries})

    def accepted(self, response: HttpResponse, count: int) -> bool:
        return response.status == 200 and response.body.count(b'"changed":true') == count
