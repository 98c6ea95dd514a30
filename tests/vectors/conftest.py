"""Two servers with the same orders: one with the gate, one with uvicorn and h11."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from support.api import ORDERS
from support.http1 import Connection
from support.server import Server
from vectors.vector_messages import VICTIM_ID

NO_LIMITS = (
    "--polls-per-minute", "0", "--reads-per-minute", "0", "--writes-per-minute", "0",
    "--failed-authentications-per-minute", "0",
)  # fmt: skip
TRANSPORTS = {"gate": "on", "asgi": "off"}


class Subject(NamedTuple):
    """A server under test."""

    url: str
    pid: int
    is_gate: bool


@pytest.fixture(scope="session", params=TRANSPORTS)
def subject(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Subject]:
    """No vector may change its order 103, and none may show a bug."""
    with running(tmp_path_factory.mktemp("vectors") / "data", request.param) as server:
        before = order_version(server.url)
        yield Subject(server.url, server.pid, request.param == "gate")
        assert order_version(server.url) == before, "a refused request was executed"


@contextmanager
def running(data_dir: Path, transport: str, *flags: str) -> Iterator[Server]:
    """Start a server that must run to the end and stop cleanly, without a bug in its log."""
    server = Server(data_dir, "--gate", TRANSPORTS[transport], *NO_LIMITS, *flags)
    try:
        yield server
        assert server.stop() == 0, server.log
        assert "Traceback" not in server.log, server.log
        assert "internal error" not in server.log, server.log
    finally:
        server.close()


def order_version(url: str) -> int:
    with Connection(url) as connection:
        version: int = connection.ask("GET", f"{ORDERS}/{VICTIM_ID}").json()["data"]["version"]
        return version
