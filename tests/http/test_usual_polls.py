"""The short way of the gate for the usual poll decides as the general one, for every request that it takes."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ordertrack.app.build import build
from ordertrack.app.service import Service
from ordertrack.core.errors import OrdertrackError
from ordertrack.core.event import Status
from ordertrack.core.hub import Poll
from ordertrack.core.order import NewOrder
from ordertrack.core.order_rules import ChangeStatus
from ordertrack.core.poll import Answer
from ordertrack.http.app import Admitted
from ordertrack.http.endpoints.outcome import OUTCOMES
from ordertrack.http.gate.framing import Block, Head, HeadReader, parse_block
from ordertrack.http.gate.poll_reader import PollReader, UsualPoll
from ordertrack.http.wire.message import check_message
from ordertrack.http.wire.parameters import parse_poll
from ordertrack.http.wire.paths import PollTarget, match_path
from ordertrack.http.wire.responses import Response
from ordertrack.settings import Settings

CASES = int(os.environ.get("ORDERTRACK_FUZZ_CASES", "300"))
SECRET = "s" * 43
PEERS = st.sampled_from(["127.0.0.1", "10.0.0.1", "192.0.2.7", "2001:db8::1"])


def _token(**claims: object) -> str:
    return jwt.encode({"exp": 4_102_444_800, **claims}, SECRET, "HS256")


CUSTOMER = _token(role="customer", sub="phone", customer_id="c1")
TOKENS = [CUSTOMER, _token(role="customer", customer_id="c2"), _token(role="admin"), "x.y.z", "ot_" + "a" * 22, "a b"]

NAMES = ["cursor", "timeout", "client_id", "last_update", "cache_buster"]
VALUES = ["{epoch}.1", "{epoch}.2", "{epoch}.9", "{epoch}.0", "{epoch}.01", "{epoch}.1.2", "other.1", "x", "",
          "0", "30", "007", "2.5", "-1", "1e3", "1234567", "phone-1", "phone%2D1", "a+b", "é",
          "2026-01-01T00:00:00"]  # fmt: skip
QUERIES = st.one_of(
    st.builds(
        "cursor={}&timeout={}{}".format,
        st.sampled_from(["{epoch}.1", "{epoch}.2", "{epoch}.3", "{epoch}.9", "{epoch}.0", "other.1", "{epoch}%2E1"]),
        st.sampled_from(["0", "30", "110", "999999", "9999999", "2.5"]),
        st.sampled_from(["", "&client_id=phone-1", "&client_id=", "&client_id=" + "x" * 65, "&v=1"]),
    ),
    st.lists(st.builds("{}={}".format, st.sampled_from(NAMES), st.sampled_from(VALUES)), max_size=4).map("&".join),
)
PATHS = st.sampled_from(["/api/v1/orders/1/track"] * 4 + [
    "/api/v1/orders/2/track", "/api/v1/orders/3/track", "/api/v1/orders/99/track", "/api/v1/orders/01/track",
    "/api/v1/orders/%31/track", "/api/v1/orders/9223372036854775808/track", "/api/v1/orders/1/track/",
    "/api/v1/orders/1", "/api/v1/customers/c1/track", "http://host/api/v1/orders/1/track",
])  # fmt: skip
LINES = st.sampled_from([
    "Host: shop", "host:shop:80", "Host: sh op", "User-Agent: phone/1", "Accept: */*", "Accept-Encoding: gzip, br",
    "Connection: keep-alive", "Connection: close", "Content-Length: 0", "Content-Length: 2", "Expect: 100-continue",
    "Transfer-Encoding: chunked", "Prefer: wait=5", 'If-None-Match: W/"{epoch}.1"', "If-None-Match: *",
    "Origin: https://shop.example", "Origin: https://other.example", "Cookie: a=b", "Upgrade: h2c",
    "X-Forwarded-For: 192.0.2.1", "X-Forwarded-For: 192.0.2.1, 10.0.0.1", "x-forwarded-for:192.0.2.9",
    "X-Forwarded-For:\t192.0.2.1", "X-Request-ID: 1", "X-Request-ID: 2", "traceparent: 00-ab-cd-01", "Bad Name: x",
    *(f"Authorization: Bearer {token}" for token in TOKENS),
    f"authorization:bearer  {CUSTOMER}", "Authorization: Basic eA==",
])  # fmt: skip
BLOCKS = st.lists(LINES, max_size=6).map(lambda lines: ["Host: shop", *lines]) | st.lists(LINES, max_size=4)
REQUESTS = st.builds(
    lambda line, path, query, block, rest: "\r\n".join([line.format(path + (query and f"?{query}")), *block, "", rest]),
    st.sampled_from(["GET {} HTTP/1.1"] * 8 + ["GET {} HTTP/1.0", "HEAD {} HTTP/1.1", "get {} HTTP/1.1"]),
    PATHS,
    QUERIES,
    BLOCKS,
    st.sampled_from([""] * 8 + ["GET / HTTP/1.1\r\n\r\n"]),
)
USUAL = "GET /api/v1/orders/1/track?cursor={epoch}.2&timeout=30 HTTP/1.1\r\nHost: shop\r\n\r\n"


class _Channel:
    """A connection that no answer is written to."""

    def __init__(self) -> None:
        self.headers: tuple[tuple[bytes, bytes], ...] = ()
        self.throttle: Any = None

    def answer(self, answer: Answer, requested_at_s: float | None) -> None: ...

    def refuse(self, error: OrdertrackError) -> None: ...


class _Twins:
    """Two equal services: one is asked by the general way, one by the short one. Order 1 is at version 2, 2 has ended,
    3 is at version 1."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.loop = asyncio.new_event_loop()
        self.services = [self._service(**settings) for _ in range(2)]
        self.epoch = self.services[0].store.epoch
        for service in self.services:
            service.store.epoch = self.epoch  # type: ignore[misc]  # the memory store's is an attribute

    def _service(self, **settings: Any) -> Service:
        service = build(Settings(database_url="memory:", sample_orders=False, **settings))
        self.loop.run_until_complete(self._fill(service))
        return service

    async def _fill(self, service: Service) -> None:
        await service.open()
        store, now_ms = service.store, service.clock.now_ms()
        for _ in range(3):
            await store.create(NewOrder("c1", "r1"), now_ms)
        await store.apply([ChangeStatus(1, Status.PREPARING, "anonymous")], now_ms)
        await store.apply([ChangeStatus(2, Status.CANCELLED, "anonymous", reason="x")], now_ms)

    def close(self) -> None:
        for service in self.services:
            self.loop.run_until_complete(service.close())
        self.loop.close()


