"""Tokens: accepted ones and their principals, and all kinds of refused ones."""

from __future__ import annotations

import json
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given
from hypothesis import strategies as st

from adapters.tokens import (
    CLAIMS,
    ED25519,
    NOW_S,
    P256,
    PRIVATE,
    RSA,
    SECRET,
    StillClock,
    base64url,
    hs256,
    jwk,
    pem_of,
    public_pem,
    raw,
    roca_modulus,
    rsa_public,
    signed,
)
from ordertrack.adapters.jwt.claims import ClaimNames, Rules, claims_of
from ordertrack.adapters.jwt.keys import StaticKey, WeakKey, jwk_key, pem_key, secret_key
from ordertrack.adapters.jwt.parts import MAX_TOKEN_BYTES, read_parts
from ordertrack.adapters.jwt.roca import has_roca_weakness
from ordertrack.adapters.jwt.signing import new_secret, sign
from ordertrack.adapters.jwt.tokens import JwtTokens
from ordertrack.core.errors import Unauthenticated
from ordertrack.core.principal import ALL, Principal, Role

pytestmark = pytest.mark.anyio


PLAIN = Rules()


def tokens(rules: Rules = PLAIN, max_cached: int = 100, clock: StillClock | None = None) -> JwtTokens:
    return JwtTokens(StaticKey(secret_key(SECRET)), rules, clock or StillClock(), max_cached=max_cached)


async def refused(token: str, by: JwtTokens | None = None) -> str:
    checking = by or tokens()
    assert checking.peek(token) is None
    with pytest.raises(Unauthenticated) as refused:
        await checking.verify(token)
    assert checking.peek(token) is None
    assert len(token) < 10 or token not in str(refused.value)
    return refused.value.why


async def test_an_accepted_token_is_cached() -> None:
    checking, token = tokens(), hs256()
    assert checking.peek(token) is None
    principal = await checking.verify(token)
    assert principal == Principal(Role.COURIER, "Max", courier_id="7", expires_at_s=NOW_S + 3_630)
    assert principal.actor == "courier:Max"
    assert checking.peek(token) is principal


@pytest.mark.parametrize(
    ("claims", "principal"),
    [
        ({"role": "customer", "customer_id": 5}, Principal(Role.CUSTOMER, "Max", customer_id="5")),
        ({"role": "customer", "customer_id": "5", "sub": None}, Principal(Role.CUSTOMER, "5", customer_id="5")),
        ({"role": "restaurant", "restaurant_id": "r"}, Principal(Role.RESTAURANT, "Max", restaurant_id="r")),
        ({"role": "courier", "customer_id": []}, Principal(Role.COURIER, "Max", courier_id="7")),
        ({"role": "service", "restaurants": "*"}, Principal(Role.SERVICE, "Max", restaurants=ALL)),
        ({"role": "service", "restaurants": [1, "b"]}, Principal(Role.SERVICE, "Max", restaurants=frozenset("1b"))),
        ({"role": "admin", "sub": None}, Principal(Role.ADMIN, "admin")),
        ({"role": "admin", "realm_access": {"roles": [{}]}}, Principal(Role.ADMIN, "Max")),
        ({"role": "admin", "sub": "x" * 64}, Principal(Role.ADMIN, "x" * 64)),
        ({"role": "admin", "exp": NOW_S + 3_600.9, "nbf": NOW_S + 29}, Principal(Role.ADMIN, "Max")),
        ({"role": "admin", "nbf": NOW_S + 30, "iat": NOW_S + 9_000}, Principal(Role.ADMIN, "Max")),
    ],
)
async def test_a_token_gives_the_principal_of_its_claims(claims: dict[str, Any], principal: Principal) -> None:
    made = await tokens().verify(hs256(claims))
    assert made.expires_at_s == NOW_S + 3_630
    assert (made.role, made.name, made.customer_id, made.restaurant_id, made.courier_id, made.restaurants) == (
        principal.role, principal.name, principal.customer_id, principal.restaurant_id, principal.courier_id,
        principal.restaurants,
    )  # fmt: skip
    assert made.order_id is None


async def test_claims_may_have_other_names() -> None:
    rules = Rules(names=ClaimNames("https://x/role", "email", "a", "b", "driver", "d"))
    claims = {"https://x/role": "courier", "email": "a@b.c", "driver": 9, "role": "admin"}
    principal = await tokens(rules).verify(hs256(claims))
    assert (principal.role, principal.name, principal.courier_id) == (Role.COURIER, "a@b.c", "9")


