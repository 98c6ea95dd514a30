"""Tracking links: the holder of a link follows its order without an account, until the link is revoked or expires.

A token has 128 random bits, too many to guess, so a fast hash is enough. Only the hash is kept; it is looked up and
never compared, so the time of an answer reveals nothing about tokens.

A verified link is cached for CACHE_TTL_S, because a poll must not wait for a disk. A revocation and the end of the
order pass through this process and remove the link from the cache at once, also while it is being read.
"""

from __future__ import annotations

import asyncio
import math
import re
from base64 import urlsafe_b64encode
from collections import OrderedDict
from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import NamedTuple

from ordertrack.core.errors import Unauthenticated
from ordertrack.core.order import Order
from ordertrack.core.principal import Action, Principal, Role
from ordertrack.core.tracking_link import Link
from ordertrack.ports.clock import Clock
from ordertrack.ports.commits import Committed
from ordertrack.ports.link_store import LinkStore
from ordertrack.service.authorization import load_authorized

PREFIX = "otl_"
"""Marks a token as a tracking link, for this server and for scanners that search logs and repositories for secrets."""
TOKEN_BYTES = 16
MAX_VERIFIED = 10_000
"""Cached links; beyond that the least recently used are read again."""
CACHE_TTL_S = 30.0

_TOKEN = re.compile(rf"{PREFIX}[A-Za-z0-9_-]{{22}}")


def new_link_token(random_bytes: bytes) -> str:
    """Return the token made of TOKEN_BYTES random bytes.

    Raises: ValueError.
    """
    if len(random_bytes) != TOKEN_BYTES:
        raise ValueError(f"a token has {TOKEN_BYTES} random bytes, not {len(random_bytes)}")
    return PREFIX + urlsafe_b64encode(random_bytes).decode().rstrip("=")


def is_link_token(token: str) -> bool:
    return _TOKEN.fullmatch(token) is not None


class _CachedLink(NamedTuple):
    principal: Principal
    cached_until_s: float


