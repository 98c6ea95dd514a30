"""What must hold for any bytes. A target returns whether the input went deep, so that mutations start from it too."""

from __future__ import annotations

import ipaddress
from collections.abc import Awaitable, Callable
from typing import Any

import h11
import jwt

from ordertrack.adapters.jwt.claims import ClaimNames, Rules
from ordertrack.adapters.jwt.keys import OneKey, secret_key
from ordertrack.adapters.jwt.tokens import JwtTokens
from ordertrack.core.errors import OrdertrackError, Unauthenticated
from ordertrack.core.poll import PollRequest
from ordertrack.http.addresses import UNKNOWN, Addresses, parse_networks
from ordertrack.http.admission import bearer
from ordertrack.http.gate.head import Head, read_head
from ordertrack.http.parameters import is_poll_path, link_path, parse_feed, parse_poll
from ordertrack.http.problems import problem
from ordertrack.http.status_updates import status_path

SECRET = "a secret for mutated tokens alone, of 32 bytes and more"
NOW_MS = 1_800_000_000_000
GOOD_CLAIMS = {"role": "courier", "sub": "7", "courier_id": "7", "exp": NOW_MS // 1000 + 600}
GOOD_TOKEN = jwt.encode(GOOD_CLAIMS, SECRET, "HS256")
OTHER_SECRET = "another secret, of 32 bytes and more as well"
_NAMES = ClaimNames("role", "sub", "customer_id", "restaurant_id", "courier_id", "restaurants")
_PROXIES = Addresses(parse_networks("10.0.0.0/8"))


class _Still:
    """A clock that stands."""

    def now_ms(self) -> int:
        return NOW_MS

    def monotonic_s(self) -> float:
        return 0.0


async def head(data: bytes) -> bool:
    read = read_head(data)
    if not isinstance(read, Head):
        return False
    connection = h11.Connection(h11.SERVER)
    connection.receive_data(data[: read.length + read.body_length])
    request = connection.next_event()
    assert isinstance(request, h11.Request), "another parser sees no request"
    assert request.method == read.method
    assert request.target == read.path.encode() + (b"?" + read.query_string if b"?" in request.target else b"")
    assert sorted(request.headers) == sorted((name, value.strip(b" \t")) for name, value in read.headers)
    body = b""
    while isinstance(event := connection.next_event(), h11.Data):
        body += bytes(event.data)
    if read.body_length == 0 or len(data) >= read.length + read.body_length:
        assert isinstance(event, h11.EndOfMessage), "another parser wants more, or less"
        assert len(body) == read.body_length
    return True


async def poll(data: bytes) -> bool:
    path, _, rest = data.partition(b"?")
    query, _, value = rest.partition(b"\n")
    text = path.decode("latin-1")
    status_path(text), link_path(text)
    headers = [(b"if-none-match", value), (b"prefer", value)]
    try:
        if is_poll_path(text):
            parse_feed(text)
        return parse_poll(query, headers) != PollRequest()
    except OrdertrackError as error:
        problem(error)
        return False


async def token(data: bytes) -> bool:
    text = data.decode("latin-1")
    tokens = JwtTokens(OneKey(secret_key(SECRET)), Rules("", "", 0, _NAMES), _Still(), max_remembered=10)
    try:
        sent = bearer([(b"authorization", b"Bearer " + data)])
        assert sent is not None
        principal = tokens.peek(sent) or await tokens.verify(sent)
    except Unauthenticated as error:
        problem(error)
        return text.count(".") == 2
    assert text.strip() == GOOD_TOKEN, f"accepted as {principal}"
    return True


async def address(data: bytes) -> bool:
    found = _PROXIES.client("10.0.0.1", [(b"x-forwarded-for", data)])
    assert found == UNKNOWN or ipaddress.ip_address(found)
    return found != "10.0.0.1"


TARGETS: dict[str, Callable[[bytes], Awaitable[bool]]] = {
    "head": head, "poll": poll, "token": token, "address": address,
}  # fmt: skip


def seeds(name: str) -> list[bytes]:
    by_name: dict[str, list[Any]] = {
        "head": [
            b"GET /api/v1/orders/101/track?cursor=a1b2c3d4.3&timeout=30 HTTP/1.1\r\nHost: x\r\nAccept: */*\r\n\r\n",
            b"GET /t/otl_AAAAAAAAAAAAAAAAAAAAAA/track HTTP/1.1\r\nHost: x\r\nPrefer: wait=5\r\n\r\n",
            b"PUT /api/v1/orders/101/status HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b'Content-Length: 23\r\n\r\n{"status": "preparing"}',
            b"GET /api/v1/customers/ann/track HTTP/1.0\r\nHost: x\r\nConnection: keep-alive\r\n\r\n",
        ],
        "poll": [
            b'/api/v1/orders/101/track?cursor=a1b2c3d4.3&timeout=30&client_id=x\nW/"a1b2c3d4.3"',
            b"/api/v1/restaurants/1/track?last_update=2026-11-22T10:15:30.123Z\nwait=5",
            b"/t/otl_AAAAAAAAAAAAAAAAAAAAAA/track?timeout=0.5&last_update=2026-11-22 10:15:30+01:00\n*",
        ],
        "token": [
            GOOD_TOKEN.encode(),
            jwt.encode({"role": "admin", "sub": "x", "exp": 1}, SECRET, "HS256").encode(),
            jwt.encode({"role": "admin", "sub": "x", "exp": NOW_MS}, OTHER_SECRET, "HS256").encode(),
            jwt.encode({"role": "admin", "sub": "x"}, None, "none").encode(),
        ],
        "address": [b"198.51.100.1", b"203.0.113.9, 10.1.2.3", b"2001:db8::5", b"::ffff:198.51.100.1"],
    }
    return by_name[name]