@pytest.mark.parametrize(
    "claims",
    [
        {"role": None}, {"role": "boss"}, {"role": "link", "order_id": 7}, {"role": "anyone"}, {"role": ["admin"]},
        {"role": {"is": "admin"}}, {"role": True}, {"role": "Admin"}, {"role": "admin "}, {"role": 1},
        {"courier_id": None}, {"courier_id": ""}, {"courier_id": "x" * 65}, {"courier_id": "7\n"},
        {"courier_id": "\u0085"}, {"courier_id": "\ud800"}, {"courier_id": True}, {"courier_id": 7.0},
        {"courier_id": ["7"]}, {"courier_id": {"id": "7"}}, {"courier_id": 2**63}, {"courier_id": 10**400},
        {"sub": ""}, {"sub": ["Max"]}, {"sub": {}}, {"sub": False}, {"sub": "x\x00"}, {"sub": "x" * 65},
        {"role": "customer"}, {"role": "restaurant"}, {"role": "service"},
        {"role": "service", "restaurants": []}, {"role": "service", "restaurants": "1"},
        {"role": "service", "restaurants": ["*"]}, {"role": "service", "restaurants": ["1", ["2"]]},
        {"role": "service", "restaurants": {"1": 1}}, {"role": "service", "restaurants": "1,2"},
        {"role": "service", "restaurants": [True]}, {"role": "service", "restaurants": ["x"] * 1_001},
        {"exp": None}, {"exp": "soon"}, {"exp": str(NOW_S + 60)}, {"exp": True}, {"exp": [NOW_S + 60]}, {"exp": 10**30},
        {"exp": 1e300}, {"nbf": "now"}, {"nbf": True}, {"nbf": 10**30}, {"nbf": NOW_S + 31},
    ],
    ids=str,
)  # fmt: skip
async def test_a_malformed_claim_is_refused(claims: dict[str, Any]) -> None:
    assert await refused(hs256(claims)) == "invalid"


async def test_a_token_expires_and_is_then_forgotten() -> None:
    clock = StillClock()
    checking, token = tokens(Rules(leeway_s=0), clock=clock), hs256(exp=NOW_S + 10)
    await checking.verify(token)
    clock.now_s += 9.999
    assert checking.peek(token) is not None
    clock.now_s += 0.001
    assert checking.peek(token) is None
    assert await refused(token, checking) == "expired"
    clock.now_s -= 1
    assert checking.peek(token) is None


async def test_leeway_applies_to_nbf_and_exp() -> None:
    late, early = hs256(exp=NOW_S - 29), hs256(nbf=NOW_S + 30)
    assert (await tokens().verify(late)).expires_at_s == NOW_S + 1
    await tokens().verify(early)
    assert await refused(hs256(exp=NOW_S - 30)) == "expired"
    assert await refused(late, tokens(Rules(leeway_s=0))) == "expired"
    assert await refused(early, tokens(Rules(leeway_s=0))) == "invalid"


@pytest.mark.parametrize("aud", ["ordertrack", ["other", "ordertrack"]])
async def test_configured_audience_and_issuer_are_checked(aud: object) -> None:
    rules = Rules(audience="ordertrack", issuer="https://id.example")
    principal = await tokens(rules).verify(hs256(aud=aud, iss="https://id.example"))
    assert principal.name == "Max"
    await tokens().verify(hs256(aud="other", iss="other"))


@pytest.mark.parametrize(
    "claims",
    [
        {}, {"aud": "ordertrack"}, {"iss": "https://id.example"}, {"aud": "other", "iss": "https://id.example"},
        {"aud": "ordertrack", "iss": "https://id.example/"}, {"aud": "ordertrack", "iss": ["https://id.example"]},
        {"aud": {"ordertrack": 1}, "iss": "https://id.example"}, {"aud": "ordertrack2", "iss": "https://id.example"},
        {"aud": [], "iss": "https://id.example"}, {"aud": [["ordertrack"]], "iss": "https://id.example"},
        {"aud": "other", "iss": "https://id.example", "exp": NOW_S - 900},
    ],
    ids=str,
)  # fmt: skip
async def test_a_foreign_audience_or_issuer_is_refused(claims: dict[str, Any]) -> None:
    rules = Rules(audience="ordertrack", issuer="https://id.example")
    assert await refused(hs256(claims), tokens(rules)) == "invalid"


