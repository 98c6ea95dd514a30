"""The commands of the ready message can be pasted: they name active orders."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from ordertrack.adapters.memory.store import MemoryStore
from ordertrack.adapters.system.clock import SystemClock
from ordertrack.cli.banner import banner, orders_to_try
from ordertrack.cli.hints import command
from ordertrack.core.event import Status
from ordertrack.core.order import NewOrder, Order
from ordertrack.core.order_rules import ChangeStatus
from ordertrack.core.simulation import WorkflowOptions
from ordertrack.service.samples import load_samples

pytestmark = pytest.mark.anyio
NEW = NewOrder("c1", "r1")


async def opened() -> MemoryStore:
    store = MemoryStore("a1b2c3d4", SystemClock())
    await store.open(lambda committed: None)
    return store


async def end(store: MemoryStore, *order_ids: int) -> None:
    await store.apply([ChangeStatus(id_, Status.DELIVERED, "test") for id_ in order_ids], 0)


def said(orders: list[Order], url: str = "http://127.0.0.1:5001") -> str:
    return banner(url, "in /data", orders, samples_loaded=False, command="ordertrack")


async def test_fresh_samples_are_offered() -> None:
    store = await opened()
    await load_samples(store, SystemClock())
    text = said(await orders_to_try(store))
    for words in ("orders/101/track?", "orders/101/status", '{"status": "preparing"}', "watch 102", "orders/103/sim"):
        assert words in text


async def test_ended_and_simulated_orders_are_not_offered() -> None:
    store = await opened()
    await load_samples(store, SystemClock())
    await end(store, 101)
    await store.start_simulation(102, WorkflowOptions(), 0)
    text = said(await orders_to_try(store))
    assert "101" not in text
    assert "102" not in text
    assert '"http://127.0.0.1:5001/api/v1/orders/103/status" -H "Content-Type: application/json"' in text
    assert '{"status": "picked_up"}' in text
    assert "ordertrack simulate 103 --speed 60\n" in text


async def test_when_all_samples_have_ended_another_order_is_offered() -> None:
    store = await opened()
    await load_samples(store, SystemClock())
    await end(store, 101, 102, 103)
    other = (await store.create(NEW, 0)).order
    assert [order.id for order in await orders_to_try(store)] == [other.id]


async def test_banner_without_active_orders_says_how_to_create_one() -> None:
    store = await opened()
    await end(store, (await store.create(NEW, 0)).order.id)
    text = said(await orders_to_try(store), url="http://127.0.0.1:7")
    assert "ordertrack create --customer-id 1 --restaurant-id 1 --url http://127.0.0.1:7\n" in text
    assert "curl" not in text


def test_command_is_named_as_it_was_called(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    script = tmp_path / "my venv" / "ordertrack"
    script.parent.mkdir()
    script.touch(mode=0o755)
    monkeypatch.setattr(sys, "argv", [str(script)])
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.chdir(tmp_path)
    assert command() == "'my venv/ordertrack'"
    monkeypatch.setenv("PATH", str(script.parent))
    assert command() == "ordertrack"
    monkeypatch.setattr(sys, "argv", ["/somewhere/ordertrack/__main__.py"])
    monkeypatch.setattr(sys, "executable", "/usr/bin/python3")
    assert command() == "/usr/bin/python3 -m ordertrack"
