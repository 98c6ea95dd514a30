"""The tokens port: authenticate a client by its bearer token.

1. A token gives a principal only if it was signed with a configured key, is for this server and is valid now. The error
   for any other has one of four reasons; `expired` only for a token with a valid signature.
2. `peek` is called on the event loop, does not wait, verifies no signature and raises nothing. It finds tokens that
   `verify` accepted and that have not expired. It may forget tokens.
3. `verify_now` is `verify` for a token whose key is known, also called on the event loop. `verify` returns within a
   bound. Concurrent callers share one fetch of keys, and unknown tokens cause at most one
   fetch per cool-down. Keys that were fetched stay in use while new ones cannot be fetched.
4. `expires_at_s` of a principal is the time from which its token is refused, leeway included.
5. Tokens are not stored or written: not in memory after the call, not in a log, not in an error.
"""

from __future__ import annotations

from typing import Protocol

from ordertrack.core.principal import Principal

MIN_SECRET_BYTES = 32
"""Length of a shared secret for signing. RFC 7518, 3.2: as long as the hash."""


class Tokens(Protocol):
    async def open(self) -> None:
        """Start to fetch keys if they are published. A failure raises nothing: `verify` tries again."""

    async def close(self) -> None: ...

    def peek(self, token: str) -> Principal | None: ...

    def verify_now(self, token: str) -> Principal | None:
        """Return None when a key has to be fetched. Raises: Unauthenticated."""

    async def verify(self, token: str) -> Principal:
        """Raises: Unauthenticated; TokensUnavailable when no key is known and none can be fetched."""