def _public_key_tokens(private: Any) -> JwtTokens:
    return JwtTokens(StaticKey(pem_key(public_pem(private))), Rules(), StillClock(), max_cached=10)


@pytest.mark.parametrize("algorithm", PRIVATE)
async def test_a_public_key_checks_tokens_of_its_own_algorithm(algorithm: str) -> None:
    checking = _public_key_tokens(PRIVATE[algorithm])
    assert (await checking.verify(signed(algorithm))).courier_id == "7"
    assert (await checking.verify(signed(algorithm, kid="any"))).courier_id == "7"
    for other in set(PRIVATE) - {algorithm}:
        assert await refused(signed(other), checking) == "invalid"


def _ed25519(header: dict[str, Any], private: Any = ED25519) -> str:
    """Return a token signed with an Ed25519 key for any header."""
    signed = f"{base64url(json.dumps(header).encode())}.{base64url(json.dumps(CLAIMS).encode())}"
    return f"{signed}.{base64url(private.sign(signed.encode()))}"


async def test_ed25519_by_its_fully_specified_name() -> None:
    """RFC 9864: `EdDSA` names no curve; here it means only Ed25519."""
    checking = _public_key_tokens(ED25519)
    assert (await checking.verify(_ed25519({"alg": "Ed25519"}))).courier_id == "7"
    assert (await checking.verify(_ed25519({"alg": "EdDSA"}))).courier_id == "7"
    assert await refused(_ed25519({"alg": "Ed25519"}, Ed25519PrivateKey.generate()), checking) == "invalid"
    for alg in ("Ed448", "ed25519", "ED25519", "ES256"):
        assert await refused(_ed25519({"alg": alg}), checking) == "invalid"


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
async def test_ed25519_is_refused_for_another_kind_of_key(algorithm: str) -> None:
    assert await refused(_ed25519({"alg": "Ed25519"}), _public_key_tokens(PRIVATE[algorithm])) == "invalid"
    assert await refused(hs256(header={"alg": "Ed25519"})) == "invalid"


@pytest.mark.parametrize("algorithm", PRIVATE)
async def test_a_public_key_is_never_taken_for_a_secret(algorithm: str) -> None:
    pem = public_pem(PRIVATE[algorithm])
    payload = json.dumps(CLAIMS).encode()
    for key in (pem, pem.strip(), pem.replace(b"\n", b""), json.dumps(jwk(algorithm, None)).encode()):
        for alg in ("HS256", algorithm):
            token = raw(json.dumps({"alg": alg, "typ": "JWT"}).encode(), payload, key)
            assert await refused(token, _public_key_tokens(PRIVATE[algorithm])) == "invalid"


@pytest.mark.parametrize("algorithm", ["PS256", "RS384", "RS512"])
async def test_another_algorithm_of_the_same_key_is_refused(algorithm: str) -> None:
    token = jwt.encode(CLAIMS, RSA, algorithm=algorithm)
    assert await refused(token, _public_key_tokens(RSA)) == "invalid"


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "nOnE", "HS384", "HS512", "RS256", "hs256", ""])
async def test_the_token_does_not_choose_the_algorithm(algorithm: str) -> None:
    header = base64url(json.dumps({"alg": algorithm, "typ": "JWT"}).encode())
    payload = base64url(json.dumps(CLAIMS).encode())
    assert await refused(f"{header}.{payload}.") == "malformed"
    assert await refused(f"{header}.{payload}.AAAA") == "invalid"
    assert await refused(hs256(header={"alg": algorithm})) == "invalid"


@pytest.mark.parametrize("alg", [None, 1, ["HS256"], {"HS256": 1}, True])
async def test_an_algorithm_that_is_no_name_is_refused(alg: object) -> None:
    assert await refused(hs256(header={"alg": alg})) == "invalid"


@pytest.mark.parametrize(
    "header",
    [
        {"jku": "http://127.0.0.1:9/keys"}, {"x5u": "http://127.0.0.1:9/cert"}, {"x5c": ["MIIB"]},
        {"jwk": {"kty": "oct", "k": base64url(SECRET.encode())}}, {"crit": []}, {"crit": ["exp"]},
        {"crit": ["b64"], "b64": True}, {"b64": False, "crit": ["b64"]}, {"b64": True}, {"zip": "DEF"},
        {"enc": "A256GCM"}, {"typ": "dpop+jwt"}, {"typ": "logout+jwt"}, {"typ": 1}, {"typ": None},
        {"kid": ""}, {"kid": 7}, {"kid": ["a"]}, {"kid": {"a": 1}}, {"kid": "x" * 257}, {"kid": True},
    ],
    ids=str,
)  # fmt: skip
async def test_a_header_with_keys_or_extensions_is_refused(header: dict[str, Any]) -> None:
    assert await refused(hs256(header=header)) == "invalid"


