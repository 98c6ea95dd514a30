"""Published keys, fetched from a local server: rotation, failures and all kinds of responses."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from structlog.testing import capture_logs

from adapters.tokens import (
    CLAIMS,
    SECRET,
    StillClock,
    base64url,
    hs256,
    jwk,
    public_pem,
    raw,
    roca_modulus,
    rsa_public,
    signed,
)
from ordertrack.adapters.jwt.claims import Rules
from ordertrack.adapters.jwt.jwks import COOL_DOWN_S, MAX_DOCUMENT_BYTES, MAX_KEYS, RETRY_S, PublishedKeys
from ordertrack.adapters.jwt.tokens import JwtTokens
from ordertrack.core.errors import TokensUnavailable, Unauthenticated

pytestmark = pytest.mark.anyio
BOUND_S = 10.0
NEW_RSA = rsa.generate_private_key(65537, 2048)
OLD = jwk("RS256", "old")
NEW = jwk("RS256", "new", NEW_RSA)


class Issuer:
    """A server with `document` at `/keys`, then `endless` without end. It responds once `gate` is set."""

    def __init__(self) -> None:
        self.status = 200
        self.document: bytes = published(OLD)
        self.headers: dict[str, str] = {}
        self.requests: list[str] = []
        self.came = threading.Semaphore(0)
        self.endless = b""
        self.pause_s = 0.0
        self.ended = threading.Event()
        self.gate = threading.Event()
        self.gate.set()
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                issuer.requests.append(self.path)
                issuer.came.release()
                if not issuer.gate.wait(BOUND_S):
                    return
                self.send_response(issuer.status)
                for name, value in issuer.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                try:
                    self.wfile.write(issuer.document)
                    while issuer.endless and not issuer.ended.wait(issuer.pause_s):
                        self.wfile.write(issuer.endless)
                except OSError:
                    self.close_connection = True

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/keys"


def published(*keys: dict[str, Any]) -> bytes:
    return json.dumps({"keys": keys}).encode()


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    made = Issuer()
    thread = threading.Thread(target=made.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield made
    made.gate.set()
    made.ended.set()
    made.server.shutdown()
    made.server.server_close()
    thread.join(BOUND_S)


class Setup:
    def __init__(self, url: str, timeout_s: float = BOUND_S) -> None:
        self.clock = StillClock()
        self.keys = PublishedKeys(url, self.clock, refresh_s=3_600, timeout_s=timeout_s)
        self.tokens = JwtTokens(self.keys, Rules(), self.clock, max_cached=100)

    async def accepts(self, token: str) -> bool:
        try:
            await self.tokens.verify(token)
        except Unauthenticated as error:
            assert error.why == "invalid"  # noqa: PT017
            return False
        return True


@asynccontextmanager
async def using(issuer: Issuer) -> AsyncIterator[Setup]:
    setup = Setup(issuer.url)
    yield setup
    await setup.tokens.close()


def old(**changes: Any) -> str:
    return signed("RS256", "old", **changes)


def new(**changes: Any) -> str:
    return signed("RS256", "new", NEW_RSA, **changes)


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
async def test_a_token_is_verified_with_the_key_it_names(issuer: Issuer, algorithm: str) -> None:
    issuer.document = published(OLD, jwk("ES256", "a"), jwk("EdDSA", "b"), {"kty": "oct", "k": "AAAA", "kid": "c"})
    kid = {"RS256": "old", "ES256": "a", "EdDSA": "b"}[algorithm]
    async with using(issuer) as setup:
        assert await setup.accepts(signed(algorithm, kid))
        assert await setup.accepts(signed(algorithm))
        assert not await setup.accepts(signed(algorithm, "c"))
    assert issuer.requests == ["/keys"]


async def test_keys_are_fetched_at_the_start_not_by_peek(issuer: Issuer) -> None:
    async with using(issuer) as setup:
        assert setup.tokens.peek(old()) is None
        assert issuer.requests == []
        await setup.tokens.open()
        await asyncio.to_thread(issuer.came.acquire, timeout=BOUND_S)
        assert await setup.accepts(old())
        assert issuer.requests == ["/keys"]


async def test_a_token_without_a_kid_needs_a_single_key(issuer: Issuer) -> None:
    for keys in ((OLD, NEW), (NEW, OLD)):
        issuer.document = published(*keys)
        async with using(issuer) as setup:
            assert await setup.accepts(old())
            assert not await setup.accepts(signed("RS256"))


async def test_an_unknown_key_is_fetched_once_per_cool_down(issuer: Issuer) -> None:
    async with using(issuer) as setup:
        assert await setup.accepts(old())
        issuer.document = published(OLD, NEW)
        assert not await setup.accepts(new())
        assert len(issuer.requests) == 1
        setup.clock.up_s += COOL_DOWN_S
        assert await setup.accepts(new())
        assert await setup.accepts(old())
        assert len(issuer.requests) == 2


async def test_many_unknown_keys_share_one_fetch_per_cool_down(issuer: Issuer) -> None:
    async with using(issuer) as setup:
        assert await setup.accepts(old())
        setup.clock.up_s += COOL_DOWN_S
        for number in range(50):
            assert not await setup.accepts(signed("RS256", f"made-up-{number}"))
        assert len(issuer.requests) == 2


@pytest.mark.parametrize(
    "kid",
    ["../../etc/passwd", "/dev/null", "' OR 1=1 --", "old\x00", "OLD", "http://127.0.0.1:9/", "o" * 256, "\r\n"],
)
async def test_a_kid_is_only_ever_compared(issuer: Issuer, kid: str) -> None:
    async with using(issuer) as setup:
        assert await setup.accepts(old())
        setup.clock.up_s += COOL_DOWN_S
        assert not await setup.accepts(signed("RS256", kid))
    assert set(issuer.requests) == {"/keys"}


async def test_a_token_of_another_algorithm_causes_no_fetch_at_all(issuer: Issuer) -> None:
    async with using(issuer) as setup:
        for alg in ("HS256", "none", "RS512"):
            for key in (public_pem(NEW_RSA), json.dumps(OLD).encode(), SECRET.encode(), b""):
                header = json.dumps({"alg": alg, "kid": "old"}).encode()
                assert not await setup.accepts(raw(header, json.dumps(CLAIMS).encode(), key))
        assert not await setup.accepts(hs256(header={"alg": "RS256", "kid": "old", "jku": issuer.url + "/evil"}))
    assert issuer.requests == []


async def test_a_key_of_one_algorithm_is_not_found_under_another(issuer: Issuer) -> None:
    issuer.document = published(OLD, jwk("ES256", "a"))
    async with using(issuer) as setup:
        assert await setup.accepts(old())
        header = json.dumps({"alg": "ES256", "kid": "old"}).encode()
        assert not await setup.accepts(f"{base64url(header)}.{base64url(b'{}')}.{'A' * 86}")


async def test_tokens_of_a_withdrawn_key_are_refused(issuer: Issuer) -> None:
    async with using(issuer) as setup:
        token = old()
        assert await setup.accepts(token)
        issuer.document = published(OLD, NEW)
        await setup.keys.fetch()
        assert setup.tokens.peek(token) is not None
        issuer.document = published(NEW)
        await setup.keys.fetch()
        assert setup.tokens.peek(token) is None
        assert not await setup.accepts(token)
        assert await setup.accepts(new())


async def test_another_key_under_the_same_id_replaces_the_first(issuer: Issuer) -> None:
    async with using(issuer) as setup:
        token = old()
        assert await setup.accepts(token)
        issuer.document = published(jwk("RS256", "old", NEW_RSA))
        await setup.keys.fetch()
        assert setup.tokens.peek(token) is None
        assert not await setup.accepts(token)


BAD: list[tuple[int, bytes]] = [
    (500, published(NEW)), (404, published(NEW)), (204, b""), (302, published(NEW)), (200, b""), (200, b"{"),
    (200, b"[]"), (200, b"<html>"), (200, b"\xff"), (200, b'{"keys": {}}'), (200, b'{"keys": []}'), (200, b"[" * 9_000),
    (200, b'{"keys": ["a", 7, null, []]}'), (200, b'{"keys": [], "keys": []}'),
    (200, published(NEW, *[NEW] * MAX_KEYS)),
    (200, published({"kty": "oct", "k": base64url(SECRET.encode()), "kid": "new"})),
    (200, published({**NEW, "kid": 7})),
    (200, published({**NEW, "use": "enc"})), (200, published(NEW) + b" " * MAX_DOCUMENT_BYTES),
]  # fmt: skip


@pytest.mark.parametrize(("status", "document"), BAD, ids=lambda value: repr(value)[:40])
async def test_a_response_without_a_key_set_changes_nothing(issuer: Issuer, status: int, document: bytes) -> None:
    async with using(issuer) as setup:
        token = old()
        assert await setup.accepts(token)
        issuer.status, issuer.document, issuer.headers = status, document, {"Location": issuer.url + "/elsewhere"}
        setup.clock.up_s += COOL_DOWN_S
        assert not await setup.accepts(new())
        assert setup.tokens.peek(token) is not None
        assert await setup.accepts(old(sub="another"))
    assert issuer.requests == ["/keys", "/keys"]


async def test_an_unusable_key_does_not_affect_the_others(issuer: Issuer) -> None:
    issuer.document = published({"kty": "?"}, {**NEW, "n": "!"}, {"kty": "EC", "crv": "P-521", "kid": "x"}, OLD, NEW)
    async with using(issuer) as setup:
        assert await setup.accepts(old())
        assert await setup.accepts(new())


ROCA = rsa_public(roca_modulus(2048))
WEAK = {**jwt.PyJWS().get_algorithm_by_name("RS256").to_jwk(ROCA, as_dict=True), "kid": "weak"}


async def test_a_weak_published_key_is_refused_and_logged_once(issuer: Issuer) -> None:
    issuer.document = published(WEAK, OLD)
    with capture_logs() as logged:
        async with using(issuer) as setup:
            assert await setup.accepts(old())
            assert not await setup.accepts(signed("RS256", "weak"))
            setup.clock.up_s += COOL_DOWN_S
            assert not await setup.accepts(signed("RS256", "weak"))
            assert len(issuer.requests) == 2
    (warning,) = logged
    assert (warning["log_level"], warning["kid"]) == ("warning", "weak")
    assert "CVE-2017-15361" in warning["why"]


async def test_when_all_published_keys_are_weak_the_log_says_why(issuer: Issuer) -> None:
    issuer.document = published(WEAK)
    with capture_logs() as logged:
        async with using(issuer) as setup:
            with pytest.raises(TokensUnavailable):
                await setup.tokens.verify(old())
    (warning,) = logged
    assert "weak is an RSA key with the ROCA weakness" in warning["why"]


async def test_without_keys_tokens_are_unavailable(issuer: Issuer) -> None:
    issuer.status = 500
    async with using(issuer) as setup:
        for _ in range(3):
            with pytest.raises(TokensUnavailable) as unavailable:
                await setup.tokens.verify(old())
        assert unavailable.value.retry_after_s == RETRY_S
        assert len(issuer.requests) == 1
        issuer.status = 200
        setup.clock.up_s += RETRY_S
        assert await setup.accepts(old())


async def test_an_unreachable_issuer_is_a_failed_fetch() -> None:
    setup = Setup("http://127.0.0.1:9/keys")
    with pytest.raises(TokensUnavailable):
        await setup.tokens.verify(old())
    await setup.tokens.close()


async def test_a_silent_issuer_is_given_up(issuer: Issuer) -> None:
    issuer.gate.clear()
    setup = Setup(issuer.url, timeout_s=0.05)
    async with asyncio.timeout(BOUND_S):
        with pytest.raises(TokensUnavailable):
            await setup.tokens.verify(old())
    await setup.tokens.close()


@pytest.mark.parametrize(("chunk", "pause_s", "timeout_s"), [(b" " * 65_536, 0.0, BOUND_S), (b" ", 0.01, 0.2)])
async def test_an_endless_document_is_given_up(issuer: Issuer, chunk: bytes, pause_s: float, timeout_s: float) -> None:
    """The size ends it, and the time limit does although every read is quick."""
    issuer.endless, issuer.pause_s = chunk, pause_s
    setup = Setup(issuer.url, timeout_s)
    async with asyncio.timeout(BOUND_S):
        with pytest.raises(TokensUnavailable):
            await setup.tokens.verify(old())
    await setup.tokens.close()


async def test_callers_share_a_fetch_and_a_cancelled_one_leaves_it(issuer: Issuer) -> None:
    issuer.gate.clear()
    async with using(issuer) as setup:
        callers = [asyncio.create_task(setup.tokens.verify(old(sub=f"n{number}"))) for number in range(20)]
        await asyncio.to_thread(issuer.came.acquire, timeout=BOUND_S)
        callers[0].cancel()
        issuer.gate.set()
        done = await asyncio.gather(*callers, return_exceptions=True)
        assert isinstance(done[0], asyncio.CancelledError)
        assert [getattr(principal, "courier_id", principal) for principal in done[1:]] == ["7"] * 19
    assert len(issuer.requests) == 1


async def test_closing_does_not_wait_for_the_issuer(issuer: Issuer) -> None:
    issuer.gate.clear()
    setup = Setup(issuer.url)
    await setup.tokens.open()
    await asyncio.to_thread(issuer.came.acquire, timeout=BOUND_S)
    async with asyncio.timeout(BOUND_S / 2):
        await setup.tokens.close()
