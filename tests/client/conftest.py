"""The fixture `driver` runs a test with the blocking and with the asynchronous client."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from client.drivers import AsyncDriver, Driver, SyncDriver


@pytest.fixture(params=[SyncDriver, AsyncDriver], ids=["sync", "async"])
def driver(request: pytest.FixtureRequest) -> Driver:
    make: Callable[[], Driver] = request.param
    return make()
