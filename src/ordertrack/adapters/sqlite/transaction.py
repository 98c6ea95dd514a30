"""The changes of one commit: decided one after another in memory, and written together at its end.

Runs on the writer thread. It caches orders and their parties' feeds as the latest commit left them, so an update of a
recent order reads nothing. This is sound because only this thread writes the file.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from operator import itemgetter
from typing import NamedTuple

import msgspec

from ordertrack.adapters.shared.commit_cache import LruCache
from ordertrack.adapters.sqlite.database import SQL
from ordertrack.adapters.sqlite.feeds import Party, read_party
from ordertrack.adapters.sqlite.links import insert_link, revoke_link
from ordertrack.adapters.sqlite.rows import Row, event_row, order_row, read_order, read_steps, step_row
from ordertrack.core.apply_change import advance_simulated
from ordertrack.core.cursor import MAX_INT64
from ordertrack.core.errors import (
    IdempotencyKeyReused,
    OrderNotFound,
    OrdertrackError,
    ReferenceTaken,
    SimulationNotRunning,
    SimulationRunning,
)
from ordertrack.core.eta.rules import EtaRules
from ordertrack.core.event import Event, Status
from ordertrack.core.feed import FeedKey, FeedKind, party_feeds
from ordertrack.core.order import NewOrder, Order, as_created, create, evolve
from ordertrack.core.order_rules import Change
from ordertrack.core.simulation import Step, WorkflowOptions, plan_steps
from ordertrack.core.tracking_link import Link
from ordertrack.ports.commits import IDEMPOTENCY_KEPT_MS, Applied, Committed, Created, Idempotency
from ordertrack.ports.order_store import History

CACHED_ORDERS = 40_000
"""An order with five events takes about 3 kB, so all of them about 115 MB. The store's cache has the same objects;
each cache adds about 0.1 kB per order."""
CACHED_FEEDS = 50_000
NONEXISTENT_ID = 0
"""Ids begin at 1."""


@dataclass(slots=True)
class _Feed:
    """A party's feed at the version that the latest change made."""

    key: FeedKey
    number: int
    version: int


class Changed(NamedTuple):
    """Changed orders, each with its status before (None: it is new), and the pending steps of simulations."""

    orders: Sequence[tuple[Status | None, Committed]] = ()
    steps: Mapping[int, tuple[Step, ...]] = {}


class _Commit(msgspec.Struct, eq=False):
    """Changes to write and to announce."""

    orders: dict[int, Committed] = {}
    statuses_before: dict[int, Status | None] = {}
    created: list[Row] = []
    references: set[tuple[str, str]] = set()
    idempotency: dict[str, Row] = {}
    events: list[Row] = []
    entries: list[Row] = []
    departures: list[Row] = []
    couriers: dict[int, Row] = {}
    endings: dict[int, Row] = {}
    steps: dict[int, tuple[Step, ...]] = {}


