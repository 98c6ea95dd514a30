"""The tokens port: from what a request carries to who is asking.

1. Only a token that was signed with a configured key, is meant for this server and is valid now gives a principal. What
   is wrong with any other is told in one of four words, and only of a token that was rightly signed that it is expired.
2. `peek` is called on the event loop, waits for nothing, computes no signature and raises nothing. It knows tokens that
   `verify` has accepted; never one that has expired since. It may forget.
3. `verify` answers within a bound. Where keys have to be fetched, any number of callers share one fetch, and unknown
   tokens cannot cause more than one in a while. Keys that were known stay known while new ones cannot be fetched.
4. `expires_at_s` of a principal is when its token stops being accepted, leeway included.
5. A token is kept nowhere and written nowhere: not in memory after the call, not in a log, not in an error.
"""

from __future__ import annotations

from typing import Protocol

from ordertrack.core.principal import Principal

MIN_SECRET_BYTES = 32
"""Of a shared secret that tokens are signed with. RFC 7518, 3.2: as long as the hash."""


class Tokens(Protocol):
    async def open(self) -> None:
        """Begins to fetch keys, where they have to be fetched. A failure is no error: `verify` tries again."""

    async def close(self) -> None: ...

    def peek(self, token: str) -> Principal | None: ...

    async def verify(self, token: str) -> Principal:
        """Raises Unauthenticated; TokensUnavailable when no key is known and none can be fetched."""
