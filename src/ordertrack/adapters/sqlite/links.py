"""The table of tracking links. Reads are rare, since `service/links.py` caches verified links."""

from __future__ import annotations

import sqlite3

from ordertrack.adapters.sqlite.database import SQL
from ordertrack.core.errors import LinkNotFound, StoreUnavailable, TooManyLinks
from ordertrack.core.order import Order
from ordertrack.core.tracking_link import MAX_LINKS, Link

REDRAW_AFTER_S = 1


def insert_link(connection: sqlite3.Connection, order: Order, token_hash: bytes, created_by: str, now_ms: int) -> Link:
    """Raises: TooManyLinks; StoreUnavailable for the hash of another link, which does not fail the commit."""
    if connection.execute(SQL["count_links"], {"order_id": order.id}).fetchone()[0] >= MAX_LINKS:
        raise TooManyLinks(order, MAX_LINKS)
    row = {"order_id": order.id, "token_hash": token_hash, "created_at_ms": now_ms, "created_by": created_by}
    try:
        link_id = connection.execute(SQL["insert_link"], row).lastrowid
    except sqlite3.IntegrityError:
        raise StoreUnavailable(retry_after_s=REDRAW_AFTER_S) from None
    return Link(link_id or 0, order.id, now_ms, created_by)


def revoke_link(connection: sqlite3.Connection, order_id: int, link_id: int, now_ms: int) -> Link:
    """Raises: LinkNotFound."""
    parameters = {"order_id": order_id, "link_id": link_id, "now_ms": now_ms}
    rows = connection.execute(SQL["revoke_link"], parameters).fetchall()  # the statement ends with its last row
    if not rows:
        raise LinkNotFound(order_id, str(link_id))
    return Link(*rows[0])


def read_links(connection: sqlite3.Connection, order_id: int) -> list[Link]:
    return [Link(*row) for row in connection.execute(SQL["links"], {"order_id": order_id})]


def find_link(connection: sqlite3.Connection, token_hash: bytes) -> Link | None:
    row = connection.execute(SQL["find_link"], {"token_hash": token_hash}).fetchone()
    return None if row is None else Link(*row)
