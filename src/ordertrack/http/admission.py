"""Who is asking, and whether they may ask now: decided before anything else of a request is looked at.

A budget is a principal's. Failed attempts have one by address: when that is spent they are refused with the time to
come again, and nobody else from there is, since a whole town may share an address. Only who guesses on and on, far
beyond it, ends the verification of tokens that are not known yet; a missing or an expired token is no guess. Services
and administrators have no budgets: they hold the platform's own keys.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

from ordertrack.core.errors import RateLimited, Unauthenticated
from ordertrack.core.principal import ANYONE, Principal, Role, anyone_at
from ordertrack.core.rate import RateLimiter, Verdict
from ordertrack.http import names
from ordertrack.http.addresses import Addresses, budget_key
from ordertrack.http.parameters import header
from ordertrack.http.wire.message import Headers
from ordertrack.ports.clock import Clock
from ordertrack.ports.tokens import Tokens
from ordertrack.service.links import Links, is_link_token

MAX_TOKEN_BYTES = 8 * 1024
_UNLIMITED = (Role.SERVICE, Role.ADMIN, Role.ANYONE)


class Budget(StrEnum):
    POLLS = "polls"
    READS = "reads"
    WRITES = "writes"
    FAILURES = "failed-authentications"
    GUESSES = "guesses"


class Caller(NamedTuple):
    principal: Principal
    address: str


class Admission:
    """`tokens` None: no access control, everybody is ANYONE, and nobody has a budget. A budget that is not among the
    `limiters` is boundless."""

    def __init__(
        self,
        tokens: Tokens | None,
        links: Links,
        limiters: Mapping[Budget, RateLimiter],
        addresses: Addresses,
        clock: Clock,
    ) -> None:
        self._tokens = tokens
        self._links = links
        self._limiters = limiters
        self._addresses = addresses
        self._clock = clock

    def now(self, budget: Budget, headers: Headers, peer: str | None, link: str | None = None) -> Caller | None:
        """Without waiting for anything; None when that takes `later`. `link` is a token from the path.

        Raises Unauthenticated, RateLimited.
        """
        token, address = self._token(headers, link), self._addresses.client(peer, headers)
        if token is None:
            if self._tokens is None:
                return Caller(self._anyone(peer, address), address)
            self._take(Budget.FAILURES, address)
            raise Unauthenticated("missing")
        if self._tokens is None or is_link_token(token):
            principal = self._links.peek(token)
        else:
            principal = self._tokens.peek(token)
        if principal is None:
            self._check_guesses(address)
            return None
        return self._admitted(budget, principal, address)

    async def later(self, budget: Budget, headers: Headers, peer: str | None, link: str | None = None) -> Caller:
        """Raises Unauthenticated, RateLimited, TokensUnavailable, StoreUnavailable."""
        known = self.now(budget, headers, peer, link)
        if known is not None:
            return known
        token, address = self._token(headers, link), self._addresses.client(peer, headers)
        assert token is not None
        try:
            if self._tokens is None or is_link_token(token):
                principal = await self._links.resolve(token)
            else:
                principal = await self._tokens.verify(token)
        except Unauthenticated as error:
            if error.why != "expired":
                self._take(Budget.GUESSES, address)
            self._take(Budget.FAILURES, address)
            raise
        return self._admitted(budget, principal, address)

    def _token(self, headers: Headers, link: str | None) -> str | None:
        """Without access control only a link's token says anything. Raises Unauthenticated."""
        if link is not None:
            return link
        if self._tokens is not None:
            return bearer(headers)
        _, _, token = (header(headers, names.AUTHORIZATION) or "").partition(" ")
        return token if is_link_token(token) else None

    def charge(self, budget: Budget, principal: Principal, count: int) -> None:
        """Take so many from the principal's budget, all or none. Raises RateLimited."""
        limiter = self._limiters.get(budget)
        if limiter is not None and principal.role not in _UNLIMITED:
            self._hold_to(budget, limiter, limiter.take(principal.actor, self._clock.monotonic_s(), count))

    def _anyone(self, peer: str | None, address: str) -> Principal:
        """A client whose address a trusted proxy named can be told from others behind it."""
        return ANYONE if address == self._addresses.client(peer, ()) else anyone_at(address)

    def _admitted(self, budget: Budget, principal: Principal, address: str) -> Caller:
        self.charge(budget, principal, 1)
        return Caller(principal, address)

    def _take(self, budget: Budget, address: str) -> None:
        """From what an address has. Raises RateLimited."""
        limiter = self._limiters.get(budget)
        if limiter is not None:
            self._hold_to(budget, limiter, limiter.take(budget_key(address), self._clock.monotonic_s()))

    def _check_guesses(self, address: str) -> None:
        """Raises RateLimited."""
        limiter = self._limiters.get(Budget.GUESSES)
        if limiter is not None:
            self._hold_to(Budget.GUESSES, limiter, limiter.look(budget_key(address), self._clock.monotonic_s()))

    @staticmethod
    def _hold_to(budget: Budget, limiter: RateLimiter, verdict: Verdict) -> None:
        if not verdict.allowed:
            raise RateLimited(
                retry_after_s=max(1, math.ceil(verdict.retry_after_s)),
                budget=budget.value,
                requests=limiter.quota.requests,
                window_s=limiter.quota.window_s,
            )


def bearer(headers: Headers) -> str | None:
    """The token of `Authorization: Bearer` (RFC 6750, 2.1); None without one. Raises Unauthenticated."""
    value = header(headers, names.AUTHORIZATION)
    if value is None:
        return None
    scheme, _, token = value.partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token or len(token) > MAX_TOKEN_BYTES or not token.isascii():
        raise Unauthenticated("malformed")
    return token
