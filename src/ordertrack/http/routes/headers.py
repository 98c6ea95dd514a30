"""Headers that several routes answer with."""

from __future__ import annotations

from ordertrack.core.feed import Cursor
from ordertrack.core.order import Order
from ordertrack.http import names


def version_headers(epoch: str, order: Order) -> dict[str, str]:
    """The order's version as an ETag; a strong one, since every version of an order has one representation."""
    return {names.ETAG: f'"{Cursor(epoch, order.version)}"', names.CACHE_CONTROL: names.NO_STORE}
