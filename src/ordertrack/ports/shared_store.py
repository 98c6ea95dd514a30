"""The store of a cluster: one that several processes use at once. The clauses go on from `ports/store.py`.

Changes of other processes are announced by no listener: the nodes tell each other through `ports/signal.py`, and read.

19. Each read begins after it was requested: `order`, `feed_version` and `feed_changes` return a state at least as new
    as the moment of the call. `peek` and `peek_feed_version` return None.
20. Changes that concern one order are decided on the state that all earlier commits left, those of other processes
    included. `apply` never answers from an older state.
21. An announcement has only changes of this process. Of a feed that other processes change too, its versions are those
    of its commit: consecutive, but they may follow on versions of others.
22. When the outcome of a commit is unknown, because the connection broke, `doubtful` is called afterwards: what is
    remembered has to be read again.
23. `epoch` is the same for all processes. The ids of orders are unique and roughly in the order of creation.
24. A simulation step is taken by one process exactly once. `overdue` gives the steps that are due by the clock of the
    database and that their process has not taken.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Protocol

from ordertrack.core.feed import FeedKey
from ordertrack.core.order import Order
from ordertrack.core.simulation import Step
from ordertrack.ports.store import Store

MAX_FEEDS_AT_ONCE = 2_000


class SharedStore(Store, Protocol):
    doubtful: Callable[[], None]
    """Called on the event loop. Set before `open`; it must not raise."""

    async def versions(self, feeds: Collection[FeedKey]) -> dict[FeedKey, int]:
        """Return the version of each feed, an order's too; 0 for one that has none. At most MAX_FEEDS_AT_ONCE.

        Raises: StoreBusy, StoreUnavailable.
        """

    async def orders_by_id(self, order_ids: Collection[int]) -> dict[int, Order]:
        """Return the orders that exist and are not damaged. At most MAX_FEEDS_AT_ONCE.

        Raises: StoreBusy, StoreUnavailable.
        """

    async def overdue(self, late_ms: int, limit: int) -> dict[int, tuple[Step, ...]]:
        """Return the pending steps of orders whose next step is due for `late_ms` milliseconds or more, the oldest
        first, by order.

        Raises: StoreBusy, StoreUnavailable.
        """
