"""Faults of a signal that only PostgreSQL has: a pooler before the server, and a backend that was terminated."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from contract.signal_harness import LIMITS, Node, new_signal, open_and_close
from ordertrack.ports.signal import SignalCannotOpen
from servers.child import NotInstalled
from servers.pgbouncer import PgBouncer
from servers.postgres import Postgres
from support.missing import skip

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with TemporaryDirectory(prefix="ordertrack-") as created:
        yield Path(created)


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Postgres]:
    try:
        started = Postgres(folder / "postgres", durable=False)
    except NotInstalled as error:
        skip(str(error))
    with closing(started):
        yield started


async def test_pooler_cannot_open(server: Postgres, folder: Path) -> None:
    """LISTEN needs a session of its own: through a transaction pooler it does not work."""
    try:
        pooler = PgBouncer(folder / "pgbouncer", server.url)
    except NotInstalled as error:
        skip(str(error))
    expected = f"127.0.0.1:{pooler.port} cannot be used: LISTEN .* pooler"
    with closing(pooler), pytest.raises(SignalCannotOpen, match=expected):
        await open_and_close(new_signal(pooler.url, "test"))


async def test_terminated_backend_is_replaced(server: Postgres) -> None:
    async with Node(new_signal(server.url, "test", LIMITS)) as node:
        await node.subscribe(3)
        ending = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'ordertrack signal'"
        await asyncio.to_thread(server.execute, ending)
        await node.until(lambda: node.calls == ["restored", "interrupted", "restored"])
        await node.subscribe(3)
        node.signal.publish([(3, "x")])
        await node.until_received((3, "x"))