class Transaction:
    """Any method raises sqlite3.Error when the medium fails; the writer then rolls back and calls `forget`."""

    def __init__(self, connection: sqlite3.Connection, eta_rules: EtaRules) -> None:
        self._connection = connection
        self._eta_rules = eta_rules
        self._orders: LruCache[int, Order] = LruCache(CACHED_ORDERS)
        self._feeds: dict[FeedKey, _Feed] = {}
        self._feeds_of: dict[int, tuple[_Feed, ...]] = {}
        self._commit = _Commit()
        self.requested_at_s = 0.0
        """The monotonic time at which the request that runs now was made, in seconds."""

    # Requests

    def create(
        self, new: NewOrder, now_ms: int, idempotency: Idempotency | None = None, order_id: int | None = None
    ) -> Created:
        if idempotency is not None:
            known = self._find_created(idempotency, now_ms)
            if known is not None:
                return Created(as_created(known), replayed=True)
        if new.reference is not None:
            self._claim_reference(new.restaurant_id, new.reference)
        promised = self._eta_rules.promise(new.restaurant_id, now_ms)
        order = create(order_id or self._last_id + 1, new, now_ms, promised)
        self._last_id = max(order.id, self._last_id)
        self._commit.created.append(order_row(order))
        self._stage(None, order, order.timeline[0])
        if idempotency is not None:
            self._commit.idempotency[idempotency.key] = (idempotency.key, idempotency.fingerprint, order.id, now_ms)
        return Created(order, replayed=False)

    def _find_created(self, idempotency: Idempotency, now_ms: int) -> Order | None:
        """Raises: IdempotencyKeyReused."""
        row = self._commit.idempotency.get(idempotency.key)
        if row is None:
            parameters = {"key": idempotency.key, "since_ms": now_ms - IDEMPOTENCY_KEPT_MS}
            row = self._connection.execute(SQL["idempotency"], parameters).fetchone()
            if row is None:
                return None
        _, fingerprint, order_id, _ = row
        if fingerprint != idempotency.fingerprint:
            raise IdempotencyKeyReused
        return self._order(order_id)

    def _claim_reference(self, restaurant_id: str, reference: str) -> None:
        """Raises: ReferenceTaken."""
        claim = (restaurant_id, reference)
        if claim in self._commit.references or self._connection.execute(SQL["reference"], claim).fetchone():
            raise ReferenceTaken(reference, restaurant_id)
        self._commit.references.add(claim)

    def load(self, histories: Sequence[History]) -> bool:
        for history in histories:
            with suppress(OrderNotFound):
                self._order(history.order_id)
                return False
        for order_id, new, created_at_ms, changes in histories:
            self.create(new, created_at_ms, order_id=order_id)
            for change, at_ms in changes:
                self._apply_one(change, at_ms)
        return True

    def apply(self, changes: Sequence[Change], now_ms: int) -> list[Applied | OrdertrackError]:
        results: list[Applied | OrdertrackError] = []
        for change in changes:
            try:
                results.append(self._apply_one(change, now_ms))
            except OrdertrackError as error:
                results.append(error)
        return results

    def _apply_one(self, change: Change, now_ms: int) -> Applied:
        before = self._order(change.order_id)
        pending = self._steps.get(before.id, ())
        try:
            event, steps = advance_simulated(before, pending, change, now_ms, self._eta_rules)
        except OrderNotFound:  # another party's order: it must take as long as one that does not exist
            read_order(self._connection, NONEXISTENT_ID)
            raise
        if steps != pending:
            self._drop_steps(before.id, pending, steps)
        if event is None:
            return Applied(before, None)
        order = evolve(before, event)
        self._stage(before, order, event)
        return Applied(order, event)

    def start_simulation(self, order_id: int, options: WorkflowOptions, now_ms: int) -> tuple[Step, ...]:
        order = self._order(order_id)
        if order_id in self._steps:
            raise SimulationRunning(order)
        steps = plan_steps(order, options, now_ms)
        self._insert_created()
        self._connection.execute(SQL["delete_steps"], (order_id, MAX_INT64))  # damaged ones, which nothing else knows
        self._connection.executemany(SQL["insert_step"], map(step_row, steps))
        self._set_steps(order_id, steps)
        return steps

    def stop_simulation(self, order_id: int) -> tuple[Step, ...]:
        self._order(order_id)
        pending = self._steps.get(order_id)
        if pending is None:
            raise SimulationNotRunning(order_id)
        self._drop_steps(order_id, pending, ())
        return pending

    def create_link(self, order_id: int, token_hash: bytes, created_by: str, now_ms: int) -> Link:
        order = self._order(order_id)
        self._insert_created()
        return insert_link(self._connection, order, token_hash, created_by, now_ms)

    def revoke_link(self, order_id: int, link_id: int, now_ms: int) -> Link:
        return revoke_link(self._connection, order_id, link_id, now_ms)

    # The commit

    def flush(self) -> Changed:
        """Write what was decided, return it, and start over. When the commit fails, `forget` has to be called."""
        if self._commit.created:
            self._insert_created()
        commit, self._commit = self._commit, _Commit()
        if commit.idempotency:
            *_, newest_ms = max(commit.idempotency.values(), key=itemgetter(3))
            self._connection.execute(SQL["purge_idempotency"], {"since_ms": newest_ms - IDEMPOTENCY_KEPT_MS})
        for statement, rows in (
            ("insert_event", commit.events),
            ("insert_feed_entry", commit.entries),
            ("upsert_departure", commit.departures),
            ("set_courier", commit.couriers.values()),
            ("set_final_status", commit.endings.values()),
            ("insert_idempotency", commit.idempotency.values()),
        ):
            if rows:
                self._connection.executemany(SQL[statement], rows)
        if len(self._feeds) > CACHED_FEEDS:
            self._forget_feeds()
        elif len(self._feeds_of) > CACHED_ORDERS:
            self._feeds_of.clear()
        return Changed(list(zip(commit.statuses_before.values(), commit.orders.values(), strict=True)), commit.steps)

    def forget(self) -> None:
        """Start over when a commit has failed: nothing that was cached may be used again. Cannot fail."""
        self._commit = _Commit()
        self._orders.clear()
        self._forget_feeds()
        vars(self).pop("_steps", None)
        vars(self).pop("_last_id", None)

    def _forget_feeds(self) -> None:
        """Forget both, so that no order keeps a feed that was read again."""
        self._feeds.clear()
        self._feeds_of.clear()

    # Helpers

    def _insert_created(self) -> None:
        """Insert the created orders, before rows that refer to them."""
        self._connection.executemany(SQL["insert_order"], self._commit.created)
        self._commit.created.clear()

    @cached_property
    def _last_id(self) -> int:
        """The highest id of an order ever; the next one follows it."""
        return self._connection.execute(SQL["last_id"]).fetchone()[0] or 0

    @cached_property
    def _steps(self) -> dict[int, tuple[Step, ...]]:
        """The pending steps of all simulations, by order."""
        return read_steps(self._connection, [])

    def _order(self, order_id: int) -> Order:
        order = self._orders.get(order_id)
        if order is None:
            staged = self._commit.orders.get(order_id)
            order = read_order(self._connection, order_id) if staged is None else staged.order
            if order is None:
                raise OrderNotFound(order_id)
            self._orders.put(order_id, order)
        else:
            self._orders.move_to_end(order_id)
        return order

    def _stage(self, before: Order | None, order: Order, event: Event) -> None:
        id_ = order.id
        if before is None or before.courier_id == order.courier_id:
            feeds = self._feeds_of.get(id_)
            if feeds is None:
                feeds = self._find_feeds(order)
            bumped = feeds
        else:
            self._commit.couriers[id_] = (order.courier_id, id_)
            bumped = feeds = self._find_feeds(order)
            if before.courier_id is not None:
                lost = self._feed(FeedKey(FeedKind.COURIER, before.courier_id))
                self._commit.departures.append((before.courier_id, id_, lost.version + 1))
                bumped = (*feeds, lost)
        versions: dict[FeedKey, int] = {}
        for feed in bumped:
            feed.version = versions[feed.key] = feed.version + 1
            self._commit.entries.append((feed.number, feed.version, id_))
        status_before = None if before is None else before.status
        earlier = self._commit.orders.get(id_)
        if earlier is None:
            self._commit.statuses_before[id_] = status_before
            self._commit.orders[id_] = Committed(order, versions, before.version if before else 0, self.requested_at_s)
        else:
            self._commit.orders[id_] = earlier._replace(order=order, feeds={**earlier.feeds, **versions})
        self._commit.events.append(event_row(id_, event, [feed.version for feed in feeds]))
        if order.status is not status_before and (order.status.ended or (status_before and status_before.ended)):
            self._commit.endings[id_] = (order.status.value if order.status.ended else None, id_)
        self._orders.put(id_, order)

    def _find_feeds(self, order: Order) -> tuple[_Feed, ...]:
        feeds = self._feeds_of[order.id] = tuple(map(self._feed, party_feeds(order)))
        return feeds

    def _feed(self, key: FeedKey) -> _Feed:
        feed = self._feeds.get(key)
        if feed is None:
            party = read_party(self._connection, key)
            if party is None:
                inserted = self._connection.execute(SQL["insert_party"], {"kind": key.kind.value, "id": key.id})
                party = Party(inserted.lastrowid or 0, 0)
            feed = self._feeds[key] = _Feed(key, party.number, party.version)
        return feed

    def _drop_steps(self, order_id: int, pending: tuple[Step, ...], left: tuple[Step, ...]) -> None:
        last_gone = left[0].seq - 1 if left else pending[-1].seq
        self._connection.execute(SQL["delete_steps"], (order_id, last_gone))
        self._set_steps(order_id, left)

    def _set_steps(self, order_id: int, steps: tuple[Step, ...]) -> None:
        self._commit.steps[order_id] = steps
        if steps:
            self._steps[order_id] = steps
        else:
            del self._steps[order_id]