@pytest.mark.parametrize(
    "header", [{"typ": "jwt"}, {"typ": "at+jwt"}, {"cty": "x"}, {"x5t": "abc"}, {"kid": "../../dev/null"}]
)
async def test_a_header_with_harmless_fields_is_accepted(header: dict[str, Any]) -> None:
    assert (await tokens().verify(hs256(header=header))).courier_id == "7"


async def test_a_changed_token_is_refused() -> None:
    header, payload, signature = hs256().split(".")
    as_admin = base64url(json.dumps({**CLAIMS, "role": "admin"}).encode())
    assert await refused(f"{header}.{as_admin}.{signature}") == "invalid"
    assert await refused(f"{header}.{payload}.{signature[:-2]}") == "invalid"
    assert await refused(f"{header}.{payload}.{signature}AA") == "invalid"
    assert await refused(f"{header}.{payload}.{'A' * len(signature)}") == "invalid"
    other = raw(json.dumps({"alg": "HS256"}).encode(), json.dumps(CLAIMS).encode(), b"another secret of 32 bytes or so")
    assert await refused(other) == "invalid"


@pytest.mark.parametrize("part", range(3))
@pytest.mark.parametrize("spare_bits", [2, 4])
async def test_a_part_has_one_spelling(part: int, spare_bits: int) -> None:
    """The last character of a part may have bits that decode to nothing: they must be 0."""
    length = {2: 2, 4: 1}[spare_bits]
    parts = [b'{"alg":"HS256"}', json.dumps(CLAIMS).encode()]
    parts = [text + b" " * ((length - len(text)) % 3) for text in parts]
    texts = [*map(base64url, parts), base64url(b"\x01" * (30 + length))]
    assert read_parts(".".join(texts)).algorithm == "HS256"
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    texts[part] = texts[part][:-1] + alphabet[alphabet.index(texts[part][-1]) + 1]
    with pytest.raises(Unauthenticated):
        read_parts(".".join(texts))


@pytest.mark.parametrize(
    "token",
    [
        "", ".", "..", "a", "a.b", "a.b.c.d", "a.b.c.d.e", "é.b.c", "eyJ.b.c", " " + hs256(), hs256() + "\n",
        hs256() + "=", hs256().replace(".", ".\u200b", 1), "\ud800.b.c", "\x00", "Bearer " + hs256(), "𝟏.𝟐.𝟑",
        "x" * MAX_TOKEN_BYTES + ".a.b", hs256(pad="x" * MAX_TOKEN_BYTES),
        raw(b"[]", b"{}"), raw(b"7", b"{}"), raw(b"{", b"{}"), raw(b"\xff\xfe", b"{}"), raw(b"", b"{}"),
        raw(b'{"alg":"HS256","alg":"HS256"}', b"{}"), raw(b'{"alg":"none","alg":"HS256"}', b"{}"),
        raw(b"[" * 5_000, b"{}"), raw(b'{"alg":"HS256","x":NaN}', b"{}"),
    ],
    ids=lambda token: repr(token[:24]),
)  # fmt: skip
async def test_a_malformed_token_is_refused(token: str) -> None:
    assert await refused(token) == "malformed"


GOOD = json.dumps(CLAIMS)[1:-1]


@pytest.mark.parametrize(
    "payload",
    [
        b"", b"[]", b"null", b"{", b"\xff", b"[" * 5_000, b'{"x":' * 1_000 + b"1" + b"}" * 1_000,
        f'{{{GOOD},"role":"admin"}}'.encode(), f'{{{GOOD},"x":{{"a":1,"a":2}}}}'.encode(),
        f'{{{GOOD},"x":NaN}}'.encode(), f'{{{GOOD},"nbf":1e999}}'.encode(), f'{{{GOOD},"nbf":-Infinity}}'.encode(),
        f"{{{GOOD}}}".encode("utf-16"), f"\ufeff{{{GOOD}}}".encode(), f"{{{GOOD}}} {{}}".encode(),
    ],
    ids=lambda payload: repr(payload[:24]),
)  # fmt: skip
async def test_ambiguous_claims_are_refused(payload: bytes) -> None:
    token = raw(b'{"alg":"HS256"}', payload)
    if payload:
        assert await refused(token) == "invalid"
    else:
        assert await refused(token) == "malformed"


