"""Feeds: whatever has a version and can be waited on. And the two ways a client names the version it has.

A cursor is exact: `<epoch>.<version>`, where the epoch is the store's incarnation. `last_update` is the original
contract's way, a time: since an order's `updated_at` strictly increases, echoing it names a version just as well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import StrEnum
from operator import itemgetter
from typing import TYPE_CHECKING, NamedTuple, TypeVar

if TYPE_CHECKING:
    from ordertrack.core.order import Order

Entry = TypeVar("Entry")


class FeedKind(StrEnum):
    __hash__ = str.__hash__  # Enum's own is written in Python, and every poll looks up its feed

    ORDER = "order"
    CUSTOMER = "customer"
    RESTAURANT = "restaurant"
    COURIER = "courier"


class FeedKey(NamedTuple):
    kind: FeedKind
    id: str


def order_feed(order_id: int) -> FeedKey:
    return FeedKey(FeedKind.ORDER, str(order_id))


def party_feeds(order: Order) -> tuple[FeedKey, ...]:
    """The feeds of the people an order belongs to; a change of it bumps each of them."""
    feeds = (FeedKey(FeedKind.CUSTOMER, order.customer_id), FeedKey(FeedKind.RESTAURANT, order.restaurant_id))
    return feeds if order.courier_id is None else (*feeds, FeedKey(FeedKind.COURIER, order.courier_id))


def touched_feeds(before: Order | None, after: Order) -> tuple[FeedKey, ...]:
    """The party feeds a change bumps: also that of a courier who has just lost the order."""
    feeds = party_feeds(after)
    if before is None or before.courier_id in (None, after.courier_id):
        return feeds
    return (*feeds, FeedKey(FeedKind.COURIER, before.courier_id))


class FeedChanges(NamedTuple):
    """What happened to the orders of a party up to `version`, the oldest change first.

    `left` has the ids that are no longer the party's. `more` says that a page was full: then `version` is that of its
    last entry, and not the feed's. `snapshot` is then, on the pages of a snapshot, the feed's version at its beginning.
    """

    version: int
    orders: tuple[Order, ...] = ()
    left: tuple[int, ...] = ()
    more: bool = False
    snapshot: int = 0


PAGE_ENTRIES = 100
"""Orders and departures in one answer: usually about 100 KB."""
PAGE_BYTES = 1_000_000
"""Bytes of JSON in one page of a feed or a list, about. An order with more is the only entry of its page."""
_ORDER_BYTES, _ITEM_BYTES, _EVENT_BYTES, _STEP_BYTES = 450, 60, 200, 12
"""JSON of an order, an item, an event and a step passed over, with long numbers and without texts."""


def fill_page(entries: Iterable[Entry], limit: int, what: Callable[[Entry], Order | int]) -> tuple[list[Entry], bool]:
    """Return the first entries that fit on a page, at most `limit`, at most PAGE_BYTES, at least one; and whether there
    are more. `what` gives an entry's order, or the id of an order that left. Only one more than fits is taken."""
    shown: list[Entry] = []
    size = 0
    for entry in entries:
        size += _json_bytes(what(entry))
        if shown and (len(shown) == limit or size > PAGE_BYTES):
            return shown, True
        shown.append(entry)
    return shown, False


def build_page(
    version: int, entries: Iterable[tuple[int, Order | int]], *, limit: int, snapshot: int = 0
) -> FeedChanges:
    """Return the oldest of `entries` that fit.

    An entry is the version of the feed and the order that changed then, or the id of an order that left. They come
    oldest first. A store may read orders as they are asked for (`fill_page`). The feed is at `version`. No two entries
    have one version, so a page may end between any of them.
    """
    shown, more = fill_page(entries, limit, itemgetter(1))
    upto = shown[-1][0] if more else version
    return FeedChanges(
        version=upto,
        orders=tuple(what for _, what in shown if not isinstance(what, int)),
        left=tuple(what for _, what in shown if isinstance(what, int)),
        more=more,
        snapshot=snapshot if more and upto < snapshot else 0,
    )


def _json_bytes(what: Order | int) -> int:
    """Estimate the size of an entry in an answer. Texts count as UTF-8, without what JSON escapes in them."""
    if isinstance(what, int):
        return 20
    details = what.details
    texts: list[str | None] = [what.reference, what.customer_id, what.restaurant_id, what.courier_id]
    texts += [details.address, details.note, *(item.name for item in details.items)]
    texts += [item.note for item in details.items]
    texts += [text for event in what.timeline for text in (event.actor, event.reason, event.courier_id)]
    skipped = sum(len(event.skipped) for event in what.timeline)
    return (
        _ORDER_BYTES
        + _ITEM_BYTES * len(details.items)
        + _EVENT_BYTES * len(what.timeline)
        + _STEP_BYTES * skipped
        + sum(len(text) if text.isascii() else len(text.encode()) for text in texts if text)
    )


class FeedState(NamedTuple):
    """A party's feed as it stands: with what happened in it, as far as that was asked for."""

    feed: FeedKey
    changes: FeedChanges

    @property
    def version(self) -> int:
        return self.changes.version
