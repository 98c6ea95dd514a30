"""The tokens port with JWTs: parse, find the key, verify the signature, check the claims, cache the principal."""

from __future__ import annotations

from collections import OrderedDict
from hashlib import sha256

from jwt.algorithms import OKPAlgorithm, get_default_algorithms

from ordertrack.adapters.jwt.claims import Rules, principal_of
from ordertrack.adapters.jwt.keys import ED25519, HS256, PUBLIC, Key, KeySource, algorithm_of
from ordertrack.adapters.jwt.parts import MAX_TOKEN_BYTES, Parts, read_object, read_parts
from ordertrack.core.errors import Unauthenticated
from ordertrack.core.principal import Principal
from ordertrack.ports.clock import Clock

_SIGNATURES = {name: get_default_algorithms()[name] for name in (HS256, *PUBLIC)} | {ED25519: OKPAlgorithm()}


class JwtTokens:
    """Caches up to `max_cached` accepted tokens by their SHA-256; the least recently used are evicted.

    A signature is verified on the event loop: that takes a fraction of a millisecond, no longer than a hop to another
    thread and back.
    """

    def __init__(self, keys: KeySource, rules: Rules, clock: Clock, *, max_cached: int) -> None:
        self._keys = keys
        self._rules = rules
        self._clock = clock
        self._max_cached = max_cached
        self._cached: OrderedDict[bytes, Principal] = OrderedDict()
        self._generation = keys.generation

    async def open(self) -> None:
        await self._keys.open()

    async def close(self) -> None:
        await self._keys.close()

    def peek(self, token: str) -> Principal | None:
        self._drop_withdrawn()
        if len(token) > MAX_TOKEN_BYTES or not token.isascii():
            return None
        digest = _digest(token)
        principal = self._cached.get(digest)
        if principal is None:
            return None
        if principal.expires_at_s is not None and self._clock.now_ms() / 1000 >= principal.expires_at_s:
            del self._cached[digest]
            return None
        self._cached.move_to_end(digest)
        return principal

    def verify_now(self, token: str) -> Principal | None:
        parts = read_parts(token)
        algorithm = algorithm_of(parts.algorithm)
        if algorithm is None or algorithm not in self._keys.algorithms:
            raise Unauthenticated("invalid")
        key = self._keys.find(algorithm, parts.kid)
        if key is None:
            return None
        principal = self._authenticate(parts, key)
        self._drop_withdrawn()
        self._cached[_digest(token)] = principal
        if len(self._cached) > self._max_cached:
            self._cached.popitem(last=False)
        return principal

    async def verify(self, token: str) -> Principal:
        principal = self.verify_now(token)
        if principal is None:
            await self._keys.refetch()
            principal = self.verify_now(token)
        if principal is None:
            raise Unauthenticated("invalid")
        return principal

    def _authenticate(self, parts: Parts, key: Key) -> Principal:
        if not _SIGNATURES[parts.algorithm].verify(parts.signed, key.value, parts.signature):
            raise Unauthenticated("invalid")
        try:
            claims = read_object(parts.payload)
        except ValueError:
            raise Unauthenticated("invalid") from None
        return principal_of(claims, self._rules, self._clock.now_ms() / 1000)

    def _drop_withdrawn(self) -> None:
        """Clear the cache after a key was withdrawn, so that its tokens are verified again."""
        if self._generation != self._keys.generation:
            self._generation = self._keys.generation
            self._cached.clear()


def _digest(token: str) -> bytes:
    return sha256(token.encode()).digest()