@given(token=st.text(max_size=200) | st.from_regex(r"[\w-]{1,60}\.[\w-]{1,60}\.[\w-]{1,60}", fullmatch=True))
async def test_random_text_is_refused(token: str) -> None:
    assert await refused(token) in ("malformed", "invalid")


@given(
    claims=st.dictionaries(
        st.sampled_from(["role", "sub", "courier_id", "restaurants", "exp", "nbf", "aud", "iss"]),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
            max_leaves=5,
        )
        | st.sampled_from(["admin", "service", "courier", "*"]),
    )
)
async def test_random_claims_give_a_token_role_or_are_refused(
    claims: dict[str, Any],
) -> None:
    try:
        principal = await tokens().verify(hs256(claims))
    except Unauthenticated as error:
        assert error.why in ("invalid", "expired")  # noqa: PT017
    else:
        assert principal.role not in (Role.LINK, Role.ANYONE)
        assert 1 <= len(principal.name) <= 64


async def test_the_cache_keeps_the_tokens_used_last() -> None:
    checking = tokens(max_cached=2)
    first, second, third = (hs256(sub=name) for name in "abc")
    await checking.verify(first)
    await checking.verify(second)
    assert checking.peek(first) is not None
    await checking.verify(third)
    assert checking.peek(second) is None
    assert checking.peek(first) is not None
    assert checking.peek(third) is not None


async def test_a_token_is_not_stored() -> None:
    checking, token = tokens(), hs256()
    await checking.verify(token)
    assert token not in repr(vars(checking))


@pytest.mark.parametrize(
    ("secret", "why"),
    [("", "has 0 bytes"), ("x" * 31, "has 31 bytes"), (public_pem(RSA).decode(), "PEM"), ("é" * 15, "has 30 bytes")],
)
def test_an_unsuitable_secret_is_refused(secret: str, why: str) -> None:
    with pytest.raises(ValueError, match=why) as refused:
        secret_key(secret)
    assert not secret or secret not in str(refused.value)