@pytest.fixture(scope="module", params=["open", "tokens", "proxy"])
def twins(request: pytest.FixtureRequest) -> Iterator[_Twins]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "secret").write_text(SECRET)
        kinds: dict[str, dict[str, Any]] = {
            "open": {"polls_per_minute": 3},
            "tokens": {"token_secret_file": str(folder / "secret"), "cors_origins": "https://shop.example"},
            "proxy": {"trusted_proxies": "10.0.0.0/8,127.0.0.1", "polls_per_minute": 3},
        }
        twins = _Twins(folder, **kinds[request.param])
        yield twins
        twins.close()


class _Uncached(HeadReader):
    def block(self, fields: bytes) -> Block:
        return parse_block(fields)


def _read(reader: HeadReader | PollReader, data: bytes, peer: str) -> Any:
    """Return what the reader returns, or the class and the text of its error."""
    try:
        return reader.read(data, peer)
    except OrdertrackError as error:
        return type(error), str(error)


@settings(max_examples=CASES)
@given(st.lists(REQUESTS, min_size=1, max_size=4), PEERS)
@example([USUAL, USUAL], "127.0.0.1")
@example(
    [USUAL.replace("\r\n\r\n", "\r\nX-Forwarded-For: 192.0.2.1\r\nx-forwarded-for: 192.0.2.2\r\n\r\n")], "10.0.0.1"
)
def test_a_cached_header_block_gives_the_same_head(texts: list[str], peer: str) -> None:
    heads = HeadReader()
    for text in texts:
        data = text.encode()
        assert _read(heads, data, peer) == _read(_Uncached(), data, peer)


