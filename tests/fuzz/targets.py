"""Properties that hold for any bytes. A target returns True for inputs that went deep, to be mutated further."""

from __future__ import annotations

import ipaddress
from collections.abc import Awaitable, Callable
from typing import Any

import h11
import jwt

from ordertrack.adapters.jwt.claims import ClaimNames, Rules
from ordertrack.adapters.jwt.keys import StaticKey, secret_key
from ordertrack.adapters.jwt.tokens import JwtTokens
from ordertrack.core.errors import OrdertrackError, Unauthenticated
from ordertrack.core.poll import PollRequest
from ordertrack.http.gate.framing import BodyReader, HeadReader
from ordertrack.http.policy.admission import bearer
from ordertrack.http.policy.client_address import UNKNOWN, Addresses, parse_networks
from ordertrack.http.wire.message import Headers, check_message, parse_target
from ordertrack.http.wire.parameters import parse_poll
from ordertrack.http.wire.paths import PollTarget, match_path
from ordertrack.http.wire.problems import problem

SECRET = "a secret for mutated tokens alone, of 32 bytes and more"
LIMIT_BYTES = 10_000
NOW_MS = 1_800_000_000_000
GOOD_CLAIMS = {"role": "courier", "sub": "7", "courier_id": "7", "exp": NOW_MS // 1000 + 600}
GOOD_TOKEN = jwt.encode(GOOD_CLAIMS, SECRET, "HS256")
OTHER_SECRET = "another secret, of 32 bytes and more as well"
_NAMES = ClaimNames("role", "sub", "customer_id", "restaurant_id", "courier_id", "restaurants")
_PROXIES = Addresses(parse_networks("10.0.0.0/8"))


class _Still:
    """A clock that does not advance."""

    def now_ms(self) -> int:
        return NOW_MS

    def monotonic_s(self) -> float:
        return 0.0


async def head(data: bytes) -> bool:
    """A request and body that the gate accepts are read in the same way by another strict parser (h11)."""
    try:
        read = HeadReader().read(data, None)
        if read is None:
            return False
        check_message(read.request)
        body = BodyReader(read.body_length, LIMIT_BYTES)
        length = read.length + (0 if body.is_complete else body.receive(data[read.length :]))
    except OrdertrackError as error:
        problem(error)
        return False
    connection = h11.Connection(h11.SERVER)
    connection.receive_data(data[:length])
    request = connection.next_event()
    assert isinstance(request, h11.Request), "another parser sees no request"
    assert request.method.decode() == read.request.method
    if parse_target(request.target).authority is None:
        assert Headers.from_pairs(request.headers) == read.request.headers
    received = b""
    while isinstance(event := connection.next_event(), h11.Data):
        received += bytes(event.data)
    assert received == body.data
    assert isinstance(event, h11.EndOfMessage) == body.is_complete, "another parser wants more, or less"
    return True


async def poll(data: bytes) -> bool:
    path, _, rest = data.partition(b"?")
    query, _, value = rest.partition(b"\n")
    headers = Headers({b"if-none-match": value, b"prefer": value})
    try:
        target = match_path(parse_target(b"/" + bytes(byte for byte in path if 0x21 <= byte <= 0x7E)).path)
        if isinstance(target, PollTarget):
            target.feed()
        return parse_poll(query, headers) != PollRequest()
    except OrdertrackError as error:
        problem(error)
        return False


async def token(data: bytes) -> bool:
    text = data.decode("latin-1")
    tokens = JwtTokens(StaticKey(secret_key(SECRET)), Rules("", "", 0, _NAMES), _Still(), max_cached=10)
    try:
        sent = bearer(Headers({b"authorization": b"Bearer " + data}))
        assert sent is not None
        principal = tokens.peek(sent) or await tokens.verify(sent)
    except Unauthenticated as error:
        problem(error)
        return text.count(".") == 2
    assert text.strip() == GOOD_TOKEN, f"accepted as {principal}"
    return True


async def address(data: bytes) -> bool:
    found = _PROXIES.client("10.0.0.1", Headers({b"x-forwarded-for": data}))
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
            b"POST /api/v1/orders HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
            b'3;a=b\r\n{"a\r\n2\r\n":\r\n0\r\nX: y\r\n\r\n',
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
