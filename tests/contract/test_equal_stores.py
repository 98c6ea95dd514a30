"""All stores, compared after every step of random requests."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from contract.harness import (
    BOUND_S,
    CACHED,
    NOW_MS,
    STORES,
    Listener,
    hash_of,
    new_store,
    shrink_caches,
    step_change,
)
from ordertrack.core.errors import (
    OrdertrackError,
)
from ordertrack.core.event import Status
from ordertrack.core.feed import FeedKey, FeedKind
from ordertrack.core.order import NewOrder, Order
from ordertrack.core.order_rules import AssignCourier, Change, ChangeStatus, MoveEta
from ordertrack.core.simulation import Step, WorkflowOptions
from ordertrack.ports.commits import IDEMPOTENCY_KEPT_MS, Idempotency
from ordertrack.ports.order_store import OrderFilter
from ordertrack.ports.store import Store


class EqualStores(RuleBasedStateMachine):
    """Random requests to every store, to SQLite's also with small caches."""

    customers = st.sampled_from(["c1", "c2"])
    couriers = st.sampled_from(["d1", "d2", "d3"])
    restaurants = st.sampled_from(["r1", "r2"])
    ids = st.integers(1, 7)
    changes = st.one_of(
        st.builds(
            ChangeStatus,
            ids,
            st.sampled_from(Status),
            st.just("test"),
            reason=st.none() | st.just("why"),
            undo=st.booleans(),
            expected_version=st.none() | st.integers(1, 4),
            origin=st.none() | st.just("203.0.113.9"),
        ),
        st.builds(AssignCourier, ids, couriers, st.just("test")),
        st.builds(MoveEta, ids),
    )
    tokens = st.integers(0, 30)

    @initialize(cold=st.booleans())
    def open(self, cold: bool) -> None:
        self.runner = asyncio.Runner()
        self.folder = Path(tempfile.mkdtemp(prefix="ordertrack-test-"))
        self.patched = pytest.MonkeyPatch()
        if cold:
            shrink_caches(self.patched)
        self.listeners = [Listener() for _ in STORES]
        self.stores = [new_store(kind, self.folder) for kind in STORES]
        self.now_ms = NOW_MS
        self.placed = 0
        self.steps: dict[int, tuple[Step, ...]] = {}
        for store, listener in zip(self.stores, self.listeners, strict=True):
            self.runner.run(store.open(listener))

    @property
    def cached_stores(self) -> list[Store]:
        return [store for store, kind in zip(self.stores, STORES, strict=True) if kind in CACHED]

    def all(self, request: Callable[[Store], Any]) -> Any:
        """Return the result, which must be equal for all; an error is returned."""

        async def run(store: Store) -> Any:
            try:
                async with asyncio.timeout(BOUND_S):
                    return await request(store)
            except OrdertrackError as error:
                return error

        first, *others = [self.runner.run(run(store)) for store in self.stores]
        for other in others:
            assert comparable(first) == comparable(other)
        return first

    @rule(by_ms=st.sampled_from([1, 0, 60_000, 3_000_000, -5, IDEMPOTENCY_KEPT_MS // 2 + 1]))
    def time_passes(self, by_ms: int) -> None:
        self.now_ms += by_ms

    @precondition(lambda self: self.placed < 6)
    @rule(
        customer_id=customers,
        restaurant_id=restaurants,
        courier_id=st.none() | couriers,
        reference=st.none() | st.sampled_from(["A", "B"]),
        key=st.none() | st.builds(Idempotency, st.sampled_from(["k1", "k2"]), st.sampled_from(["f1", "f2"])),
    )
    def create(
        self,
        customer_id: str,
        restaurant_id: str,
        courier_id: str | None,
        reference: str | None,
        key: Idempotency | None,
    ) -> None:
        new = NewOrder(customer_id, restaurant_id, courier_id, reference)
        answer = self.all(lambda store: store.create(new, self.now_ms, idempotency=key))
        self.placed += not isinstance(answer, OrdertrackError) and not answer.replayed

    @rule(batch=st.lists(changes, min_size=1, max_size=5))
    def apply(self, batch: list[Change]) -> None:
        self.all(lambda store: store.apply(batch, self.now_ms))

    @rule(order_id=ids, cancel_at=st.none() | st.sampled_from([Status.CONFIRMED, Status.READY]))
    def start_simulation(self, order_id: int, cancel_at: Status | None) -> None:
        answer = self.all(
            lambda store: store.start_simulation(order_id, WorkflowOptions(cancel_at=cancel_at), self.now_ms)
        )
        if not isinstance(answer, OrdertrackError):
            self.steps[order_id] = answer

    @rule(order_id=ids)
    def stop_simulation(self, order_id: int) -> None:
        self.all(lambda store: store.stop_simulation(order_id))

    @precondition(lambda self: self.steps)
    @rule(which=st.integers(0, 9), seq=st.integers(0, 3))
    def take_a_step(self, which: int, seq: int) -> None:
        order_id = sorted(self.steps)[which % len(self.steps)]
        steps = self.steps[order_id]
        self.all(lambda store: store.apply([step_change(steps[seq % len(steps)])], self.now_ms))

    @rule(
        limit=st.integers(1, 4),
        customer_id=st.none() | customers,
        courier_id=st.none() | couriers,
        statuses=st.lists(st.sampled_from(Status), max_size=2).map(tuple),
        before_id=st.none() | ids,
    )
    def list_orders(self, **fields: Any) -> None:
        self.all(lambda store: store.orders(OrderFilter(**fields)))

    @rule(
        feed=st.one_of(
            st.builds(FeedKey, st.just(FeedKind.CUSTOMER), customers),
            st.builds(FeedKey, st.just(FeedKind.RESTAURANT), restaurants),
            st.builds(FeedKey, st.just(FeedKind.COURIER), couriers),
        ),
        after=st.none() | st.integers(0, 6),
        limit=st.integers(1, 4) | st.just(100),
        after_id=st.just(0) | st.integers(1, 7),
    )
    def read_feed(self, feed: FeedKey, after: int | None, limit: int, after_id: int) -> None:
        changes = self.all(lambda store: store.feed_changes(feed, after, limit=limit, after_id=after_id))
        version = self.all(lambda store: store.feed_version(feed))
        assert changes.version == version or (changes.more and changes.version < version)
        assert {store.peek_feed_version(feed) for store in self.cached_stores} == {version}

    @rule(after_id=st.just(0) | ids, limit=st.integers(1, 7))
    def read_etas_to_check(self, after_id: int, limit: int) -> None:
        self.all(lambda store: store.etas_to_check(self.now_ms, after_id, limit))

    @rule(order_id=ids)
    def read_an_order(self, order_id: int) -> None:
        order = self.all(lambda store: store.order(order_id))
        if isinstance(order, Order):
            assert all(store.peek(order_id) == order for store in self.cached_stores)

    @rule(order_id=ids, tokens=st.lists(tokens, max_size=8))
    def make_links(self, order_id: int, tokens: list[int]) -> None:
        for token in tokens:
            self.all(lambda store, token=token: store.create_link(order_id, hash_of(token), "test", self.now_ms))

    @rule(order_id=ids, link_id=st.integers(1, 31))
    def revoke_a_link(self, order_id: int, link_id: int) -> None:
        self.all(lambda store: store.revoke_link(order_id, link_id, self.now_ms))

    @rule(order_id=ids, token=tokens)
    def find_links(self, order_id: int, token: int) -> None:
        self.all(lambda store: store.links(order_id))
        self.all(lambda store: store.find_link(hash_of(token)))

    @rule()
    def reopen(self) -> None:
        for n, kind in enumerate(STORES):
            if kind != "memory":
                counts = self.runner.run(self.stores[n].orders_by_status())
                self.runner.run(self.stores[n].close())
                self.stores[n] = new_store(kind, self.folder)
                self.runner.run(self.stores[n].open(self.listeners[n]))
                assert self.runner.run(self.stores[n].orders_by_status()) == counts

    @invariant()
    def all_orders_and_simulations_are_equal(self) -> None:
        self.all(lambda store: store.orders(OrderFilter(limit=100)))
        self.all(lambda store: store.simulations())
        self.all(lambda store: store.orders_by_status())

    @invariant()
    def the_announcements_are_equal(self) -> None:
        first, *others = self.listeners
        for other in others:
            assert first.announced == other.announced
            assert first.feeds == other.feeds
            assert len(first.calls) == len(other.calls)

    def teardown(self) -> None:
        if not hasattr(self, "runner"):
            return
        for store in self.stores:
            self.runner.run(store.close())
        self.runner.close()
        self.patched.undo()
        shutil.rmtree(self.folder)


def comparable(answer: Any) -> Any:
    """Return a value that can be compared: for an error its class and fields."""
    if isinstance(answer, OrdertrackError):
        return type(answer), vars(answer)
    return [comparable(one) for one in answer] if isinstance(answer, list) else answer


def test_all_stores_give_equal_results() -> None:
    run_state_machine_as_test(EqualStores, settings=settings(max_examples=25, stateful_step_count=25))
