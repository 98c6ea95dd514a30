"""Clients that leave while the store reads their order."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from struct import pack

import pytest

from ordertrack.adapters.sqlite.store import SqliteStore
from ordertrack.app.build import build
from ordertrack.app.service import Service
from ordertrack.settings import Settings
from support.api import track
from support.waiting import until

pytestmark = pytest.mark.anyio

BOUND_S = 60
HOLD_S = 110
"""Longer than BOUND_S, so that no poll leaves because its hold ends."""
ORDER_ID = 101
ABORTED = pack("ii", 1, 0)


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    """A service that has cached no order."""
    for is_filled in (False, True):
        service = build(Settings(data_dir=tmp_path))
        await service.open()
        if is_filled:
            async with asyncio.timeout(BOUND_S):
                yield service
        await service.close()


@pytest.mark.parametrize("aborts", [False, True], ids=["ends", "aborts"])
async def test_client_that_leaves_during_a_read_leaves_nothing(service: Service, aborts: bool) -> None:
    assert isinstance(service.store, SqliteStore)
    assert service.store._open is not None
    hub, counters = service.tracking.hub, service.tracking.statistics.gate
    listener = socket.create_server(("127.0.0.1", 0))
    gate = service.gate(listener)
    assert gate is not None
    gate.start()
    client = socket.create_connection(listener.getsockname())
    with service.store._open.writer.announcing:  # no read ends meanwhile
        client.sendall(f"GET {track(ORDER_ID, timeout=HOLD_S)} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        await until(lambda: hub.joined == 1)
        if aborts:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ABORTED)
        client.close()
        connections = gate._connections.by_fd
        await until(lambda: all(connection.peer_finished for connection in connections.values()))
        assert len(connections) == (0 if aborts else 1)
        assert (hub.joined, hub.held) == (1, 0)
    await until(lambda: hub.joined == 0)
    await until(lambda: counters.open == 0)
    await gate.stop(BOUND_S)
