"""A real server and its client; `driver` runs a test with the blocking and with the asynchronous client."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from client.drivers import AsyncDriver, Driver, SyncDriver
from client.servers import RealServer, real_server
from ordertrack.client import OrdertrackClient


@pytest.fixture(params=[SyncDriver, AsyncDriver], ids=["sync", "async"])
def driver(request: pytest.FixtureRequest) -> Driver:
    make: Callable[[], Driver] = request.param
    return make()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealServer]:
    with real_server(tmp_path_factory.mktemp("data")) as running:
        yield running


@pytest.fixture
def client(server: RealServer) -> Iterator[OrdertrackClient]:
    with OrdertrackClient(server.url) as connected:
        yield connected
