"""Stores, requests and a recording listener for the tests of the store contract."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from ordertrack.adapters.memory.store import MemoryStore
from ordertrack.adapters.postgres.store import PostgresStore
from ordertrack.adapters.sqlite import store as sqlite_store
from ordertrack.adapters.sqlite import transaction as sqlite_transaction
from ordertrack.adapters.sqlite.store import SqliteStore
from ordertrack.adapters.system.clock import SystemClock
from ordertrack.core.errors import OrdertrackError
from ordertrack.core.eta.rules import EtaRules
from ordertrack.core.event import Status
from ordertrack.core.feed import FeedKey, FeedKind
from ordertrack.core.order import NewOrder, Order
from ordertrack.core.order_rules import AssignCourier, Change, ChangeStatus
from ordertrack.core.simulation import Step
from ordertrack.ports.commits import Applied, Committed
from ordertrack.ports.store import Store
from support.databases import database_url
from support.stage_times import StageTimes

NOW_MS = 1_795_342_530_000
BOUND_S = 20
ETA_RULES = EtaRules(StageTimes())
CUSTOMER, RESTAURANT = FeedKey(FeedKind.CUSTOMER, "c1"), FeedKey(FeedKind.RESTAURANT, "r1")


def courier(courier_id: str) -> FeedKey:
    return FeedKey(FeedKind.COURIER, courier_id)


class Listener:
    """Record the announcements; `announced` is the newest version of each order."""

    def __init__(self) -> None:
        self.calls: list[list[Committed]] = []
        self.announced: dict[int, int] = {}
        self.feeds: dict[FeedKey, int] = {}

    def __call__(self, commits: Sequence[Committed]) -> None:
        assert commits
        now_s = SystemClock().monotonic_s()
        assert all(now_s - BOUND_S < committed.requested_at_s <= now_s for committed in commits)
        assert asyncio.get_running_loop()
        self.calls.append(list(commits))
        assert len({order.id for order, *_ in commits}) == len(commits), "an order twice in one commit"
        for order, feeds, previous_version, _ in commits:
            assert previous_version == self.announced.get(order.id, 0) < order.version
            self.announced[order.id] = order.version
            for feed, version in feeds.items():
                self.feeds[feed] = max(version, self.feeds.get(feed, 0))

    @property
    def commits(self) -> list[Committed]:
        return [committed for call in self.calls for committed in call]


STORES: dict[str, Callable[[Path], Store]] = {
    "memory": lambda folder: MemoryStore("a1b2", SystemClock(), ETA_RULES),
    "sqlite": lambda folder: SqliteStore(folder, SystemClock(), eta_rules=ETA_RULES),
    "postgresql": lambda folder: PostgresStore(database_url(folder), SystemClock(), eta_rules=ETA_RULES),
}
"""Every store: the contract runs over all of them, and compares them with each other."""

CACHED = ("memory", "sqlite", "sqlite-cold")
"""Stores that cache what they announced."""


def new_store(kind: str, folder: Path) -> Store:
    return STORES[kind](folder)


def shrink_caches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_store, "CACHED_ORDERS", 1)
    monkeypatch.setattr(sqlite_store, "CACHED_FEEDS", 1)
    monkeypatch.setattr(sqlite_transaction, "CACHED_ORDERS", 1)
    monkeypatch.setattr(sqlite_transaction, "CACHED_FEEDS", 1)


def new_order(**fields: Any) -> NewOrder:
    return NewOrder(**({"customer_id": "c1", "restaurant_id": "r1"} | fields))


async def create_order(store: Store, **fields: Any) -> Order:
    return (await store.create(new_order(**fields), NOW_MS)).order


def set_status(order: Order | int, status: str, **fields: Any) -> ChangeStatus:
    return ChangeStatus(order if isinstance(order, int) else order.id, Status(status), "test", **fields)


def assign(order: Order | int, courier_id: str) -> AssignCourier:
    return AssignCourier(order if isinstance(order, int) else order.id, courier_id, "test")


async def apply_one(store: Store, change: Change, now_ms: int = NOW_MS) -> Order:
    (result,) = await store.apply([change], now_ms)
    assert isinstance(result, Applied), result
    return result.order


async def apply_refused(store: Store, change: Change) -> OrdertrackError:
    (result,) = await store.apply([change], NOW_MS)
    assert isinstance(result, OrdertrackError)
    return result


def step_change(step: Step) -> ChangeStatus:
    return set_status(step.order_id, step.status, reason=step.reason, simulated=(step.seq, step.due_at_ms))


def hash_of(token: object) -> bytes:
    return sha256(str(token).encode()).digest()
