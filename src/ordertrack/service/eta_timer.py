"""New windows for orders that nothing is heard of, and the history that the estimator learns from.

The timer goes through all orders that have not ended, page by page, and asks the store to move the windows that do not
hold any more. It keeps nothing about orders, so a restart or the end of another node needs no care: the store decides,
and a window that another node has moved is not moved again. With several nodes each goes round more rarely.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from operator import attrgetter

import structlog

from ordertrack.core.errors import OrdertrackError
from ordertrack.core.eta.rules import Estimator, EtaRules
from ordertrack.core.event import Status
from ordertrack.core.order import Order
from ordertrack.core.order_rules import MoveEta
from ordertrack.ports.clock import Clock
from ordertrack.ports.commits import Applied, Committed
from ordertrack.ports.order_store import OrderFilter, OrderStore
from ordertrack.service.monitoring.statistics import Statistics

PAGE_ORDERS = 500
"""Orders that are looked at, and changed, at once."""
PAGE_PAUSE_S = 0.2
MAX_PAUSE_S = 30.0
"""The pause after the last page, or a tenth of the threshold if that is less."""
LEARNED_ORDERS = 10_000
"""Delivered orders that are read at the start."""
LEARN_EVERY_S = 300.0
LEARNED_EACH_TIME = 2_000
"""Delivered orders that are read then, for those that other nodes delivered."""
OVERLAP_MS = 60_000
"""Deliveries so long before the newest one of a read are given to the estimator again: commits overtake each other."""
LEARNED_AT_ONCE = 20
LEARN_PAUSE_S = 0.05
"""Between two turns: learning is slow, and no poll should wait for it."""
LEARN_IDLE_S = 1.0
MAY_MOVE_RETRY_S = 1.0
RETRY_AFTER_S = 5.0

log = structlog.get_logger("ordertrack.eta")


class EtaTimer:
    """`nodes` returns the number of nodes that use the store; None for one that nodes do not share. `may_move` tells
    whether events of moved windows may be added now."""

    def __init__(
        self,
        store: OrderStore,
        clock: Clock,
        rules: EtaRules,
        statistics: Statistics,
        nodes: Callable[[], int] | None = None,
        may_move: Callable[[], bool] = lambda: True,
    ) -> None:
        self._statistics = statistics
        self._store = store
        self._clock = clock
        self._rules = rules
        self._nodes = nodes
        self._may_move = may_move
        self._checked_id = 0
        self._to_learn: deque[Order] = deque(maxlen=2 * LEARNED_ORDERS)
        self._read: list[Order] = []
        self._read_id: int | None = None
        self._orders_to_read = LEARNED_ORDERS
        self._learned_until_ms = 0
        self._tasks: list[asyncio.Task[None]] = []

    def open(self) -> None:
        estimator = self._rules.estimator
        if estimator is not None:
            self._tasks = [
                asyncio.create_task(_repeat("windows could not be checked, trying again", self._check_page)),
                asyncio.create_task(_repeat("deliveries could not be read, trying again", self._read_page)),
                asyncio.create_task(_repeat("deliveries could not be learned", partial(self._learn, estimator))),
            ]

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def committed(self, commits: Sequence[Committed]) -> None:
        """Queue deliveries, to learn from them; a commit listener of the store."""
        for order, *_ in commits:
            if order.status is Status.DELIVERED and self._rules.estimator is not None:
                self._to_learn.append(order)

    async def _check_page(self) -> float:
        """Move the windows of a page of orders that do not hold any more. Return the seconds until the next page."""
        if not self._may_move():
            return MAY_MOVE_RETRY_S
        now_ms = self._clock.now_ms()
        page = await self._store.etas_to_check(now_ms, self._checked_id, PAGE_ORDERS)
        moves = [MoveEta(order.id) for order in page.due if self._rules.moved(order, now_ms) is not None]
        if moves:
            results = await self._store.apply(moves, now_ms)
            moved = sum(isinstance(result, Applied) and result.event is not None for result in results)
            self._statistics.eta_changes += moved
        self._checked_id = page.last_id or 0
        if page.last_id is not None:
            return PAGE_PAUSE_S
        nodes = 1 if self._nodes is None else self._nodes()
        return nodes * min(MAX_PAUSE_S, self._rules.threshold_ms / 10_000)

    async def _read_page(self) -> float | None:
        """Read a page of delivered orders, the newest first, and queue all that were read after the last one. Return
        the seconds until the next page; None when no other node delivers orders."""
        delivered = OrderFilter(PAGE_ORDERS, statuses=(Status.DELIVERED,), before_id=self._read_id)
        orders = await self._store.orders(delivered)
        self._read += orders
        if len(orders) == PAGE_ORDERS and len(self._read) < self._orders_to_read:
            self._read_id = orders[-1].id
            return PAGE_PAUSE_S
        newest_last = sorted(self._read, key=attrgetter("updated_at_ms"))
        self._to_learn.extend(order for order in newest_last if order.updated_at_ms > self._learned_until_ms)
        if newest_last:
            self._learned_until_ms = newest_last[-1].updated_at_ms - OVERLAP_MS
        self._read, self._read_id, self._orders_to_read = [], None, LEARNED_EACH_TIME
        return None if self._nodes is None else LEARN_EVERY_S

    async def _learn(self, estimator: Estimator) -> float:
        """Learn from some of the queued orders. Return the seconds until the next ones."""
        for _ in range(min(LEARNED_AT_ONCE, len(self._to_learn))):
            estimator.learn(self._to_learn.popleft())
        return LEARN_PAUSE_S if self._to_learn else LEARN_IDLE_S


async def _repeat(failure: str, work: Callable[[], Awaitable[float | None]]) -> None:
    """Call `work` again and again, after the seconds that it returns, until it returns None. Log a failure once for an
    outage."""
    is_failing = False
    pause_s: float | None = 0.0
    while pause_s is not None:
        await asyncio.sleep(pause_s)
        try:
            pause_s = await work()
            is_failing = False
        except Exception as error:  # of a fault too: the task must go on
            if not is_failing:
                is_fault = not isinstance(error, OrdertrackError)
                log.warning(failure, error=repr(error), exc_info=is_fault)
            is_failing = True
            pause_s = RETRY_AFTER_S
