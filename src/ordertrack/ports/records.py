"""All that a store keeps, as records: to check a store, and to copy it into another kind of store.

1. Records are read at one moment and in batches, so that memory does not grow with the number of orders.
2. A reader changes nothing and blocks no server that uses the database.
3. The numbers of parties are those of the store that is read. A target keeps them.
4. `RecordTarget` writes in one transaction. Nothing of it is kept unless `commit` returns.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from typing import NamedTuple, Protocol

from ordertrack.core.event import Status
from ordertrack.core.feed import FeedKey
from ordertrack.core.order import Order
from ordertrack.core.simulation import Step
from ordertrack.core.tracking_link import Link

BATCH = 1_000
"""Orders in a batch of records, at most."""

RecordProgress = Callable[[str, int, int], None]
"""Called with the kind of records, how many are done, and how many there are."""


class PartyRecord(NamedTuple):
    number: int
    feed: FeedKey
    version: int


class EventFeeds(NamedTuple):
    """The versions of the customer's, the restaurant's and the courier's feed that an event made, and the number of
    the courier. 0: unknown, as for events of earlier versions of ordertrack; without a courier both are 0."""

    customer: int
    restaurant: int
    courier: int
    courier_number: int


class OrderRecord(NamedTuple):
    """An order with the numbers of its parties, `feeds` for each of its events, and the pending simulation steps."""

    order: Order
    customer_number: int
    restaurant_number: int
    feeds: tuple[EventFeeds, ...]
    steps: tuple[Step, ...]


class DamagedOrder(NamedTuple):
    id: int
    why: str


class DepartureRecord(NamedTuple):
    """An order that left the feed of the courier with this number, at a version of the feed."""

    courier_number: int
    order_id: int
    version: int


class KeyRecord(NamedTuple):
    key: str
    fingerprint: str
    order_id: int
    at_ms: int


class LinkRecord(NamedTuple):
    link: Link
    token_hash: bytes

    @property
    def order_id(self) -> int:
        return self.link.order_id


class Totals(NamedTuple):
    """Numbers of records. `versions` is the sum of the orders' versions, `feed_versions` that of the parties."""

    orders: int = 0
    versions: int = 0
    events: int = 0
    parties: int = 0
    feed_versions: int = 0
    departures: int = 0
    keys: int = 0
    links: int = 0


class Counters(NamedTuple):
    """The epoch, and the highest id of an order and of a link ever given, 0 without any."""

    epoch: str
    last_order_id: int
    last_link_id: int


class RecordsUnusable(Exception):
    """The records cannot be read or written. The message says why and what to do, for the operator; it has no
    password."""


class CheckedRecords(Protocol):
    """Every method raises RecordsUnusable."""

    async def totals(self) -> Totals: ...

    def orders(self) -> AsyncIterator[Sequence[OrderRecord | DamagedOrder]]:
        """Yield the orders by id."""

    def findings(self) -> AsyncIterator[str]:
        """Yield what is wrong in the database but no matter of a single order: its file or indexes, versions of feeds,
        references to orders that do not exist."""


class RecordReader(CheckedRecords, Protocol):
    async def counters(self) -> Counters: ...

    def parties(self) -> AsyncIterator[Sequence[PartyRecord]]: ...

    def departures(self) -> AsyncIterator[Sequence[DepartureRecord]]: ...

    def keys(self) -> AsyncIterator[Sequence[KeyRecord]]: ...

    def links(self) -> AsyncIterator[Sequence[LinkRecord]]: ...


class RecordTarget(Protocol):
    """Every method raises RecordsUnusable."""

    async def write_parties(self, parties: Sequence[PartyRecord]) -> None: ...

    async def write_orders(self, records: Sequence[OrderRecord]) -> None: ...

    async def write_departures(self, departures: Sequence[DepartureRecord]) -> None: ...

    async def write_keys(self, keys: Sequence[KeyRecord]) -> None: ...

    async def write_links(self, links: Sequence[LinkRecord]) -> None: ...

    async def finish(self, counters: Counters, orders_by_status: Mapping[Status, int]) -> None:
        """Write the counters, and what the store derives from the records."""

    async def totals(self) -> Totals:
        """Return the totals of what was written, as the database counts them."""

    async def written(self, order_ids: Collection[int]) -> dict[int, OrderRecord]:
        """Return orders as they were written, read with the statements of the store."""

    async def commit(self) -> None: ...