def _pem(private: Any) -> bytes:
    return private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@pytest.mark.parametrize(
    ("pem", "why"),
    [
        (b"", "no PEM public key"),
        (b"-----BEGIN PUBLIC KEY-----\nnope\n-----END PUBLIC KEY-----", "no PEM public key"),
        (_pem(RSA), "no PEM public key"),
        (public_pem(rsa.generate_private_key(65537, 1024)), "1024 bits"),
        (public_pem(ec.generate_private_key(ec.SECP384R1())), "kind"),
        (public_pem(dsa.generate_private_key(1024)), "kind"),
    ],
)
def test_an_unsupported_public_key_is_refused(pem: bytes, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        pem_key(pem)


def test_a_key_with_the_roca_weakness_is_refused() -> None:
    weak = rsa_public(roca_modulus(2048))
    with pytest.raises(ValueError, match="ROCA") as refused:
        pem_key(pem_of(weak))
    assert "CVE-2017-15361" in str(refused.value)
    with pytest.raises(WeakKey):
        jwk_key(jwt.PyJWS().get_algorithm_by_name("RS256").to_jwk(weak, as_dict=True))


def test_a_key_without_the_roca_weakness_is_taken() -> None:
    assert pem_key(public_pem(RSA)).algorithm == "RS256"
    assert not has_roca_weakness(RSA.public_key().public_numbers().n)


@given(st.integers(1 << 2047, (1 << 2048) - 1))
def test_a_random_modulus_has_no_roca_weakness(modulus: int) -> None:
    assert not has_roca_weakness(modulus)


@pytest.mark.parametrize("seed", range(2, 6))
def test_the_fingerprint_holds_for_keys_of_any_size(seed: int) -> None:
    assert has_roca_weakness(roca_modulus(1024, seed))


@pytest.mark.parametrize("exponent", [3, 17, 35, 65535, (1 << 256) + 1])
def test_an_unusual_public_exponent_is_refused(exponent: int) -> None:
    with pytest.raises(ValueError, match="public exponent"):
        pem_key(pem_of(rsa_public(RSA.public_key().public_numbers().n, exponent)))


@pytest.mark.parametrize("exponent", [b"\x00", b"\x01", b"\x02", b"\x01\x00\x00"])
def test_an_impossible_public_exponent_is_refused(exponent: bytes) -> None:
    with pytest.raises(ValueError, match="not a key"):
        jwk_key(jwk("RS256", "a", e=base64url(exponent)))


@pytest.mark.parametrize("algorithm", ["EdDSA", "Ed25519"])
def test_a_published_ed25519_key_has_either_name(algorithm: str) -> None:
    assert jwk_key(jwk("EdDSA", "a", alg=algorithm)).algorithm == "EdDSA"


@pytest.mark.parametrize("algorithm", PRIVATE)
def test_a_published_key_has_one_algorithm(algorithm: str) -> None:
    assert jwk_key(jwk(algorithm, "a")).algorithm == algorithm
    assert jwk_key(jwk(algorithm, "a", alg=algorithm, use="sig", key_ops=["verify"])).algorithm == algorithm


def private_jwk(algorithm: str) -> dict[str, Any]:
    """Return a private key as a JWK, which an issuer may publish by mistake."""
    made: dict[str, Any] = jwt.PyJWS().get_algorithm_by_name(algorithm).to_jwk(PRIVATE[algorithm], as_dict=True)
    assert "d" in made
    return {name: value for name, value in made.items() if name != "key_ops"}


@pytest.mark.parametrize(
    "published",
    [
        {}, {"kty": "oct", "k": base64url(SECRET.encode())}, {"kty": ["RSA"]}, {"kty": "RSA"}, {"kty": "EC"},
        {"kty": "RSA", "n": "!!", "e": "AQAB"}, {"kty": "RSA", "n": 7, "e": 7},
        jwk("RS256", "a", use="enc"), jwk("RS256", "a", alg="HS256"), jwk("RS256", "a", alg="PS256"),
        private_jwk("RS256"), private_jwk("ES256"), private_jwk("EdDSA"),
        jwk("RS256", "a", key_ops=["sign"]), jwk("RS256", "a", key_ops=7), jwk("RS256", "a", d="AQAB"),
        jwk("RS256", "a", rsa.generate_private_key(65537, 1024)),
        jwk("RS256", "a", alg="Ed25519"), jwk("EdDSA", "a", alg="Ed448"), jwk("EdDSA", "a", alg="RS256"),
        jwk("ES256", "a", crv="P-384"), jwk("ES256", "a", x="AAAA"), jwk("EdDSA", "a", crv="X25519"),
        jwk("EdDSA", "a", x="AA"),
    ],
    ids=lambda published: str({name: value for name, value in published.items() if len(str(value)) < 20}),
)  # fmt: skip
def test_an_unsupported_published_key_is_refused(published: dict[str, Any]) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        jwk_key(published)


@pytest.mark.parametrize(
    "principal",
    [
        Principal(Role.CUSTOMER, "c", customer_id="1", expires_at_s=NOW_S + 90),
        Principal(Role.RESTAURANT, "r", restaurant_id="0", expires_at_s=NOW_S + 90),
        Principal(Role.COURIER, "k", courier_id="7", expires_at_s=NOW_S + 90),
        Principal(Role.SERVICE, "s", restaurants=frozenset({"1", "2"}), expires_at_s=NOW_S + 90),
        Principal(Role.SERVICE, "s", restaurants=ALL, expires_at_s=NOW_S + 90),
        Principal(Role.ADMIN, "a", expires_at_s=NOW_S + 90),
    ],
)
async def test_a_signed_token_is_accepted(principal: Principal) -> None:
    rules = Rules(audience="ordertrack", issuer="here", names=ClaimNames("r", "n", "c", "x", "k", "s"))
    token = sign(principal, secret_key(SECRET), rules, NOW_S, NOW_S + 60)
    assert await tokens(rules).verify(token) == principal
    assert "aud" not in claims_of(principal, Rules(), NOW_S, NOW_S + 60)


def test_new_secrets_are_valid_and_different() -> None:
    assert secret_key(new_secret()).algorithm == "HS256"
    assert len({new_secret() for _ in range(50)}) == 50


def test_the_test_keys_have_three_kinds() -> None:
    assert {pem_key(public_pem(key)).algorithm for key in (RSA, P256, ED25519)} == {"RS256", "ES256", "EdDSA"}
