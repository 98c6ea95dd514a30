"""Three nodes behind a proxy are restarted one after another under load."""

from __future__ import annotations

import asyncio
import signal

import pytest

from proxies.cluster_load import CUSTOMERS_PER_ORDER, Load
from proxies.reverse_proxy import CLUSTERS
from support import ports
from support.api import Api, eventually
from support.server import Server

ORDERS_WATCHED = 60
HELD_BY_ALL = ORDERS_WATCHED * CUSTOMERS_PER_ORDER * 3 // 4
HELD_BEFORE = 20
"""Polls that a node holds before it is stopped."""
DRAIN_WINDOW_S = 2.0


def until_many_are_held(api: Api) -> None:
    """Wait until all nodes together hold most polls, and this one its part."""

    def are_held() -> bool:
        stats = api.stats()
        own = sum(node["active_connections"] for node in stats["by_node"] if node["node"] == stats["node"])
        return bool(own >= HELD_BEFORE and stats["active_connections"] >= HELD_BY_ALL)

    eventually(are_held, "the nodes hold the polls")


@pytest.mark.protocol("3.13", "3.24")
@pytest.mark.parametrize("name", CLUSTERS)
def test_rolling_restart_fails_no_request(name: str, start_server, start_proxy, api_of, database_url: str):
    """Every answer is 200, every update is made once, and every customer gets the last one long before its hold ends.
    Customers come back spread over the drain window."""
    flags = ("--database-url", database_url, "--drain-window-s", str(DRAIN_WINDOW_S))

    def start(port: int) -> Server:
        return start_server("--port", str(port), *flags)

    nodes = [start(ports.unused()) for _ in range(3)]
    proxy = start_proxy(name, *(node.url for node in nodes))
    api = api_of(proxy.url)
    load = Load(proxy.url, [api.create()["id"] for _ in range(ORDERS_WATCHED)])
    spreads: list[float] = []

    def restart(place: int) -> None:
        port = int(nodes[place].url.rpartition(":")[2])
        nodes[place].signal(signal.SIGTERM)
        assert nodes[place].wait() == 0
        nodes[place] = start(port)

    async def restart_all() -> None:
        for place in range(3):
            await asyncio.to_thread(until_many_are_held, api_of(nodes[place].url))
            load.drained_at_s.clear()
            await asyncio.to_thread(restart, place)
            drained = sorted(load.drained_at_s.values())
            assert len(drained) >= HELD_BEFORE, "every poll of the node is answered"
            spreads.append(drained[len(drained) * 9 // 10] - drained[len(drained) // 10])

    asyncio.run(load.run(restart_all))
    assert load.failures == []
    assert load.updates > 0
    assert min(spreads) > DRAIN_WINDOW_S / 10
