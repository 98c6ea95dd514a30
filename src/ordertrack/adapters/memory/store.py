"""A store in memory: for trials, and as the reference implementation in the contract suite."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from itertools import chain, islice
from operator import itemgetter
from typing import Any, TypeVar

import structlog
from msgspec.structs import replace

from ordertrack.adapters.shared.memory_estimate import estimate_bytes
from ordertrack.core.apply_change import advance_simulated
from ordertrack.core.errors import (
    IdempotencyKeyReused,
    LinkNotFound,
    OrderNotFound,
    OrdertrackError,
    ReferenceTaken,
    SimulationNotRunning,
    SimulationRunning,
    StoreUnavailable,
    TooManyLinks,
)
from ordertrack.core.eta.rules import NO_ETA, EtaRules
from ordertrack.core.event import Status
from ordertrack.core.feed import PAGE_ENTRIES, FeedChanges, FeedKey, build_page, party_feeds, touched_feeds
from ordertrack.core.order import NewOrder, Order, as_created, create, evolve
from ordertrack.core.order_rules import Change, advance
from ordertrack.core.simulation import Step, WorkflowOptions, plan_steps
from ordertrack.core.tracking_link import MAX_LINKS, Link
from ordertrack.ports.clock import Clock
from ordertrack.ports.commits import IDEMPOTENCY_KEPT_MS, Applied, CommitListener, Committed, Created, Idempotency
from ordertrack.ports.order_store import EtaPage, History, OrderFilter
from ordertrack.ports.simulation_store import SimulationListener

log = structlog.get_logger("ordertrack.memory")


R = TypeVar("R")


class MemoryStore:
    name = "memory"
    waiting = 0
    left_out = 0
    trouble = None

    def __init__(self, epoch: str, clock: Clock, eta_rules: EtaRules = NO_ETA) -> None:
        self.epoch = epoch
        self._clock = clock
        self._eta_rules = eta_rules
        self._orders: dict[int, Order] = {}
        self._last_id = 0
        self._references: dict[tuple[str, str], int] = {}
        self._idempotency: dict[str, tuple[str, int, int]] = {}
        self._feed_versions: Counter[FeedKey] = Counter()
        self._feed_orders: defaultdict[FeedKey, dict[int, int]] = defaultdict(dict)
        self._steps: dict[int, tuple[Step, ...]] = {}
        self._links: dict[bytes, Link] = {}
        self._link_hashes: defaultdict[int, list[bytes]] = defaultdict(list)
        self._listeners: Sequence[CommitListener] = ()
        self._simulations: SimulationListener = lambda order_id, steps: None

    @property
    def cached_orders(self) -> int:
        return len(self._orders)

    @property
    def cached_bytes(self) -> int:
        return estimate_bytes(self._orders)

    async def open(
        self,
        *listeners: CommitListener,
        simulations: SimulationListener | None = None,
        is_watched: Callable[[FeedKey], bool] | None = None,
    ) -> None:
        self._listeners = listeners
        if simulations is not None:
            self._simulations = simulations

    async def close(self, limit_s: float = 0.0) -> None: ...

    def _announce(self, commits: Sequence[Committed]) -> None:
        for listener in self._listeners:
            self._call(listener, commits)

    @staticmethod
    def _call(listener: Callable[..., None], *arguments: Any) -> None:
        """One listener that fails must not keep the news from the others."""
        try:
            listener(*arguments)
        except Exception:
            log.exception("a listener failed")

    def create(self, new: NewOrder, now_ms: int, *, idempotency: Idempotency | None = None) -> asyncio.Future[Created]:
        return _completed(lambda: self._create(new, now_ms, idempotency))

    def _create(self, new: NewOrder, now_ms: int, idempotency: Idempotency | None) -> Created:
        earlier = self._find_created(idempotency, now_ms)
        if earlier is not None:
            return Created(as_created(earlier), replayed=True)
        if new.reference is not None:
            if (new.restaurant_id, new.reference) in self._references:
                raise ReferenceTaken(new.reference, new.restaurant_id)
            self._references[new.restaurant_id, new.reference] = 0
        order = create(self._last_id + 1, new, now_ms, self._eta_rules.promise(new.restaurant_id, now_ms))
        if idempotency is not None:
            self._idempotency[idempotency.key] = (idempotency.fingerprint, order.id, now_ms)
        self._announce([self._store(None, order)])
        return Created(order, replayed=False)

    async def load(self, histories: Sequence[History]) -> bool:
        if any(history.order_id in self._orders for history in histories):
            return False
        committed: list[Committed] = []
        for order_id, new, created_at_ms, changes in histories:
            promised = self._eta_rules.promise(new.restaurant_id, created_at_ms)
            order = create(order_id, new, created_at_ms, promised)
            feeds = {**self._store(None, order).feeds}
            for change, at_ms in changes:
                event = advance(order, change, at_ms, self._eta_rules)
                if event is not None:
                    before, order = order, evolve(order, event)
                    feeds |= self._store(before, order).feeds
            committed.append(Committed(order, feeds, 0, self._clock.monotonic_s()))
        self._announce(committed)
        return True

    def _find_created(self, idempotency: Idempotency | None, now_ms: int) -> Order | None:
        if idempotency is None or idempotency.key not in self._idempotency:
            return None
        fingerprint, order_id, at_ms = self._idempotency[idempotency.key]
        if now_ms - at_ms > IDEMPOTENCY_KEPT_MS:
            return None
        if fingerprint != idempotency.fingerprint:
            raise IdempotencyKeyReused
        return self._orders[order_id]

    def apply(self, changes: Sequence[Change], now_ms: int) -> asyncio.Future[list[Applied | OrdertrackError]]:
        return _completed(lambda: self._apply(changes, now_ms))

    def _apply(self, changes: Sequence[Change], now_ms: int) -> list[Applied | OrdertrackError]:
        results: list[Applied | OrdertrackError] = []
        committed: dict[int, Committed] = {}
        for change in changes:
            try:
                before = self._find(change.order_id)
                pending = self._steps.get(before.id, ())
                event, steps = advance_simulated(before, pending, change, now_ms, self._eta_rules)
            except OrdertrackError as error:
                results.append(error)
                continue
            if steps != pending:
                self._set_steps(before.id, steps)
            order = before if event is None else evolve(before, event)
            if event is not None:
                earlier = committed.pop(order.id, None)
                stored = self._store(before, order)
                if earlier:
                    stored = stored._replace(
                        feeds={**earlier.feeds, **stored.feeds}, previous_version=earlier.previous_version
                    )
                committed[order.id] = stored
            results.append(Applied(order, event))
        if committed:
            self._announce(list(committed.values()))
        return results

    def _store(self, before: Order | None, order: Order) -> Committed:
        self._orders[order.id] = order
        self._last_id = max(self._last_id, order.id)
        feeds: dict[FeedKey, int] = {}
        for feed in touched_feeds(before, order):
            self._feed_versions[feed] += 1
            feeds[feed] = self._feed_orders[feed][order.id] = self._feed_versions[feed]
        return Committed(order, feeds, before.version if before else 0, self._clock.monotonic_s())

    def _set_steps(self, order_id: int, steps: tuple[Step, ...]) -> None:
        if steps:
            self._steps[order_id] = steps
        else:
            self._steps.pop(order_id, None)
        self._call(self._simulations, order_id, steps)

    async def order(self, order_id: int) -> Order:
        return self._find(order_id)

    def _find(self, order_id: int) -> Order:
        try:
            return self._orders[order_id]
        except KeyError:
            raise OrderNotFound(order_id) from None

    async def orders(self, order_filter: OrderFilter) -> list[Order]:
        found: list[Order] = []
        for order_id in sorted(self._orders, reverse=True):
            order = self._orders[order_id]
            if (
                (order_filter.before_id is None or order_id < order_filter.before_id)
                and order_filter.customer_id in (None, order.customer_id)
                and order_filter.restaurant_id in (None, order.restaurant_id)
                and order_filter.courier_id in (None, order.courier_id)
                and (not order_filter.statuses or order.status in order_filter.statuses)
            ):
                found.append(order)
            if len(found) == order_filter.limit:
                break
        return found

    def peek(self, order_id: int) -> Order | None:
        return self._orders.get(order_id)

    def peek_feed_version(self, feed: FeedKey) -> int | None:
        return self._feed_versions[feed]

    async def feed_version(self, feed: FeedKey) -> int:
        return self._feed_versions[feed]

    async def feed_changes(
        self, feed: FeedKey, after: int | None, *, limit: int = PAGE_ENTRIES, after_id: int = 0
    ) -> FeedChanges:
        current = self._feed_versions[feed]
        is_snapshot = after is None or after_id > 0
        since = current if after is None else after
        active: list[Order] = []
        changed: list[tuple[int, Order | int]] = []
        for order_id, version in self._feed_orders.get(feed, {}).items():
            if version <= since and not (is_snapshot and order_id > after_id):
                continue
            order = self._orders[order_id]
            is_member = feed in party_feeds(order)
            if version > since:
                changed.append((version, order if is_member else order_id))
            elif is_member and not order.status.ended:
                active.append(order)
        active.sort(key=lambda order: order.id)
        changed.sort(key=itemgetter(0))
        entries = chain(((since, order) for order in active), changed)
        return build_page(current, entries, limit=limit, snapshot=since if is_snapshot else 0)

    async def etas_to_check(self, now_ms: int, after_id: int, limit: int) -> EtaPage:
        following = (order for id_, order in sorted(self._orders.items()) if id_ > after_id and not order.status.ended)
        active = list(islice(following, limit))
        due = [order for order in active if order.eta is not None and order.eta.check_at_ms <= now_ms]
        return EtaPage(due, active[-1].id if len(active) == limit else None)

    async def orders_by_status(self) -> dict[Status, int]:
        counts = Counter(order.status for order in self._orders.values())
        return {status: counts[status] for status in Status}

    async def start_simulation(self, order_id: int, options: WorkflowOptions, now_ms: int) -> tuple[Step, ...]:
        order = await self.order(order_id)
        if order_id in self._steps:
            raise SimulationRunning(order)
        steps = plan_steps(order, options, now_ms)
        self._set_steps(order_id, steps)
        return steps

    async def stop_simulation(self, order_id: int) -> tuple[Step, ...]:
        await self.order(order_id)
        if order_id not in self._steps:
            raise SimulationNotRunning(order_id)
        steps = self._steps[order_id]
        self._set_steps(order_id, ())
        return steps

    async def simulations(self) -> dict[int, tuple[Step, ...]]:
        return dict(self._steps)

    async def create_link(self, order_id: int, token_hash: bytes, created_by: str, now_ms: int) -> Link:
        order = await self.order(order_id)
        if sum(link.revoked_at_ms is None for link in await self.links(order_id)) >= MAX_LINKS:
            raise TooManyLinks(order, MAX_LINKS)
        if token_hash in self._links:
            raise StoreUnavailable(retry_after_s=1)
        link = self._links[token_hash] = Link(len(self._links) + 1, order_id, now_ms, created_by)
        self._link_hashes[order_id].append(token_hash)
        return link

    async def links(self, order_id: int) -> list[Link]:
        await self.order(order_id)
        return [self._links[token_hash] for token_hash in self._link_hashes.get(order_id, ())]

    async def revoke_link(self, order_id: int, link_id: int, now_ms: int) -> Link:
        for token_hash in self._link_hashes.get(order_id, ()):
            link = self._links[token_hash]
            if link.id == link_id:
                if link.revoked_at_ms is None:
                    link = self._links[token_hash] = replace(link, revoked_at_ms=now_ms)
                return link
        raise LinkNotFound(order_id, str(link_id))

    async def find_link(self, token_hash: bytes) -> Link | None:
        return self._links.get(token_hash)


def _completed(call: Callable[[], R]) -> asyncio.Future[R]:
    """Return a future that has the result of the call, or its error."""
    future: asyncio.Future[R] = asyncio.get_running_loop().create_future()
    try:
        future.set_result(call())
    except OrdertrackError as error:
        future.set_exception(error)
    return future
