"""The changes of one commit: decided one after another in memory, on what is known, and written by one statement.

A job that needs something that is not known notes it as missing and ends. After all jobs have run, what is missing is
read at once, and all jobs run again, in a new batch.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

import msgspec

from ordertrack.adapters.postgres.column_texts import as_columns, json_lines, number_array, text_list, word_array
from ordertrack.adapters.postgres.decoding import KnownOrder
from ordertrack.adapters.postgres.facts import Facts, KeyUse, Missing, Reference
from ordertrack.adapters.postgres.sessions import Session
from ordertrack.adapters.postgres.statements import SQL
from ordertrack.adapters.shared.commit_cache import LruCache
from ordertrack.core.apply_change import advance_simulated
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
from ordertrack.core.feed import FeedKey, order_feed, party_feeds, touched_feeds
from ordertrack.core.order import NewOrder, Order, as_created, create, evolve
from ordertrack.core.order_rules import Change
from ordertrack.core.simulation import Step, WorkflowOptions, plan_steps
from ordertrack.ports.commits import IDEMPOTENCY_KEPT_MS, Applied, Committed, Created, Idempotency
from ordertrack.ports.order_store import History

_WRITE_KNOWN = SQL["write"].format(bumped=SQL["bump_known"], more="")
_WRITE_ANY = SQL["write"].format(bumped=SQL["bump_any"], more="")
_WRITE_MORE = SQL["write"].format(bumped=SQL["bump_any"], more=SQL["write_more"])
_encode = msgspec.json.Encoder().encode


class NotLoaded(Exception):
    """A job needs what is not known. The batch has noted it as missing."""


@dataclass(slots=True, eq=False)
class _Party:
    """A party whose feed changes. `place` is the one among the parties of the commit, from 1."""

    feed: FeedKey
    changes: int = 0
    place: int = 0
    version_before: int = 0


_NO_COURIER = (_Party(order_feed(0)), 0)


class Batch:
    """One run of jobs. `remembered` has orders of earlier commits; `facts`, read for these jobs, are preferred.
    `numbers` has the numbers of parties. `written` has the orders as the commit in flight leaves them, for a batch that
    is decided meanwhile."""

    def __init__(
        self,
        remembered: LruCache[int, KnownOrder],
        numbers: LruCache[FeedKey, int],
        facts: Facts,
        eta_rules: EtaRules,
        written: Mapping[int, KnownOrder] | None = None,
    ) -> None:
        self.current: dict[int, KnownOrder] = {}
        """The orders that were decided on, as this batch leaves them."""
        self._written = written or {}
        self._numbers = numbers
        self.missing = Missing()
        self.steps: dict[int, tuple[Step, ...]] = {}
        """The pending steps of simulations that changed."""
        self.requested_at_s = 0.0
        """The monotonic time at which the request that runs now was made, in seconds."""
        self.keys: dict[str, KeyUse] = {}
        self.feeds: dict[FeedKey, _Party] = {}
        self.ids_taken = 0
        self._remembered = remembered
        self._facts = facts
        self._eta_rules = eta_rules
        self._decided_on: dict[int, int] = {}
        self._changed: dict[int, Status | None] = {}
        self._created: set[int] = set()
        self._requested_at_s: dict[int, float] = {}
        self._previous_versions: dict[int, int] = {}
        self._changes: dict[int, list[tuple[_Party, int]]] = {}
        self._happened: list[tuple[Any, ...]] = []
        self._departed: dict[tuple[FeedKey, int], tuple[_Party, int]] = {}
        self._references: set[Reference] = set()
        self._expired: dict[str, int] = {}

    # Jobs

    def create(self, new: NewOrder, now_ms: int, idempotency: Idempotency | None = None) -> Created:
        earlier = self._find_created(idempotency, now_ms)
        if earlier is not None:
            return Created(as_created(earlier), replayed=True)
        if new.reference is not None:
            if self._is_taken((new.restaurant_id, new.reference)):
                raise ReferenceTaken(new.reference, new.restaurant_id)
            self._references.add((new.restaurant_id, new.reference))
        order = self._create(self._next_id(), new, now_ms)
        if idempotency is not None:
            self.keys[idempotency.key] = KeyUse(idempotency.fingerprint, order.id, now_ms)
        return Created(order, replayed=False)

    def _find_created(self, idempotency: Idempotency | None, now_ms: int) -> Order | None:
        """Raises: IdempotencyKeyReused, NotLoaded."""
        if idempotency is None:
            return None
        use = self.keys.get(idempotency.key)
        if use is None:
            if idempotency.key not in self._facts.keys:
                self.missing.keys.add(idempotency.key)
                raise NotLoaded
            use = self._facts.keys[idempotency.key]
            if use is None:
                return None
            if now_ms - use.at_ms > IDEMPOTENCY_KEPT_MS:
                self._expired[idempotency.key] = use.at_ms
                return None
        if use.fingerprint != idempotency.fingerprint:
            raise IdempotencyKeyReused
        return self._find(use.order_id).order

    def _is_taken(self, reference: Reference) -> bool:
        if reference in self._references:
            return True
        if reference not in self._facts.references:
            self.missing.references.add(reference)
            raise NotLoaded
        return self._facts.references[reference]

    def _next_id(self) -> int:
        """Return the next id; one that is used once when there is none, so that all that are missing are counted."""
        if self.ids_taken == len(self._facts.ids):
            self.missing.ids += 1
            return -self.missing.ids
        self.ids_taken += 1
        return self._facts.ids[self.ids_taken - 1]

    def load(self, histories: Sequence[History]) -> bool:
        for history in histories:
            if self._exists(history.order_id):
                return False
        highest = max(history.order_id for history in histories)
        if self._facts.skipped_ids < highest:
            self.missing.skipped_ids = highest
        if self.missing.orders or self.missing.skipped_ids:
            raise NotLoaded
        for order_id, new, created_at_ms, changes in histories:
            self._create(order_id, new, created_at_ms)
            for change, at_ms in changes:
                self._apply_one(change, at_ms)
        return True

    def _exists(self, order_id: int) -> bool:
        """Return False also when it is not known: then it is missing."""
        try:
            self._find(order_id)
        except (NotLoaded, OrderNotFound):
            return False
        return True

    def apply(self, changes: Sequence[Change], now_ms: int) -> list[Applied | OrdertrackError]:
        results: list[Applied | OrdertrackError] = []
        is_complete = True
        for change in changes:
            try:
                results.append(self._apply_one(change, now_ms))
            except OrdertrackError as error:
                results.append(error)
            except NotLoaded:
                is_complete = False
        if not is_complete:
            raise NotLoaded
        return results

    def _apply_one(self, change: Change, now_ms: int) -> Applied:
        order_id = change.order_id
        known = self._find(order_id)
        try:
            event, steps = advance_simulated(known.order, known.steps, change, now_ms, self._eta_rules)
        except OrderNotFound:  # another party's order: it must take as long as one that does not exist
            if order_id not in self._facts.orders and order_id not in self._changed:
                self.missing.orders.add(order_id)
                raise NotLoaded from None
            raise
        if event is None:
            if steps != known.steps:
                self._change(known, known.order, steps, known.feeds)
            return Applied(known.order, None)
        order = evolve(known.order, event)
        self._record(known, order, event, steps)
        return Applied(order, event)

    def start_simulation(self, order_id: int, options: WorkflowOptions, now_ms: int) -> tuple[Step, ...]:
        known = self._find(order_id)
        if known.steps:
            raise SimulationRunning(known.order)
        steps = plan_steps(known.order, options, now_ms)
        self._change(known, known.order, steps, known.feeds)
        return steps

    def stop_simulation(self, order_id: int) -> tuple[Step, ...]:
        known = self._find(order_id)
        if not known.steps:
            raise SimulationNotRunning(order_id)
        self._change(known, known.order, (), known.feeds)
        return known.steps

    # The commit

    @property
    def is_certain(self) -> bool:
        """True when there is nothing to write, and all that was decided on was read for these jobs."""
        return not self._changed and self._decided_on.keys() <= self._facts.orders.keys()

    @property
    def order_ids(self) -> list[int]:
        """The ids of the orders that were decided on or created."""
        return list(self.current)

    @property
    def changed_orders(self) -> Collection[int]:
        return self._changed.keys()

    async def write(self, session: Session, slot: int) -> Sequence[int]:
        """Write the changes in one statement; or nothing, when orders have other revisions than those decided on.

        Return the ids of these orders. Raises: as `Session.fetch`.
        """
        parties = sorted(self.feeds.values(), key=attrgetter("feed.kind", "feed.id"))
        feeds = [party.feed for party in parties]
        for place, party in enumerate(parties, 1):
            party.place = place
        known = list(map(self._numbers.get, feeds))
        changes = number_array([party.changes for party in parties])
        if self._created or self._departed:
            statement, more = _WRITE_MORE, [*_texts_of(feeds), changes, *self._more_parameters()]
        elif None in known:
            statement, more = _WRITE_ANY, [*_texts_of(feeds), changes]
        else:
            statement, more = _WRITE_KNOWN, [number_array(known), changes]
        rows = await session.fetch(statement, *self._parameters(), slot, *self._counts(), *more)
        ((numbers, versions, stale),) = rows
        if stale:
            return list(stale)
        for party, version in zip(parties, versions or (), strict=True):
            party.version_before = version - party.changes
        if None in known:
            for feed, number in zip(feeds, numbers, strict=True):
                self._numbers.put(feed, number)
        return ()

    def _parameters(self) -> list[str]:
        """Return the first parameters of `write`: the orders and the events."""
        updated = sorted(self._changed.keys() - self._created)
        unchanged = self._decided_on.keys() - self._changed.keys()
        known = [self.current[order_id] for order_id in updated]
        orders = [each.order for each in known]
        order_ids, events, customers, c, restaurants, r, couriers, d = as_columns(self._happened, 8)
        return [
            number_array(updated),
            number_array([self._decided_on[order_id] for order_id in updated]),
            number_array(unchanged),
            number_array([self._decided_on[order_id] for order_id in unchanged]),
            number_array(order_ids),
            number_array([event.version for event in events]),
            json_lines(events),
            number_array([party.place for party in customers]),
            number_array([party.changes - change for party, change in zip(customers, c, strict=True)]),
            number_array([party.place for party in restaurants]),
            number_array([party.changes - change for party, change in zip(restaurants, r, strict=True)]),
            number_array([party.place for party in couriers]),
            number_array([party.changes - change for party, change in zip(couriers, d, strict=True)]),
            word_array([order.status for order in orders]),
            word_array(["t" if order.status.ended else "f" for order in orders]),
            number_array([order.version for order in orders]),
            text_list([order.courier_id for order in orders]),
            *_step_columns(known),
        ]

    def _more_parameters(self) -> list[str]:
        """Return the parameters of `write_more`."""
        known = [self.current[order_id] for order_id in sorted(self._created)]
        orders = [each.order for each in known]
        departed = [(feed.place, id_, feed.changes - change) for (_, id_), (feed, change) in self._departed.items()]
        uses = [(key, *use) for key, use in self.keys.items()]
        keys, fingerprints, order_ids, times = as_columns(uses, 4)
        return [
            number_array([order.id for order in orders]),
            text_list([order.reference for order in orders]),
            text_list([order.customer_id for order in orders]),
            text_list([order.restaurant_id for order in orders]),
            text_list([order.courier_id for order in orders]),
            json_lines([order.details for order in orders]),
            number_array([order.created_at_ms for order in orders]),
            word_array([order.status for order in orders]),
            word_array(["t" if order.status.ended else "f" for order in orders]),
            number_array([order.version for order in orders]),
            *_step_columns(known),
            *map(number_array, as_columns(departed, 3)),
            text_list(self._expired),
            number_array(self._expired.values()),
            text_list(keys),
            text_list(fingerprints),
            number_array(order_ids),
            number_array(times),
        ]

    def _counts(self) -> list[str]:
        counts = self._count_statuses()
        return [word_array(counts), number_array(counts.values())]

    def _count_statuses(self) -> dict[str, int]:
        """Return by how much the number of orders of each status changes."""
        counts: Counter[str] = Counter()
        for order_id, before in self._changed.items():
            counts[self.current[order_id].order.status] += 1
            if before is not None:
                counts[before] -= 1
        return {status: change for status, change in counts.items() if change}

    def committed(self) -> list[Committed]:
        """Return the changes to announce, after `write` has written them."""
        return [
            Committed(
                self.current[order_id].order,
                {party.feed: party.version_before + change for party, change in changes},
                self._previous_versions[order_id],
                self._requested_at_s[order_id],
            )
            for order_id, changes in self._changes.items()
        ]

    def remember(self) -> None:
        """Remember the orders as the commit left them. Not before it is certain: reads use what is remembered."""
        for order_id, known in self.current.items():
            self._remembered.put(order_id, known)

    # Helpers

    def _find(self, order_id: int) -> KnownOrder:
        """Raises: NotLoaded, OrderNotFound, InternalError for a damaged order."""
        known = self.current.get(order_id)
        if known is None:
            outcome = self._facts.orders.get(order_id) or self._written.get(order_id) or self._remembered.get(order_id)
            if outcome is None:
                self.missing.orders.add(order_id)
                raise NotLoaded
            if isinstance(outcome, Exception):
                raise outcome
            known = self.current[order_id] = outcome
            self._decided_on[order_id] = known.revision
        return known

    def _create(self, order_id: int, new: NewOrder, now_ms: int) -> Order:
        order = create(order_id, new, now_ms, self._eta_rules.promise(new.restaurant_id, now_ms))
        self._created.add(order_id)
        self._record(None, order, order.timeline[0], ())
        return order

    def _record(self, known: KnownOrder | None, order: Order, event: Event, steps: tuple[Step, ...]) -> None:
        """Stage a new version of an order."""
        id_ = order.id
        if known is None:
            feeds = touched = party_feeds(order)
        else:
            feeds = touched = known.feeds
            if order.courier_id != known.order.courier_id:
                feeds, touched = party_feeds(order), touched_feeds(known.order, order)
        if id_ not in self._changes:
            self._changes[id_] = []
            self._requested_at_s[id_] = self.requested_at_s
            self._previous_versions[id_] = 0 if known is None else known.order.version
        changes = []
        for feed in touched:
            party = self.feeds.get(feed)
            if party is None:
                party = self.feeds[feed] = _Party(feed)
            party.changes += 1
            changes.append((party, party.changes))
        self._changes[id_] += changes
        if len(touched) > len(feeds):
            self._departed[touched[-1], id_] = changes.pop()
        self._happened.append(
            (id_, event, *changes[0], *changes[1], *(changes[2] if len(changes) > 2 else _NO_COURIER))
        )
        self._change(known, order, steps, feeds)

    def _change(
        self, known: KnownOrder | None, order: Order, steps: tuple[Step, ...], feeds: tuple[FeedKey, ...]
    ) -> None:
        id_ = order.id
        if id_ not in self._changed:
            self._changed[id_] = None if known is None else known.order.status
        self.current[id_] = KnownOrder(order, self._decided_on.get(id_, 0) + 1, steps, feeds)
        if known is not None and steps != known.steps:
            self.steps[id_] = steps


def _texts_of(feeds: Sequence[FeedKey]) -> list[str]:
    return [text_list([feed.kind for feed in feeds]), text_list(feed.id for feed in feeds)]


def _step_columns(known: Sequence[KnownOrder]) -> list[str]:
    """Return the pending steps, and when the next one is due."""
    return [
        text_list(_encode(each.steps).decode() if each.steps else None for each in known),
        number_array([each.steps[0].due_at_ms if each.steps else None for each in known]),
    ]
