"""Admission: identify the caller of a request and charge the request to a budget, before an endpoint sees it.

Budgets:

1. Customers, restaurants, couriers and links each have their own.
2. Services and administrators have none: they hold the platform's own keys.
3. Without access control each address has one. Loopback addresses have none, so that the server can be tried out and
   measured; a client of a trusted proxy has the address that the proxy gives.

Failed attempts have a budget by address. When it is spent only further failures are refused, since many
clients may share an address. When the larger budget `GUESSES` is spent, tokens that are not cached are no longer
verified; a missing or an expired token is not a guess.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Mapping
from enum import StrEnum
from typing import NamedTuple

from ordertrack.core.enum_members import plain_members
from ordertrack.core.errors import RateLimited, Unauthenticated
from ordertrack.core.principal import ANYONE, Principal, Role, anyone_at
from ordertrack.core.rate import Quota, RateLimiter
from ordertrack.http.policy.client_address import UNKNOWN, Addresses, budget_key, is_this_machine
from ordertrack.http.wire import names
from ordertrack.http.wire.message import Headers
from ordertrack.http.wire.parameters import header
from ordertrack.ports.clock import Clock
from ordertrack.ports.tokens import Tokens
from ordertrack.service.links import Links, is_link_token

MAX_TOKEN_BYTES = 8 * 1024
_UNLIMITED = (Role.SERVICE, Role.ADMIN)
CALLER = "caller"
"""The key of the Caller in the ASGI scope of an admitted request."""
_AUTHORIZATION = names.AUTHORIZATION.encode()


@plain_members
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
    """`tokens` None: no access control, every principal is ANYONE or a link's. A budget without a limiter has no
    limit."""

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
        """Return the caller at once; None when `later` has to find it. `link` is a token from the path.

        Raises: Unauthenticated, RateLimited.
        """
        token = self._token(headers) if link is None and _AUTHORIZATION in headers else link
        address = self._addresses.client(peer, headers)
        if token is None:
            if self._tokens is not None:
                self._take(Budget.FAILURES, budget_key(address))
                raise Unauthenticated("missing")
            if not is_this_machine(address):
                self._take(budget, budget_key(address))
            # Behind a trusted proxy, clients are told apart by their addresses.
            is_direct = not self._addresses.trusted or address == self._addresses.client(peer, Headers())
            return Caller(ANYONE if is_direct else anyone_at(address), address)
        tokens = None if link is not None or is_link_token(token) else self._tokens
        principal = self._links.peek(token) if tokens is None else tokens.peek(token)
        if principal is None:
            self._check_guesses(address)
            principal = None if tokens is None else self._verify_now(tokens, token, address)
        return None if principal is None else self._admitted(budget, principal, address)

    async def later(self, budget: Budget, headers: Headers, peer: str | None, link: str | None = None) -> Caller:
        """Return the caller, after verifying its token.

        Raises: Unauthenticated, RateLimited, TokensUnavailable, StoreUnavailable.
        """
        known = self.now(budget, headers, peer, link)
        if known is not None:
            return known
        token, address = link or self._token(headers), self._addresses.client(peer, headers)
        assert token is not None
        if self._tokens is None or link is not None or is_link_token(token):
            verification: Awaitable[Principal] = self._links.resolve(token)
        else:
            verification = self._tokens.verify(token)
        try:
            principal = await verification
        except Unauthenticated as error:
            self._charge_failure(error, address)
            raise
        return self._admitted(budget, principal, address)

    def _verify_now(self, tokens: Tokens, token: str, address: str) -> Principal | None:
        """Return None for a token whose key is not known.

        Raises: Unauthenticated, RateLimited.
        """
        try:
            return tokens.verify_now(token)
        except Unauthenticated as error:
            self._charge_failure(error, address)
            raise

    def _charge_failure(self, error: Unauthenticated, address: str) -> None:
        """Raises: RateLimited."""
        if error.why != "expired":
            self._take(Budget.GUESSES, budget_key(address))
        self._take(Budget.FAILURES, budget_key(address), also=None if error.why == "expired" else Budget.GUESSES)

    def _token(self, headers: Headers) -> str | None:
        """Return the token of the request; without access control only a link's.

        Raises: Unauthenticated.
        """
        if self._tokens is not None:
            return bearer(headers)
        authorization = header(headers, names.AUTHORIZATION)
        if authorization is None:
            return None
        _, _, token = authorization.partition(" ")
        return token if is_link_token(token) else None

    def charge(self, budget: Budget, principal: Principal, count: int, address: str = UNKNOWN) -> None:
        """Charge `count` more for an admitted request, at most the whole budget. This delays later requests of the
        budget and never refuses this one."""
        limiter, key = self._limiters.get(budget), _caller_budget_key(principal, address)
        if limiter is not None and key is not None:
            limiter.charge(key, self._clock.monotonic_s(), count)

    def _admitted(self, budget: Budget, principal: Principal, address: str) -> Caller:
        """Raises: RateLimited."""
        key = _caller_budget_key(principal, address)
        if key is not None:
            self._take(budget, key)
        return Caller(principal, address)

    def _take(self, budget: Budget, key: str, also: Budget | None = None) -> None:
        """Take one request off a budget. The retry time of a refusal also covers the budget `also`.

        Raises: RateLimited.
        """
        limiter, now_s = self._limiters.get(budget), self._clock.monotonic_s()
        if limiter is None or (verdict := limiter.take(key, now_s)).allowed:
            return
        other = None if also is None else self._limiters.get(also)
        other_s = 0.0 if other is None else other.peek(key, now_s).retry_after_s
        raise _rate_limited(budget, limiter.quota, max(verdict.retry_after_s, other_s))

    def _check_guesses(self, address: str) -> None:
        """Raises: RateLimited."""
        limiter = self._limiters.get(Budget.GUESSES)
        if limiter is None:
            return
        verdict = limiter.peek(budget_key(address), self._clock.monotonic_s())
        if not verdict.allowed:
            raise _rate_limited(Budget.GUESSES, limiter.quota, verdict.retry_after_s)


def _rate_limited(budget: Budget, quota: Quota, retry_after_s: float) -> RateLimited:
    return RateLimited(
        retry_after_s=max(1, math.ceil(retry_after_s)),
        budget=budget.value,
        requests=quota.requests,
        window_s=quota.window_s,
    )


def _caller_budget_key(principal: Principal, address: str) -> str | None:
    """Return the key of the caller's budget; None for a caller without one."""
    if principal.role in _UNLIMITED:
        return None
    if principal.role is Role.ANYONE:
        return None if is_this_machine(address) else budget_key(address)
    return principal.actor


def bearer(headers: Headers) -> str | None:
    """Return the token of `Authorization: Bearer` (RFC 6750, 2.1); None without the header.

    Raises: Unauthenticated.
    """
    value = header(headers, names.AUTHORIZATION)
    if value is None:
        return None
    scheme, _, token = value.partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token or len(token) > MAX_TOKEN_BYTES or not token.isascii():
        raise Unauthenticated("malformed")
    return token
