"""Strict parsing of a token, before its signature is verified: nothing here is trusted."""

from __future__ import annotations

import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any, NamedTuple

from ordertrack.core.errors import Unauthenticated

MAX_TOKEN_BYTES = 8 * 1024
MAX_KID = 256
_COMPACT = re.compile(r"(([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+))\.([A-Za-z0-9_-]+)")
"""RFC 7515, 7.1. A token without a signature (`alg: none`) is malformed."""
_REFUSED = frozenset({"jku", "jwk", "x5u", "x5c", "crit", "b64", "zip", "enc"})
"""Header parameters that contain a key or change how a token is read. Others are ignored."""
_TYPES = frozenset({"jwt", "at+jwt", "application/jwt", "application/at+jwt"})
"""RFC 8725, 3.11: a JWT for another purpose, such as a DPoP proof or a logout, is refused."""


class Parts(NamedTuple):
    """The parts of a token: the algorithm and key that it claims, its payload, and the signature of `signed`."""

    algorithm: str
    kid: str | None
    payload: bytes
    signed: bytes
    signature: bytes


def read_parts(token: str) -> Parts:
    """Split a token in the compact form (RFC 7515, 7.1).

    Raises: Unauthenticated.
    """
    match = _COMPACT.fullmatch(token) if len(token) <= MAX_TOKEN_BYTES else None
    if match is None:
        raise Unauthenticated("malformed")
    signed, head, payload, signature = match.groups()
    try:
        header = read_object(_decoded(head))
    except ValueError:
        raise Unauthenticated("malformed") from None
    algorithm, kid, type_ = header.get("alg"), header.get("kid"), header.get("typ", "JWT")
    typed = isinstance(type_, str) and type_.lower() in _TYPES
    named = kid is None or (isinstance(kid, str) and 0 < len(kid) <= MAX_KID)
    if not isinstance(algorithm, str) or not typed or not named or _REFUSED & header.keys():
        raise Unauthenticated("invalid")
    try:
        return Parts(algorithm, kid, _decoded(payload), signed.encode(), _decoded(signature))
    except ValueError:
        raise Unauthenticated("invalid") from None


def _decoded(part: str) -> bytes:
    """Decode base64url. Only the spelling that encoding gives is accepted, so that a token has one spelling.

    Raises: ValueError.
    """
    padded = part + "=" * (-len(part) % 4)
    value = urlsafe_b64decode(padded)
    if urlsafe_b64encode(value) != padded.encode():
        raise ValueError("the unused bits of the last character are not 0")
    return value


def read_object(text: bytes) -> dict[str, Any]:
    """Parse a JSON object without duplicate names, which parsers read differently (RFC 8725, 2.4; RFC 8259, 4).

    Raises: ValueError.
    """
    try:
        value = json.loads(text.decode(), object_pairs_hook=_reject_duplicates, parse_constant=_reject_constant)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not isinstance(value, dict):
        raise ValueError("not an object")
    return value


def _reject_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a name comes twice")
    return value


def _reject_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
