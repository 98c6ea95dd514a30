"""Keys that verify signatures. A key has exactly one algorithm, which the token cannot choose, so that a public key is
never used as a shared secret (RFC 8725, 3.1)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from ordertrack.adapters.jwt.roca import has_roca_weakness
from ordertrack.ports.tokens import MIN_SECRET_BYTES

MIN_RSA_BITS, MAX_RSA_BITS = 2048, 8192
"""RFC 7518, 3.3; above the maximum, verifying takes long."""
MIN_RSA_EXPONENT, MAX_RSA_EXPONENT = 65537, 2**256
"""FIPS 186-5, A.1.1: small exponents allow attacks on padding; with large ones verifying takes long."""
HS256, RS256, ES256, EDDSA, ED25519 = "HS256", "RS256", "ES256", "EdDSA", "Ed25519"
PUBLIC = frozenset({RS256, ES256, EDDSA})
NAMES = {HS256: (HS256,), RS256: (RS256,), ES256: (ES256,), EDDSA: (EDDSA, ED25519)}
"""The `alg` values of each algorithm. RFC 9864 adds Ed25519 for EdDSA with an Ed25519 key."""
_ALGORITHMS = {name: algorithm for algorithm, names in NAMES.items() for name in names}


class WeakKey(ValueError):
    """The key has the right purpose, but others may be able to sign with it. The message says why."""


def algorithm_of(name: str) -> str | None:
    """Return the algorithm with this `alg` value; None for one that is not supported."""
    return _ALGORITHMS.get(name)


class Key(NamedTuple):
    algorithm: str
    value: Any


class KeySource(Protocol):
    """`algorithms` are those of all keys it may have. `generation` changes when a key is withdrawn."""

    algorithms: frozenset[str]
    generation: int

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    def find(self, algorithm: str, kid: str | None) -> Key | None: ...

    async def refetch(self) -> None:
        """Fetch keys again after `find` found none.

        Raises: TokensUnavailable.
        """


class StaticKey:
    """A key from the configuration. It matches every `kid`."""

    generation = 0

    def __init__(self, key: Key) -> None:
        self._key = key
        self.algorithms = frozenset({key.algorithm})

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    def find(self, algorithm: str, kid: str | None) -> Key | None:
        return self._key if algorithm == self._key.algorithm else None

    async def refetch(self) -> None: ...


def secret_key(secret: str) -> Key:
    """Return the key of a shared secret: its UTF-8 bytes, as in other JWT libraries.

    Raises: ValueError.
    """
    value = secret.encode()
    if len(value) < MIN_SECRET_BYTES:
        raise ValueError(f"has {len(value)} bytes; a secret has at least {MIN_SECRET_BYTES}")
    try:
        jwt.PyJWS().get_algorithm_by_name(HS256).prepare_key(value)
    except jwt.InvalidKeyError:
        raise ValueError("is a PEM key or certificate, which is no secret") from None
    return Key(HS256, value)


def pem_key(pem: bytes) -> Key:
    """Return the key in a PEM public key (`-----BEGIN PUBLIC KEY-----`).

    Raises: WeakKey, ValueError.
    """
    try:
        value = load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError("has no PEM public key, which begins with -----BEGIN PUBLIC KEY-----") from None
    return _check_key(value)


def jwk_key(jwk: Mapping[str, Any]) -> Key:
    """Return the public key in a JWK (RFC 7517).

    Raises: WeakKey; ValueError, also for secrets, private keys and keys to encrypt with, which do not belong into a
    published set.
    """
    algorithm = {"RSA": RS256, "EC": ES256, "OKP": EDDSA}.get(str(jwk.get("kty")))
    operations = jwk.get("key_ops", ["verify"])
    usable = (
        algorithm is not None
        and jwk.get("alg", algorithm) in NAMES[algorithm]
        and jwk.get("use", "sig") == "sig"
        and isinstance(operations, list)
        and "verify" in operations
    )
    if not usable:
        raise ValueError("not a supported public key for signatures")
    try:
        return _check_key(jwt.PyJWK.from_dict(dict(jwk), algorithm).key)
    except (jwt.PyJWTError, UnsupportedAlgorithm, TypeError, KeyError, AttributeError):
        raise ValueError("not a key") from None


def _check_key(value: object) -> Key:
    """Raises: WeakKey, ValueError."""
    match value:
        case RSAPublicKey():
            _check_rsa(value)
            return Key(RS256, value)
        case EllipticCurvePublicKey(curve=SECP256R1()):
            return Key(ES256, value)
        case Ed25519PublicKey():
            return Key(EDDSA, value)
        case _:
            raise ValueError("is a key of a kind that is not taken: RSA (RS256), P-256 (ES256) and Ed25519 (EdDSA) are")


def _check_rsa(key: RSAPublicKey) -> None:
    """Raises: WeakKey."""
    numbers = key.public_numbers()
    if not MIN_RSA_BITS <= key.key_size <= MAX_RSA_BITS:
        raise WeakKey(f"is an RSA key of {key.key_size} bits; a key has {MIN_RSA_BITS} to {MAX_RSA_BITS}")
    if not MIN_RSA_EXPONENT <= numbers.e < MAX_RSA_EXPONENT:
        shown = str(numbers.e) if numbers.e < MIN_RSA_EXPONENT else f"of {numbers.e.bit_length()} bits"
        raise WeakKey(f"is an RSA key with the public exponent {shown}; it must be {MIN_RSA_EXPONENT} to 2^256 - 1")
    if has_roca_weakness(numbers.n):
        raise WeakKey(
            "is an RSA key with the ROCA weakness (CVE-2017-15361): its private key can be computed from it. "
            "Make a new key pair with software such as OpenSSL"
        )