@settings(max_examples=CASES)
@given(st.lists(REQUESTS, min_size=1, max_size=4), PEERS)
@example([USUAL, USUAL], "127.0.0.1")
def test_a_usual_poll_is_read_as_any_request(texts: list[str], peer: str) -> None:
    heads = HeadReader()
    for text in texts:
        data = text.replace("{epoch}", "abcd").encode()
        poll, head = _read(PollReader(heads), data, peer), _read(_Uncached(), data, peer)
        if not isinstance(poll, UsualPoll):
            assert poll in (None, head)  # not read, or refused as the general way refuses it
            continue
        assert isinstance(head, Head)
        assert (head.request, head.length) == (poll.request, len(data))
        assert (head.body_length, head.keep_alive, head.expects_continue) == (0, True, False)
        check_message(head.request)
        target = match_path(head.request.path)
        assert isinstance(target, PollTarget)
        assert (target.feed(), parse_poll(head.request.query_string, head.request.headers)) == (poll.feed, poll.poll)


def test_the_usual_poll_takes_the_short_way() -> None:
    text = USUAL.replace("{epoch}", "abcd")
    own = f"Authorization: Bearer {CUSTOMER}\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n"
    reader = PollReader(HeadReader())
    token_first = text.replace("Host:", f"Authorization: Bearer {CUSTOMER}\r\nHost:")
    token_last = text.replace("\r\n\r\n", "\r\n" + own)
    for request in (text, text.replace("30 ", "30&client_id=1 "), token_first, token_last):
        assert reader.read(request.encode(), None) is not None, request


@settings(max_examples=CASES, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(REQUESTS, min_size=1, max_size=3), peer=PEERS)
@example(texts=[USUAL, USUAL], peer="127.0.0.1")
@example(texts=[USUAL.replace("\r\n\r\n", f"\r\nAuthorization: Bearer {CUSTOMER}\r\n\r\n")] * 2, peer="127.0.0.1")
def test_both_ways_decide_the_same(twins: _Twins, texts: list[str], peer: str) -> None:
    twins.loop.run_until_complete(_compare(twins, texts, peer))


async def _compare(twins: _Twins, texts: list[str], peer: str) -> None:
    channels, held = [_Channel(), _Channel()], []
    heads = HeadReader()
    for text in texts:
        data = text.replace("{epoch}", twins.epoch).encode()
        try:
            poll = PollReader(heads).read(data, peer)
        except OrdertrackError:
            continue
        if poll is None:
            continue
        outcomes = []
        for service, channel, short in zip(twins.services, channels, (False, True), strict=True):
            channel.headers = ()
            outcome = await _outcome(service, channel, poll, short=short)
            if isinstance(outcome, Poll):
                held.append((service, outcome))
            outcomes.append((_seen(outcome), channel.headers, channel.throttle is None))
        assert outcomes[0] == outcomes[1]
    for service, outcome in held:
        service.tracking.leave(outcome)
    assert [service.tracking.hub.joined for service in twins.services] == [0, 0]


async def _outcome(service: Service, channel: Any, poll: Any, *, short: bool) -> Any:
    app, request = service.http, poll.request
    if short:
        outcome: Any = app.poll_order(request, poll.feed, poll.poll, channel)
        if outcome is not None:
            return outcome if isinstance(outcome, OUTCOMES) else await outcome
    begun: Any = app.begin(request, channel)
    begun = await begun if asyncio.iscoroutine(begun) else begun
    if not isinstance(begun, Admitted):
        return begun
    outcome = app.respond(begun, b"", channel)
    return outcome if isinstance(outcome, OUTCOMES) else await outcome


def _seen(outcome: Any) -> Any:
    """Return what a client sees, without times: of a held poll all that decides its answer."""
    match outcome:
        case Response():
            untimed = [pair for pair in outcome.headers if pair[0] not in (b"retry-after", b"ratelimit")]
            return outcome.status, untimed, outcome.body.partition(b"retry")[0]
        case Answer():
            return outcome.state.version, outcome.reason, outcome.position, outcome.not_modified
        case Poll():
            return outcome.feed, outcome.position, outcome.client_id, outcome.by, outcome.conditional
