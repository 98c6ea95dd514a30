"""The store port: the truth about orders. `tests/contract/test_store.py` holds every adapter to the numbered clauses.

 1. A method that changes something returns after its change is durable, as durable as the adapter promises to be.
 2. A change is wholly kept or wholly refused. A batch is one commit; each change in it succeeds or fails for itself,
    in order, and sees the ones before it.
 3. Every event of an order has the next version; `updated_at_ms` strictly increases.
 4. A change bumps the version of each feed it touches by one, in the same commit.
 5. The commit listener is called on the event loop, once for every changed order of a commit and in commit order,
    whatever became of the caller; and it is called *before* any read returns what was committed.
 6. Reads return committed state. An order that was read keeps its value: snapshots are immutable.
 7. A repeated idempotency key gives the order as it was created; with another fingerprint, IdempotencyKeyReused.
 8. Simulation steps survive a restart; a change of status that is not a step ends the order's simulation, in the
    same commit. A step that is not the next one is refused with SimulationNotRunning.
 9. `epoch` is made with the store and stays as long as its history does.
10. Errors are those of `core.errors`: StoreBusy when too much is waiting, StoreUnavailable when the medium fails;
    then nothing of the request was kept. Every method returns or raises within a bound, also when the medium does not
    answer; OutcomeUnknown then says that a change may have been made, or may still be made and announced.
11. `peek` and `peek_feed_version` are called on the event loop, wait for nothing and raise nothing. They give what was
    last announced, and within the listener what is just being announced; or None when it is not at hand.
12. `feed_changes` gives the oldest changes first, as many as `core.feed.page` puts on a page: at most `limit`, at most
    about PAGE_BYTES. All are of one moment. The pages after a version, each asked for with the `version` of the one
    before, leave out nothing: what changes meanwhile comes again at the end.
    A page of a snapshot leaves out what had ended or left when the snapshot began.
13. What one commit tells of a feed is what `feed_changes` gives after the version the feed had before it.
14. A tracking link is found by the hash of its token, whatever became of it: one that was revoked says so. Revoked once
    is revoked for ever, and since the first time. A store never sees a token.
15. An order has at most MAX_LINKS links that are not revoked, however many are asked for at once.
16. What is damaged is one order. A read or a change of it raises InternalError; reads of many orders leave it out; all
    other orders are read and changed as ever.
17. The simulation listener is called on the event loop with the pending steps of an order's simulation whenever a
    commit changed them, in commit order and before the caller of the change hears of it. () says that it is over.
18. `trouble` is None, or says in words that go on from "This node is" why changes or reads would be refused now. It is
    found out without a request, within a few seconds.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple, Protocol

import msgspec

from ordertrack.core.errors import OrdertrackError
from ordertrack.core.event import Status
from ordertrack.core.feed import PAGE_ENTRIES, FeedChanges, FeedKey
from ordertrack.core.order import NewOrder, Order
from ordertrack.core.order_rules import Change
from ordertrack.core.simulation import Step, WorkflowOptions
from ordertrack.core.tracking_link import Link
from ordertrack.ports.commits import Applied, CommitListener, Created, Idempotency


class History(NamedTuple):
    """An order with its id and what happened to it, each with its time in milliseconds since 1970: sample data."""

    order_id: int
    new: NewOrder
    created_at_ms: int
    changes: Sequence[tuple[Change, int]] = ()


SimulationListener = Callable[[int, tuple[Step, ...]], None]
"""Called with an order's id and the steps of its simulation that are left. It must not raise."""


class OrderFilter(msgspec.Struct, frozen=True):
    """Which orders to list, newest first: ids below `before_id`, at most `limit`. Empty `statuses` means any."""

    limit: int
    customer_id: str | None = None
    restaurant_id: str | None = None
    courier_id: str | None = None
    statuses: tuple[Status, ...] = ()
    before_id: int | None = None


class Store(Protocol):
    @property
    def name(self) -> str:
        """What it is, for people: `sqlite`, `memory`."""

    @property
    def epoch(self) -> str: ...

    @property
    def waiting(self) -> int:
        """Changes waiting for their commit."""

    @property
    def left_out(self) -> int:
        """How often a damaged order was left out of what was read."""

    @property
    def trouble(self) -> str | None: ...

    async def open(self, listener: CommitListener, simulations: SimulationListener | None = None) -> None:
        """Raises StoreUnavailable, or an adapter's own error that says what to do."""

    async def close(self, limit_s: float = ...) -> None:
        """Everything accepted before is committed first, as far as that can be done within `limit_s` seconds."""

    async def load(self, histories: Sequence[History]) -> None:
        """In one commit."""

    async def create(
        self,
        new: NewOrder,
        now_ms: int,
        *,
        idempotency: Idempotency | None = None,
    ) -> Created:
        """Raises ReferenceTaken, IdempotencyKeyReused."""

    def apply(self, changes: Sequence[Change], now_ms: int) -> Awaitable[list[Applied | OrdertrackError]]:
        """One commit, one result each, in order."""

    async def order(self, order_id: int) -> Order:
        """Raises OrderNotFound."""

    async def orders(self, wanted: OrderFilter) -> list[Order]: ...

    def peek(self, order_id: int) -> Order | None: ...

    def peek_feed_version(self, feed: FeedKey) -> int | None:
        """Of a party feed."""

    async def feed_version(self, feed: FeedKey) -> int:
        """Of a party feed; 0 when nothing ever happened in it."""

    async def feed_changes(
        self, feed: FeedKey, after: int | None, *, limit: int = PAGE_ENTRIES, snapshot: int = 0
    ) -> FeedChanges:
        """Of a party feed: what changed after a version. `after` None begins a snapshot, the orders that have not
        ended; `snapshot`, which came with a page, asks for the next one of it."""

    async def orders_by_status(self) -> dict[Status, int]: ...

    async def start_simulation(self, order_id: int, options: WorkflowOptions, now_ms: int) -> tuple[Step, ...]:
        """Raises OrderNotFound, SimulationRunning, and what `workflow.plan` raises."""

    async def stop_simulation(self, order_id: int) -> tuple[Step, ...]:
        """The steps that will not happen. Raises OrderNotFound, SimulationNotRunning."""

    async def simulations(self) -> dict[int, tuple[Step, ...]]:
        """All pending steps by order."""

    async def create_link(self, order_id: int, token_hash: bytes, created_by: str, now_ms: int) -> Link:
        """`token_hash` is the SHA-256 of a token that was drawn at random. Raises OrderNotFound, TooManyLinks;
        StoreUnavailable for a hash that is another link's, since the next try draws another token."""

    async def links(self, order_id: int) -> list[Link]:
        """All that the order ever had, oldest first. Raises OrderNotFound."""

    async def revoke_link(self, order_id: int, link_id: int, now_ms: int) -> Link:
        """Raises LinkNotFound, for another order's link as well."""

    async def find_link(self, token_hash: bytes) -> Link | None: ...


class StoreCannotOpen(Exception):
    """The store cannot be used at all. Its message says why and what to do, for the person who started the server."""
