"""Two servers with the same orders: one with the gate, one with uvicorn and h11."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from vectors.subjects import TRANSPORTS, Subject, order_version, running


@pytest.fixture(scope="session", params=TRANSPORTS)
def subject(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Subject]:
    """No vector may change its order 103, and none may show a bug."""
    with running(tmp_path_factory.mktemp("vectors") / "data", request.param) as server:
        before = order_version(server.url)
        yield Subject(server.url, server.pid, request.param == "gate")
        assert order_version(server.url) == before, "a refused request was executed"
