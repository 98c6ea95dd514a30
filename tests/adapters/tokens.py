"""Tokens and keys of an attacker, and a clock that stands still."""

from __future__ import annotations

import hmac
import json
from base64 import urlsafe_b64encode
from hashlib import sha256
from math import prod
from random import Random
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

NOW_S = 1_795_342_530
SECRET = "0123456789abcdefghijklmnopqrstuv"
RSA = rsa.generate_private_key(65537, 2048)
P256 = ec.generate_private_key(ec.SECP256R1())
ED25519 = ed25519.Ed25519PrivateKey.generate()
PRIVATE: dict[str, Any] = {"RS256": RSA, "ES256": P256, "EdDSA": ED25519}
CLAIMS: dict[str, Any] = {"role": "courier", "courier_id": "7", "sub": "Max", "exp": NOW_S + 3_600}


class StillClock:
    def __init__(self) -> None:
        self.now_s = float(NOW_S)
        self.up_s = 1_000.0

    def now_ms(self) -> int:
        return round(self.now_s * 1000)

    def monotonic_s(self) -> float:
        return self.up_s


def public_pem(private: Any) -> bytes:
    return pem_of(private.public_key())


def pem_of(public: Any) -> bytes:
    pem: bytes = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return pem


def jwk(algorithm: str, kid: str | None, private: Any = None, **more: Any) -> dict[str, Any]:
    value = jwt.PyJWS().get_algorithm_by_name(algorithm)
    made = value.to_jwk((private or PRIVATE[algorithm]).public_key(), as_dict=True)
    return {**made, **({} if kid is None else {"kid": kid}), **more}


def rsa_public(n: int, e: int = 65537) -> rsa.RSAPublicKey:
    return rsa.RSAPublicNumbers(e, n).public_key()


def roca_modulus(bits: int, seed: int = 1) -> int:
    """Return a modulus with the ROCA weakness (CVE-2017-15361): of primes k * M + (65537^a mod M), M a product of the
    first primes."""
    random = Random(seed)
    product = prod(primes_up_to({1024: 353, 2048: 701}[bits]))
    return _roca_prime(bits // 2, product, random) * _roca_prime(bits // 2, product, random)


def _roca_prime(bits: int, product: int, random: Random) -> int:
    top = 3 << (bits - 2)  # both upper bits, so that the modulus has all its bits
    while True:
        k = random.randrange(top // product, (1 << bits) // product)
        candidate = k * product + pow(65537, random.randrange(product), product)
        if candidate.bit_length() == bits and pow(2, candidate - 1, candidate) == 1:
            return candidate


def primes_up_to(limit: int) -> list[int]:
    return [n for n in range(2, limit + 1) if all(n % d for d in range(2, int(n**0.5) + 1))]


def base64url(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def raw(header: bytes, payload: bytes, key: bytes = SECRET.encode()) -> str:
    """Return a token signed with HS256 for any header."""
    signed = f"{base64url(header)}.{base64url(payload)}"
    return f"{signed}.{base64url(hmac.new(key, signed.encode(), sha256).digest())}"


def hs256(claims: dict[str, Any] | None = None, /, header: dict[str, Any] | None = None, **changes: Any) -> str:
    """Return a valid token with these claims changed; a claim that is None is left out."""
    claims_sent = {name: value for name, value in {**CLAIMS, **(claims or {}), **changes}.items() if value is not None}
    head = {"alg": "HS256", "typ": "JWT", **(header or {})}
    return raw(json.dumps(head).encode(), json.dumps(claims_sent).encode())


def signed(algorithm: str, kid: str | None = None, private: Any = None, **changes: Any) -> str:
    headers = None if kid is None else {"kid": kid}
    return jwt.encode({**CLAIMS, **changes}, private or PRIVATE[algorithm], algorithm=algorithm, headers=headers)
