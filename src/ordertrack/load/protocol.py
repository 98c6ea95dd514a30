"""How a server is polled and updated, and what its answers mean. Ours is here; peers bring theirs (`bench/peers`)."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

import msgspec

from ordertrack.load.http_parser import Reply

ORDERS = "/api/v1/orders"
HEADERS = (
    "Host: 127.0.0.1\r\n"
    "User-Agent: ordertrack-bench/1 (with the headers that a phone's HTTP library sends, about 300 bytes)\r\n"
    "Accept: application/json, text/plain, */*\r\n"
    "Accept-Language: en-GB,en;q=0.9\r\n"
    "Accept-Encoding: gzip, deflate\r\n"
    "X-Requested-With: com.example.food\r\n"
)
STATUS_AT = {2: "preparing", 3: "ready", 4: "picked_up", 5: "delivered"}
"""The road of an order of ours, by the version that each step makes."""


class WrongAnswer(Exception):
    """An answer that nobody should get; the message says what is wrong with it."""


class Answer(NamedTuple):
    """What a poll was told. `feed` is None when the answer does not say.

    `first` and `version` are the first and the newest version it brings news of; without news, `version` is the one
    that it confirms (None: it does not say). `position` is what the next poll has to send.
    """

    feed: int | None
    news: bool
    first: int
    version: int | None
    position: bytes
    ended: bool = False


class Dialect(Protocol):
    """`last_version` ends a feed; None: it has no end. `hold_s` is how long polls ask to be held."""

    last_version: int | None
    hold_s: float

    def poll(self, feed: int, position: bytes) -> bytes:
        """The request of a poll that has `position`."""

    def answer(self, reply: Reply) -> Answer:
        """Raises WrongAnswer."""

    def update(self, feed: int, version: int) -> bytes:
        """The request that makes `version` of the feed."""

    def updates(self, changes: Sequence[tuple[int, int]]) -> bytes:
        """The same for many feeds at once."""

    def accepted(self, reply: Reply, count: int) -> bool:
        """Whether all `count` updates were made."""


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


def request(method: str, path: str, body: object = None, token: str = "") -> bytes:
    authorization = f"Authorization: Bearer {token}\r\n" if token else ""
    head = f"{method} {path} HTTP/1.1\r\n{HEADERS}{authorization}"
    if body is None:
        return head.encode() + b"\r\n"
    content = json.dumps(body, separators=(",", ":")).encode()
    return f"{head}Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n".encode() + content


class OrdertrackDialect:
    """PROTOCOL.md, sections 2, 3 and 7. A position is a cursor. `token` is sent with everything, except with polls
    where `phone_token` gives one for the order."""

    def __init__(self, hold_s: float, token: str = "", phone_token: Callable[[int], str] | None = None) -> None:
        self.hold_s = hold_s
        self.last_version: int | None = max(STATUS_AT)
        self._token = token
        self._phone_token = phone_token
        self._tail = self._poll_tail(token)
        self._update_tail = {
            version: self.request("PUT", "", {"status": status}).removeprefix(b"PUT ")
            for version, status in STATUS_AT.items()
        }

    def request(self, method: str, path: str, body: object = None) -> bytes:
        return request(method, path, body, self._token)

    def poll(self, feed: int, position: bytes) -> bytes:
        tail = self._tail if self._phone_token is None else self._poll_tail(self._phone_token(feed))
        return b"GET %s/%d/track?cursor=%s%s" % (ORDERS.encode(), feed, position, tail)

    def _poll_tail(self, token: str) -> bytes:
        return f"&timeout={self.hold_s:g}".encode() + request("", "", token=token).removeprefix(b" ")

    def answer(self, reply: Reply) -> Answer:
        if reply.status != 200:
            raise WrongAnswer(f"status {reply.status}")
        try:
            body = _poll_body.decode(reply.body)
        except msgspec.MsgspecError as error:
            raise WrongAnswer(f"a body that is no poll answer: {error}") from None
        order, news = body.data, body.has_update
        if news is not (body.reason == "changed") or news is not bool(body.events):
            raise WrongAnswer(f"reason {body.reason} with has_update {news} and {len(body.events)} events")
        first = body.events[0].version if news else 0
        return Answer(order.id, news, first, order.version, body.cursor.encode(), body.terminal)

    def update(self, feed: int, version: int) -> bytes:
        return b"PUT %s/%d/status%s" % (ORDERS.encode(), feed, self._update_tail[version])

    def updates(self, changes: Sequence[tuple[int, int]]) -> bytes:
        entries = [{"order_id": feed, "status": STATUS_AT[version]} for feed, version in changes]
        return self.request("POST", "/api/v1/status-updates", {"updates": entries})

    def accepted(self, reply: Reply, count: int) -> bool:
        return reply.status == 200 and reply.body.count(b'"changed":true') == count
