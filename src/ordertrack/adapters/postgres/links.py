"""The table of tracking links. Reads are rare, since `service/links.py` caches verified links."""

from __future__ import annotations

from ordertrack.adapters.postgres.decoding import ORDERS_BY_ID, KnownOrder, decode_each
from ordertrack.adapters.postgres.sessions import Session
from ordertrack.adapters.postgres.statements import SQL
from ordertrack.core.errors import LinkNotFound, StoreUnavailable, TooManyLinks
from ordertrack.core.tracking_link import MAX_LINKS, Link

REDRAW_AFTER_S = 1


async def fetch_order(session: Session, order_id: int) -> KnownOrder:
    """Raises: OrderNotFound, InternalError for a damaged order."""
    rows = await session.fetch(ORDERS_BY_ID, [order_id])
    outcome = decode_each([order_id], rows)[order_id]
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


async def add_link(session: Session, order_id: int, token_hash: bytes, created_by: str, now_ms: int) -> Link:
    """Raises: OrderNotFound, TooManyLinks; StoreUnavailable for the hash of another link."""
    async with session.transaction():
        # The lock comes first: so the count has the links of all earlier commits.
        await session.fetch(SQL["lock_orders"], [order_id])
        known = await fetch_order(session, order_id)
        ((count,),) = await session.fetch(SQL["count_links"], order_id)
        if count >= MAX_LINKS:
            raise TooManyLinks(known.order, MAX_LINKS)
        rows = await session.fetch(SQL["insert_link"], order_id, token_hash, now_ms, created_by)
        if not rows:
            raise StoreUnavailable(retry_after_s=REDRAW_AFTER_S)
        return Link(*rows[0])


async def end_link(session: Session, order_id: int, link_id: int, now_ms: int) -> Link:
    """Revoke a link. Raises: LinkNotFound."""
    rows = await session.fetch(SQL["revoke_link"], order_id, link_id, now_ms)
    if not rows:
        raise LinkNotFound(order_id, str(link_id))
    return Link(*rows[0])


async def fetch_links(session: Session, order_id: int) -> list[Link]:
    """Raises: OrderNotFound, InternalError."""
    await fetch_order(session, order_id)
    return [Link(*row) for row in await session.fetch(SQL["links"], order_id)]


async def fetch_link(session: Session, token_hash: bytes) -> Link | None:
    rows = await session.fetch(SQL["find_link"], token_hash)
    return Link(*rows[0]) if rows else None
