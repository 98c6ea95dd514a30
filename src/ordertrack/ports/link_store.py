"""Tracking links in the store, with the orders they lead to. `ports/store.py` has the contract."""

from __future__ import annotations

from typing import Protocol

from ordertrack.core.tracking_link import Link
from ordertrack.ports.order_store import OrderReader


class LinkStore(OrderReader, Protocol):
    async def create_link(self, order_id: int, token_hash: bytes, created_by: str, now_ms: int) -> Link:
        """Create a link. `token_hash` is the SHA-256 of a random token.

        Raises: OrderNotFound, TooManyLinks; StoreUnavailable when another link has the hash, since a retry draws
        another token.
        """

    async def links(self, order_id: int) -> list[Link]:
        """Return all links of the order, revoked ones too, oldest first.

        Raises: OrderNotFound.
        """

    async def revoke_link(self, order_id: int, link_id: int, now_ms: int) -> Link:
        """Raises: LinkNotFound, also for another order's link."""

    async def find_link(self, token_hash: bytes) -> Link | None: ...