class Links:
    def __init__(
        self,
        store: LinkStore,
        clock: Clock,
        draw_token: Callable[[], str],
        kept_after_end_s: float,
        revoked: Callable[[Link], None],
    ) -> None:
        """`draw_token` returns a new token of `new_link_token`. `revoked` is called on the event loop with every
        revoked link, after which no request with it is admitted; it must not raise."""
        self._store = store
        self._clock = clock
        self._draw_token = draw_token
        self._kept_after_end_s = kept_after_end_s
        self._revoked = revoked
        self.revoked_here: Callable[[Link], None] = lambda link: None
        """Called as `revoked`, for links that are revoked by this node, to tell the others."""
        self._verified: OrderedDict[bytes, _CachedLink] = OrderedDict()
        self._verified_of: dict[int, set[bytes]] = {}
        self._revocations = 0
        self._revoking: set[asyncio.Task[Link]] = set()

    # For the parties of an order

    async def make(self, order_id: int, by: Principal) -> tuple[Link, str]:
        """Create a link and return it with its token, which cannot be retrieved again.

        Raises: OrderNotFound, Forbidden, TooManyLinks, StoreBusy, StoreUnavailable.
        """
        await self._check(order_id, by)
        token = self._draw_token()
        link = await self._store.create_link(order_id, _hash(token), by.actor, self._clock.now_ms())
        return link, token

    async def all(self, order_id: int, by: Principal) -> list[Link]:
        """Return all links of an order, revoked ones included, oldest first.

        Raises: OrderNotFound, Forbidden, StoreUnavailable.
        """
        await self._check(order_id, by)
        return await self._store.links(order_id)

    async def revoke(self, order_id: int, link_id: int, by: Principal) -> Link:
        """Revoke a link at once. Revoking it again changes nothing.

        Raises: OrderNotFound, Forbidden, LinkNotFound, StoreBusy, StoreUnavailable.
        """
        await self._check(order_id, by)
        # A task, because the commit must take effect even if the caller is cancelled.
        revoking = asyncio.create_task(self._revoke(order_id, link_id))
        self._revoking.add(revoking)
        revoking.add_done_callback(self._revoking.discard)
        return await asyncio.shield(revoking)

    async def _check(self, order_id: int, by: Principal) -> None:
        await load_authorized(self._store, order_id, by, Action.LINK)

    async def _revoke(self, order_id: int, link_id: int) -> Link:
        link = await self._store.revoke_link(order_id, link_id, self._clock.now_ms())
        self._revocations += 1
        for token_hash in tuple(self._verified_of.get(order_id, ())):
            if self._verified[token_hash].principal.name == str(link_id):
                self._forget(token_hash)
        self._revoked(link)
        self.revoked_here(link)
        return link

    # For the holder of a link

    def peek(self, token: str) -> Principal | None:
        """Return the cached holder of this token without waiting; None means call `resolve`."""
        if not is_link_token(token):
            return None
        token_hash = _hash(token)
        verified = self._verified.get(token_hash)
        if verified is None:
            return None
        if self._clock.monotonic_s() >= verified.cached_until_s or self._has_expired(verified.principal):
            self._forget(token_hash)
            return None
        self._verified.move_to_end(token_hash)
        return verified.principal

    async def resolve(self, token: str) -> Principal:
        """Return the holder of this token as stored at the moment of return, with changes made during the read.

        Raises: Unauthenticated, StoreUnavailable.
        """
        if not is_link_token(token):
            raise Unauthenticated("malformed", "unknown")
        token_hash = _hash(token)
        while True:
            revocations = self._revocations
            link = await self._store.find_link(token_hash)
            if link is None:
                raise Unauthenticated("invalid", "unknown")
            if link.revoked_at_ms is not None:
                raise Unauthenticated("invalid", "revoked")
            order = await self._store.order(link.order_id)
            order = self._store.peek(order.id) or order  # with changes announced during the read
            if revocations == self._revocations:
                break
        principal = Principal(Role.LINK, str(link.id), order_id=link.order_id, expires_at_s=self._expires_at_s(order))
        if self._has_expired(principal):
            raise Unauthenticated("expired", "expired")
        self._cache(token_hash, principal)
        return principal

    def committed(self, commits: Sequence[Committed]) -> None:
        """Drop cached links whose expiry has changed because their order ended or was reopened."""
        for order, *_ in commits:
            for token_hash in tuple(self._verified_of.get(order.id, ())):
                if order.status.ended or self._verified[token_hash].principal.expires_at_s is not None:
                    self._forget(token_hash)

    def forget(self, order_id: int | None = None) -> None:
        """Forget cached links of an order, or all: another node may have revoked one."""
        of_orders = [self._verified_of.get(order_id, ())] if order_id is not None else self._verified_of.values()
        for token_hash in [token_hash for of_order in of_orders for token_hash in of_order]:
            self._forget(token_hash)
        self._revocations += 1

    def _expires_at_s(self, order: Order) -> int | None:
        """Return seconds since 1970, rounded up; None while the order has not ended."""
        if not order.status.ended:
            return None
        return math.ceil(order.updated_at_ms / 1000 + self._kept_after_end_s)

    def _has_expired(self, principal: Principal) -> bool:
        return principal.expires_at_s is not None and self._clock.now_ms() >= principal.expires_at_s * 1000

    def _cache(self, token_hash: bytes, principal: Principal) -> None:
        assert principal.order_id is not None
        self._verified[token_hash] = _CachedLink(principal, self._clock.monotonic_s() + CACHE_TTL_S)
        self._verified.move_to_end(token_hash)
        self._verified_of.setdefault(principal.order_id, set()).add(token_hash)
        if len(self._verified) > MAX_VERIFIED:
            self._forget(next(iter(self._verified)))

    def _forget(self, token_hash: bytes) -> None:
        order_id = self._verified.pop(token_hash).principal.order_id
        assert order_id is not None
        of_order = self._verified_of[order_id]
        of_order.discard(token_hash)
        if not of_order:
            del self._verified_of[order_id]


def _hash(token: str) -> bytes:
    return sha256(token.encode()).digest()
