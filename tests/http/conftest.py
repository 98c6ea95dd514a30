"""A server for hostile requests, with a database of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.server import Server


@pytest.fixture(scope="session")
def attacked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Check at the end that the server still runs and its log has no bug."""
    server = Server(tmp_path_factory.mktemp("attacked") / "data")
    yield server
    alive = server.process.poll() is None
    code = server.stop() if alive else server.wait()
    server.close()
    assert alive, f"the server did not survive (exit code {code}):\n{server.log}"
    assert code == 0
    assert "Traceback" not in server.log, server.log
    assert "internal error" not in server.log, server.log
