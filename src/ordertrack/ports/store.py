"""The store port: the authority on orders, their feeds, links and simulations.

`tests/contract` holds every adapter to the numbered clauses. A use case takes the narrow port that it needs: OrderStore
(clauses 1 to 3, 7 and 25), FeedStore (4, 12, 13), LinkStore (14, 15), SimulationStore (8, 17). The others hold for all.

 1. A method that changes something returns after its change is durable, as durable as the adapter promises to be.
 2. A change is wholly kept or wholly refused. A batch is one commit; each change in it succeeds or fails on its own, in
    order, and is decided on the state that the changes before it left.
 3. Every event of an order has the next version; `updated_at_ms` strictly increases.
 4. A change increments the version of each feed it touches by one, in the same commit.
 5. Each commit listener is called on the event loop, once for every changed order of a commit and in commit order, even
    if the caller was cancelled; and it is called *before* any read returns what was committed.
 6. Reads return committed state. Orders are immutable: one that was read keeps its value.
 7. A repeated idempotency key gives the order as it was created; with another fingerprint, IdempotencyKeyReused.
 8. Simulation steps survive a restart; a change of status that is not a step ends the order's simulation, in the
    same commit. A step that is not the next one is refused with SimulationNotRunning.
 9. `epoch` is made with the store and stays as long as its history does.
10. Errors are those of `core.errors`: StoreBusy when the queue is full, StoreUnavailable when the medium fails; nothing
    of the request was kept then. Every method returns or raises within a bound, also when the medium does not
    answer; OutcomeUnknown then says that a change may have been made, or may still be made and announced.
11. `peek` and `peek_feed_version` are called on the event loop, do not wait and raise nothing. They return what was
    last announced, and within the listener what is just being announced; or None when it is not cached.
12. `feed_changes` gives the oldest changes first, as many as `core.feed.build_page` puts on a page: at most `limit`, at
    most about PAGE_BYTES. All are of one moment. Reading on from `version` and `after_id` of each page leaves out
    nothing: an order that changes meanwhile comes again at the end.
    The pages of a snapshot first give the orders that have not ended, by id, without those that changed since the
    snapshot began; then the changes since then. A page reads its own orders, however many the others have.
13. The announcement of a commit has the same changes of a feed as `feed_changes` after the feed's previous version.
14. A tracking link is found by the hash of its token, also once it is revoked. A revocation is permanent and keeps its
    first time. A store never receives a token.
15. An order has at most MAX_LINKS links that are not revoked, also when many are created concurrently.
16. Damage is confined to one order. A read or a change of it raises InternalError; reads of many orders leave it out;
    all other orders are read and changed as usual.
17. The simulation listener is called on the event loop with the pending steps of an order's simulation after each
    commit that changed them, in commit order and before the change returns. () says that the simulation is over.
18. `trouble` is None, or says in words that complete "This node is" why changes or reads would be refused now. It is
    found within a few seconds, also without a request.
25. `etas_to_check` gives, page by page in the order of ids, all orders that have not ended and whose last event says
    that its window has to be checked by then. It costs little for the other orders.
26. Every event has the ETA that the rules given to the store decide, on the state that the event is decided on.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from ordertrack.core.feed import FeedKey
from ordertrack.ports.commits import CommitListener
from ordertrack.ports.feed_store import FeedStore
from ordertrack.ports.link_store import LinkStore
from ordertrack.ports.order_store import OrderStore
from ordertrack.ports.simulation_store import SimulationListener, SimulationStore


class Store(OrderStore, FeedStore, LinkStore, SimulationStore, Protocol):
    @property
    def name(self) -> str:
        """The kind of store, as people read it: `sqlite`, `memory`."""

    @property
    def waiting(self) -> int:
        """Changes waiting for their commit."""

    @property
    def left_out(self) -> int:
        """Reads that left out a damaged order, counted per order."""

    @property
    def cached_orders(self) -> int:
        """Orders in memory."""

    @property
    def cached_bytes(self) -> int:
        """An estimate of the memory of these orders and of the versions of feeds, in bytes. Takes a few milliseconds at
        most, however many they are."""

    @property
    def trouble(self) -> str | None: ...

    async def open(
        self,
        *listeners: CommitListener,
        simulations: SimulationListener | None = None,
        is_watched: Callable[[FeedKey], bool] | None = None,
    ) -> None:
        """`is_watched` tells which feeds have polls: a store that caches keeps these. It is called on the event loop.

        Raises: StoreUnavailable, StoreCannotOpen.
        """

    async def close(self, limit_s: float = ...) -> None:
        """Commit every accepted change first, as far as `limit_s` seconds allow."""


class StoreCannotOpen(Exception):
    """The store cannot be used at all. The message says why and what to do, for the operator."""
