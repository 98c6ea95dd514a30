"""The commands are tested against the real server, with the helpers of the client tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from client.servers import RealServer, real_server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealServer]:
    with real_server(tmp_path_factory.mktemp("data")) as running:
        yield running
