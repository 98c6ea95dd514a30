"""What one commit does: changes are decided one after another in memory and written together at its end.

Lives on the writer thread. It knows each order as the latest commit left it (`_orders`), so that an update of an order
that is being worked on reads nothing. That is sound because one process, and in it one thread, writes this file.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from ordertrack.adapters.sqlite.database import SQL
from ordertrack.adapters.sqlite.recent import Recent
from ordertrack.adapters.sqlite.rows import event_row, order_parameters, read_order, step_of, step_row
from ordertrack.core.errors import (
    IdempotencyKeyReused,
    OrderNotFound,
    OrdertrackError,
    ReferenceTaken,
    SimulationNotRunning,
    SimulationRunning,
)
from ordertrack.core.event import Event, Status
from ordertrack.core.feed import FeedKey, FeedKind, touched_feeds
from ordertrack.core.order import Change, NewOrder, Order, as_created, create, evolve
from ordertrack.core.workflow import Step, WorkflowOptions, advance_simulated, plan
from ordertrack.ports.store import IDEMPOTENCY_KEPT_MS, Applied, Committed, Created, Idempotency

CACHED_ORDERS = 10_000
CACHED_FEEDS = 50_000


@dataclass(slots=True)
class _Changed:
    """An order this commit changes. `before` is what the latest commit left of it; None for a new one."""

    before: Order | None
    order: Order
    feeds: dict[FeedKey, int]


class Transaction:
    """Raises sqlite3.Error from any method when the medium fails; the writer then rolls back and calls `forget`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._orders: Recent[int, Order] = Recent(CACHED_ORDERS)
        self._feed_versions: dict[FeedKey, int] = {}
        self._known_steps: dict[int, tuple[Step, ...]] | None = None
        self._changed: dict[int, _Changed] = {}
        self._events: list[tuple[int, Event]] = []
        self._bumped: dict[FeedKey, int] = {}

    # What a request can ask for

    def create(self, new: NewOrder, now_ms: int, idempotency: Idempotency | None, order_id: int | None) -> Created:
        if idempotency is not None:
            since_ms = now_ms - IDEMPOTENCY_KEPT_MS
            self._connection.execute(SQL["purge_idempotency"], {"since_ms": since_ms})
            known = self._connection.execute(
                SQL["idempotency"], {"key": idempotency.key, "since_ms": since_ms}
            ).fetchone()
            if known is not None:
                if known[0] != idempotency.fingerprint:
                    raise IdempotencyKeyReused
                return Created(as_created(self._order(known[1])), replayed=True)
        order = create(order_id or 0, new, now_ms)
        try:
            new_id = self._connection.execute(SQL["insert_order"], order_parameters(order)).lastrowid
        except sqlite3.IntegrityError:
            if new.reference is None:
                raise
            raise ReferenceTaken(new.reference, new.restaurant_id) from None
        order = create(new_id or 0, new, now_ms)
        self._keep(None, order, order.timeline[0])
        if idempotency is not None:
            self._connection.execute(
                SQL["insert_idempotency"],
                {
                    "key": idempotency.key,
                    "fingerprint": idempotency.fingerprint,
                    "order_id": order.id,
                    "at_ms": now_ms,
                },
            )
        return Created(order, replayed=False)

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
        event, steps = advance_simulated(before, pending, change, now_ms)
        if steps != pending:
            self._drop_steps(before.id, pending, steps)
        if event is None:
            return Applied(before, None)
        order = evolve(before, event)
        self._keep(before, order, event)
        return Applied(order, event)

    def start_simulation(self, order_id: int, options: WorkflowOptions, now_ms: int) -> tuple[Step, ...]:
        order = self._order(order_id)
        if order_id in self._steps:
            raise SimulationRunning(order)
        steps = plan(order, options, now_ms)
        self._connection.executemany(SQL["insert_step"], map(step_row, steps))
        self._steps[order_id] = steps
        return steps

    def stop_simulation(self, order_id: int) -> tuple[Step, ...]:
        self._order(order_id)
        pending = self._steps.get(order_id)
        if pending is None:
            raise SimulationNotRunning(order_id)
        self._drop_steps(order_id, pending, ())
        return pending

    # The commit

    def flush(self) -> list[tuple[Status | None, Committed]]:
        """Write what was decided. Returns each changed order with the status it had before (None: it is new)."""
        connection = self._connection
        connection.executemany(SQL["update_order"], map(self._update_parameters, self._changed.values()))
        connection.executemany(SQL["insert_event"], (event_row(id_, event) for id_, event in self._events))
        connection.executemany(SQL["upsert_feed"], ((f.kind.value, f.id, v) for f, v in self._bumped.items()))
        return [
            (before.status, Committed(changed.order, changed.feeds, before.version))
            if (before := changed.before)
            else (None, Committed(changed.order, changed.feeds, 0))
            for changed in self._changed.values()
        ]

    def begin_next(self) -> None:
        """Start over after a commit."""
        self._changed.clear()
        self._events.clear()
        self._bumped.clear()
        if len(self._feed_versions) > CACHED_FEEDS:
            self._feed_versions.clear()

    def forget(self) -> None:
        """Start over when a commit has failed: nothing this transaction believed may be used again. Cannot fail."""
        self.begin_next()
        self._orders.clear()
        self._feed_versions.clear()
        self._known_steps = None

    # Helpers

    @property
    def _steps(self) -> dict[int, tuple[Step, ...]]:
        """The pending steps of all simulations, by order."""
        if self._known_steps is None:
            steps: dict[int, tuple[Step, ...]] = {}
            for step in map(step_of, self._connection.execute(SQL["steps"])):
                steps[step.order_id] = (*steps.get(step.order_id, ()), step)
            self._known_steps = steps
        return self._known_steps

    def _order(self, order_id: int) -> Order:
        order = self._orders.get(order_id)
        if order is None:
            order = (
                self._changed[order_id].order if order_id in self._changed else read_order(self._connection, order_id)
            )
            if order is None:
                raise OrderNotFound(order_id)
            self._orders.put(order_id, order)
        return order

    def _keep(self, before: Order | None, order: Order, event: Event) -> None:
        self._orders.put(order.id, order)
        self._events.append((order.id, event))
        changed = self._changed.get(order.id)
        if changed is None:
            changed = self._changed[order.id] = _Changed(before, order, {})
        changed.order = order
        for feed in touched_feeds(before, order):
            changed.feeds[feed] = self._bump(feed)
            if feed.kind is FeedKind.COURIER and feed.id != order.courier_id:
                self._connection.execute(SQL["upsert_departure"], (feed.id, order.id, changed.feeds[feed]))

    def _bump(self, feed: FeedKey) -> int:
        version = self._feed_versions.get(feed)
        if version is None:
            row = self._connection.execute(SQL["feed_version"], {"kind": feed.kind.value, "id": feed.id}).fetchone()
            version = row[0] if row else 0
        version += 1
        self._feed_versions[feed] = self._bumped[feed] = version
        return version

    def _update_parameters(self, changed: _Changed) -> dict[str, object]:
        order = changed.order
        courier = changed.feeds.get(FeedKey(FeedKind.COURIER, order.courier_id)) if order.courier_id else None
        return {
            "id": order.id,
            "courier_id": order.courier_id,
            "status": order.status.value,
            "version": order.version,
            "updated_at_ms": order.updated_at_ms,
            "customer_feed_version": changed.feeds[FeedKey(FeedKind.CUSTOMER, order.customer_id)],
            "restaurant_feed_version": changed.feeds[FeedKey(FeedKind.RESTAURANT, order.restaurant_id)],
            "courier_feed_version": courier or 0,
        }

    def _drop_steps(self, order_id: int, pending: tuple[Step, ...], left: tuple[Step, ...]) -> None:
        last_gone = left[0].seq - 1 if left else pending[-1].seq
        self._connection.execute(SQL["delete_steps"], (order_id, last_gone))
        if left:
            self._steps[order_id] = left
        else:
            del self._steps[order_id]
