"""Feeds: an order, or all orders of a customer, restaurant or courier. A feed has a version, and clients poll it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import StrEnum
from operator import itemgetter
from typing import NamedTuple, TypeVar

import msgspec

from ordertrack.core.enum_members import plain_members
from ordertrack.core.order import Order

Entry = TypeVar("Entry")


@plain_members
class FeedKind(StrEnum):
    __hash__ = str.__hash__  # Enum's own is written in Python, and every poll looks up its feed

    ORDER = "order"
    CUSTOMER = "customer"
    RESTAURANT = "restaurant"
    COURIER = "courier"


class FeedKey(msgspec.Struct, frozen=True, gc=False):
    kind: FeedKind
    id: str


def order_feed(order_id: int) -> FeedKey:
    return FeedKey(FeedKind.ORDER, str(order_id))


def party_feeds(order: Order) -> tuple[FeedKey, ...]:
    """Return the feeds of the order's parties; each change of the order increments their versions."""
    feeds = (FeedKey(FeedKind.CUSTOMER, order.customer_id), FeedKey(FeedKind.RESTAURANT, order.restaurant_id))
    return feeds if order.courier_id is None else (*feeds, FeedKey(FeedKind.COURIER, order.courier_id))


def touched_feeds(before: Order | None, after: Order) -> tuple[FeedKey, ...]:
    """Return the party feeds that a change increments: the previous courier's too, when the change replaced it."""
    feeds = party_feeds(after)
    if before is None or before.courier_id in (None, after.courier_id):
        return feeds
    return (*feeds, FeedKey(FeedKind.COURIER, before.courier_id))


class FeedChanges(NamedTuple):
    """One page: the orders of a party that changed, up to `version`, the oldest change first.

    `left` has the ids that are no longer the party's. `more` is True when the page was full: then `version` is that of
    its last entry, and not the feed's. When that entry is one of a snapshot, `version` is the feed's at the beginning
    of the snapshot and `after_id` the id of the order; else `after_id` is 0.
    """

    version: int
    orders: tuple[Order, ...] = ()
    left: tuple[int, ...] = ()
    more: bool = False
    after_id: int = 0


PAGE_ENTRIES = 100
"""Orders and departures in one response: usually about 100 KB."""
PAGE_BYTES = 1_000_000
"""Approximate bytes of JSON in one page of a feed or a list. A larger order is the only entry of its page."""
_ORDER_BYTES, _ITEM_BYTES, _EVENT_BYTES = 200, 20, 140
"""Bytes that JSON needs for an order, an item and an event more than MessagePack, with long numbers."""
_encode = msgspec.msgpack.Encoder().encode


def fill_page(entries: Iterable[Entry], limit: int, value: Callable[[Entry], Order | int]) -> tuple[list[Entry], bool]:
    """Return the first entries that fit on a page, at most `limit`, at most PAGE_BYTES, at least one; and True when
    there are more. `value` gives an entry's order, or the id of an order that left. At most one more than fits is
    consumed."""
    fitting: list[Entry] = []
    size = 0
    for entry in entries:
        size += _json_bytes(value(entry))
        if fitting and (len(fitting) == limit or size > PAGE_BYTES):
            return fitting, True
        fitting.append(entry)
    return fitting, False


def build_page(
    version: int, entries: Iterable[tuple[int, Order | int]], *, limit: int, snapshot: int = 0
) -> FeedChanges:
    """Return the first of `entries` that fit.

    An entry is a version of the feed and the order that changed in it, or the id of an order that left; the oldest
    comes first. Entries up to version `snapshot` are those of a snapshot that began at it: they come by order id,
    before the changes. So a page may end after any entry. `entries` may be lazy (see `fill_page`). The feed is at
    `version`.
    """
    fitting, more = fill_page(entries, limit, itemgetter(1))
    after_id = 0
    if more:
        upto, last = fitting[-1]
        version = max(upto, snapshot)
        if upto <= snapshot and not isinstance(last, int):
            after_id = last.id
    return FeedChanges(
        version=version,
        orders=tuple(value for _, value in fitting if not isinstance(value, int)),
        left=tuple(value for _, value in fitting if isinstance(value, int)),
        more=more,
        after_id=after_id,
    )


def _json_bytes(value: Order | int) -> int:
    """Estimate the size of an entry as JSON. Texts count as UTF-8, without escapes."""
    if isinstance(value, int):
        return 20
    return (
        len(_encode(value)) + _ORDER_BYTES + _ITEM_BYTES * len(value.details.items) + _EVENT_BYTES * len(value.timeline)
    )


class FeedState(msgspec.Struct, frozen=True, gc=False):
    """A party's feed at a version, with the changes that were read."""

    feed: FeedKey
    changes: FeedChanges

    @property
    def version(self) -> int:
        return self.changes.version
