"""The servers that are sent the vectors: one with the gate, and one with uvicorn and h11 in its place."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from support.api import ORDERS
from support.http1 import Connection
from support.server import Server
from vectors.messages import VICTIM_ID

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


@contextmanager
def running(data_dir: Path, transport: str, *flags: str) -> Iterator[Server]:
    """A server that has to live through it all and end cleanly, without a bug in its log."""
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
