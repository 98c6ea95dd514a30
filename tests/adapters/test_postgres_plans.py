"""The plans of lists and feed pages: each reads ranges of indexes, however many orders there are."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest

from contract.harness import NOW_MS, assign, new_order, set_status
from ordertrack.adapters.postgres.order_pages import FEED_PAGE, list_statement
from ordertrack.adapters.postgres.statements import SQL
from ordertrack.adapters.postgres.store import PostgresStore
from ordertrack.adapters.system.clock import SystemClock
from ordertrack.core.event import Status
from ordertrack.core.feed import FeedKind
from ordertrack.ports.order_store import OrderFilter
from support.databases import database_url, execute

ORDERS = 3_000
STATUSES: tuple[tuple[Status, ...], ...] = (
    (), (Status.CONFIRMED,), (Status.DELIVERED,), (Status.READY, Status.CANCELLED), tuple(Status),
)  # fmt: skip
PARTIES: tuple[tuple[str, ...], ...] = (
    (), ("customer_id",), ("restaurant_id",), ("courier_id",), ("customer_id", "restaurant_id"),
)  # fmt: skip


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A database with some thousand orders, as the server knows from its statistics."""
    url = database_url(tmp_path_factory.mktemp("plans"))
    asyncio.run(_fill(url))
    execute(url, "ANALYZE")
    return url


async def _fill(url: str) -> None:
    store = PostgresStore(url, SystemClock())
    await store.open()
    new = (
        new_order(customer_id=f"c{n % 97}", restaurant_id=f"r{n % 13}", courier_id=f"d{n % 31}") for n in range(ORDERS)
    )
    created = await asyncio.gather(*(store.create(each, NOW_MS) for each in new))
    ids = [answer.order.id for answer in created]
    await store.apply([set_status(id_, "delivered") for id_ in ids[::2]], NOW_MS)
    await store.apply([assign(id_, "d1") for id_ in ids[1::20]], NOW_MS)
    await store.close()


def nodes_of(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from nodes_of(child)


def explain(url: str, statement: str, *parameters: Any) -> list[dict[str, Any]]:
    """Return the nodes of the plan, made with the settings of the store's transactions."""

    async def run(connection: Any) -> Any:
        await connection.execute(SQL["begin"].format(statement_ms=5_000))
        return await connection.fetchval(f"EXPLAIN (FORMAT JSON, ANALYZE) {statement}", *parameters)

    return list(nodes_of(json.loads(execute(url, run))[0]["Plan"]))


def check(nodes: list[dict[str, Any]], limit: int) -> None:
    for node in nodes:
        is_scan = node["Node Type"] in ("Seq Scan", "Bitmap Heap Scan")
        assert not (is_scan and node["Relation Name"] in ("orders", "events")), node
        assert not (node["Node Type"] == "Sort" and node["Actual Rows"] > 3 * limit), node


@pytest.mark.parametrize(("parties", "statuses"), list(product(PARTIES, STATUSES)))
def test_a_list_reads_ranges_of_indexes(url: str, parties: tuple[str, ...], statuses: tuple[Status, ...]) -> None:
    ids = {"customer_id": "c1", "restaurant_id": "r1", "courier_id": "d1"}
    fields: dict[str, Any] = {name: ids[name] for name in parties}
    for before_id in (None, ORDERS // 2):
        order_filter = OrderFilter(limit=20, statuses=statuses, before_id=before_id, **fields)
        check(explain(url, *list_statement(order_filter, parties)), 20)


@pytest.mark.parametrize("kind", list(FEED_PAGE))
@pytest.mark.parametrize(("after", "after_id"), [(None, 0), (5, None), (5, 100)])
def test_a_feed_page_reads_ranges_of_indexes(url: str, kind: FeedKind, after: int | None, after_id: int | None) -> None:
    party = {FeedKind.CUSTOMER: "c1", FeedKind.RESTAURANT: "r1", FeedKind.COURIER: "d1"}[kind]
    check(explain(url, FEED_PAGE[kind], kind, party, after, after_id, 21, 6_000_000), 21)


def test_overdue_steps_are_found_by_an_index(url: str) -> None:
    check(explain(url, SQL["overdue"], 0, 10), 10)


def test_orders_to_check_are_a_range_of_an_index(url: str) -> None:
    check(explain(url, SQL["etas_to_check"], NOW_MS, 0, 10), 10)
