"""Both ways of holding a poll, side by side: what a client sees must not tell which one it is."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.api import Api
from support.server import Server


@pytest.fixture(scope="session", params=["on", "off"], ids=["gate", "asgi"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("held") / "data", "--gate", request.param)
    yield server
    code = server.stop()
    server.close()
    assert code == 0, server.log
    assert "Traceback" not in server.log, server.log


@pytest.fixture
def gate(request: pytest.FixtureRequest, server: Server) -> bool:
    """True when the gate holds the polls."""
    return "[gate" in request.node.name


@pytest.fixture
def api(server: Server) -> Iterator[Api]:
    api = Api(server.url)
    try:
        yield api
    finally:
        api.close()
