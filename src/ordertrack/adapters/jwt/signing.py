"""Sign tokens with the shared secret. A server that verifies with a public key cannot sign."""

from __future__ import annotations

import secrets

import jwt

from ordertrack.adapters.jwt.claims import Rules, claims_of
from ordertrack.adapters.jwt.keys import HS256, Key
from ordertrack.core.principal import Principal
from ordertrack.ports.tokens import MIN_SECRET_BYTES


def new_secret() -> str:
    """Return 256 random bits as 43 characters of base64url."""
    return secrets.token_urlsafe(MIN_SECRET_BYTES)


def sign(principal: Principal, secret: Key, rules: Rules, issued_at_s: int, expires_at_s: int) -> str:
    """Return a token. Times are seconds since 1970."""
    return jwt.encode(claims_of(principal, rules, issued_at_s, expires_at_s), secret.value, algorithm=HS256)
