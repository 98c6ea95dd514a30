"""Tracking links: whoever has one follows its order without an account, until it is revoked or the order is long over.

A token is 128 random bits, too many to guess, so a fast hash of it is enough. Only that hash is kept, and it is looked
up and never compared here: how long an answer takes says nothing about any token.

A link that was verified is believed for a while without asking the store, because a poll must not wait for a disk. What
ends it, a revocation or the end of its order, goes through this process and ends that belief at once, also where the
link is just being read.
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
from ordertrack.service.authorization import checked

PREFIX = "otl_"
"""Tells what a token is: to this server, and to whoever searches logs and repositories for secrets."""
TOKEN_BYTES = 16
MAX_VERIFIED = 10_000
"""Verified links that are at hand; of more, those that were used least recently are read again."""
BELIEVED_S = 30.0

_TOKEN = re.compile(rf"{PREFIX}[A-Za-z0-9_-]{{22}}")


def new_link_token(random_bytes: bytes) -> str:
    """Raises ValueError unless there are TOKEN_BYTES of them."""
    if len(random_bytes) != TOKEN_BYTES:
        raise ValueError(f"a token has {TOKEN_BYTES} random bytes, not {len(random_bytes)}")
    return PREFIX + urlsafe_b64encode(random_bytes).decode().rstrip("=")


def is_link_token(token: str) -> bool:
    """Whether it looks like one."""
    return _TOKEN.fullmatch(token) is not None


class _Verified(NamedTuple):
    principal: Principal
    believed_until_s: float


class Links:
    def __init__(
        self,
        store: LinkStore,
        clock: Clock,
        draw_token: Callable[[], str],
        kept_after_end_s: float,
        revoked: Callable[[Link], None],
    ) -> None:
        """`draw_token` gives what `new_link_token` makes of random bytes. `revoked` is called on the event loop with
        every link that is revoked, when no request is admitted with it any more; it must not raise."""
        self._store = store
        self._clock = clock
        self._draw_token = draw_token
        self._kept_after_end_s = kept_after_end_s
        self._revoked = revoked
        self._verified: OrderedDict[bytes, _Verified] = OrderedDict()
        self._verified_of: dict[int, set[bytes]] = {}
        self._revocations = 0
        self._revoking: set[asyncio.Task[Link]] = set()

    # For those who give links away

    async def make(self, order_id: int, by: Principal) -> tuple[Link, str]:
        """The link and its token, which nobody can be told again.

        Raises OrderNotFound, Forbidden, TooManyLinks, StoreBusy, StoreUnavailable.
        """
        await self._check(order_id, by)
        token = self._draw_token()
        link = await self._store.create_link(order_id, _hash(token), by.actor, self._clock.now_ms())
        return link, token

    async def all(self, order_id: int, by: Principal) -> list[Link]:
        """Oldest first, revoked ones too. Raises OrderNotFound, Forbidden, StoreUnavailable."""
        await self._check(order_id, by)
        return await self._store.links(order_id)

    async def revoke(self, order_id: int, link_id: int, by: Principal) -> Link:
        """From now on nobody follows the order with it; a link that is revoked already stays as it is.

        Raises OrderNotFound, Forbidden, LinkNotFound, StoreBusy, StoreUnavailable.
        """
        await self._check(order_id, by)
        # A task, since what was committed must have its effect even when the caller has gone meanwhile.
        revoking = asyncio.create_task(self._revoke(order_id, link_id))
        self._revoking.add(revoking)
        revoking.add_done_callback(self._revoking.discard)
        return await asyncio.shield(revoking)

    async def _check(self, order_id: int, by: Principal) -> None:
        await checked(self._store, order_id, by, Action.LINK)

    async def _revoke(self, order_id: int, link_id: int) -> Link:
        link = await self._store.revoke_link(order_id, link_id, self._clock.now_ms())
        self._revocations += 1
        for token_hash in tuple(self._verified_of.get(order_id, ())):
            if self._verified[token_hash].principal.name == str(link_id):
                self._forget(token_hash)
        self._revoked(link)
        return link

    # For those who have one

    def peek(self, token: str) -> Principal | None:
        """Who has this token, without waiting for anything; None when that has to be resolved. Raises nothing."""
        if not is_link_token(token):
            return None
        token_hash = _hash(token)
        verified = self._verified.get(token_hash)
        if verified is None:
            return None
        if self._clock.monotonic_s() >= verified.believed_until_s or self._has_expired(verified.principal):
            self._forget(token_hash)
            return None
        self._verified.move_to_end(token_hash)
        return verified.principal

    async def resolve(self, token: str) -> Principal:
        """Who has this token, as the store says it. It is so when this returns: nothing that happened while the store
        was asked is missed.

        Raises Unauthenticated, StoreUnavailable.
        """
        if not is_link_token(token):
            raise Unauthenticated("malformed")
        token_hash = _hash(token)
        while True:
            revocations = self._revocations
            link = await self._store.find_link(token_hash)
            if link is None or link.revoked_at_ms is not None:
                raise Unauthenticated("invalid")
            order = await self._store.order(link.order_id)
            order = self._store.peek(order.id) or order  # as it was announced meanwhile
            if revocations == self._revocations:
                break
        principal = Principal(Role.LINK, str(link.id), order_id=link.order_id, expires_at_s=self._expires_at_s(order))
        if self._has_expired(principal):
            raise Unauthenticated("expired")
        self._believe(token_hash, principal)
        return principal

    def committed(self, commits: Sequence[Committed], _committed_at_s: float) -> None:
        """For the commit listener: whether, and when, a link expires changes when its order ends or goes on again."""
        for order, _, _ in commits:
            for token_hash in tuple(self._verified_of.get(order.id, ())):
                if order.status.ended or self._verified[token_hash].principal.expires_at_s is not None:
                    self._forget(token_hash)

    def _expires_at_s(self, order: Order) -> int | None:
        """In whole seconds since 1970, rounded up; None while the order has not ended."""
        if not order.status.ended:
            return None
        return math.ceil(order.updated_at_ms / 1000 + self._kept_after_end_s)

    def _has_expired(self, principal: Principal) -> bool:
        return principal.expires_at_s is not None and self._clock.now_ms() >= principal.expires_at_s * 1000

    def _believe(self, token_hash: bytes, principal: Principal) -> None:
        assert principal.order_id is not None
        self._verified[token_hash] = _Verified(principal, self._clock.monotonic_s() + BELIEVED_S)
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
