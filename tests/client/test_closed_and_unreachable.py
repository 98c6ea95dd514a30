"""Errors without a server, and the effect of `close` on waiting calls."""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
import time
from collections.abc import Callable

import pytest

from client.drivers import Driver
from client.servers import WAIT_S, Act, Connected, ScriptedServer, answers, resets, scripted, stays_silent
from client.wire_answers import problem, update
from ordertrack.client import (
    AsyncOrdertrackClient,
    ClientClosed,
    Connection,
    ConnectionLost,
    OrdertrackClient,
    Pace,
    ServerUnreachable,
)

SNAPSHOT = answers(200, update(1, "snapshot"))
DELIVERED = answers(200, update(2, status="delivered"))
SLOW = Pace(backoff_base_s=10 * WAIT_S, backoff_cap_s=10 * WAIT_S)


def closed_port() -> str:
    with scripted() as server:
        return server.url


def test_first_connection_refused_is_raised(driver: Driver) -> None:
    url = closed_port()
    with pytest.raises(ServerUnreachable, match=f"No server answers at {url}") as raised:
        driver.track(url)
    assert (raised.value.code, driver.slept, driver.connections) == ("unreachable", [], [])


def test_first_connections_that_break_are_raised(driver: Driver) -> None:
    with scripted(resets, resets, resets, DELIVERED) as server, pytest.raises(ConnectionLost):
        driver.track(server.url)
    assert [each.attempts for each in driver.connections] == [1, 2]


def test_unknown_host_is_named(driver: Driver) -> None:
    for call in (lambda url: driver.track(url), lambda url: driver.call(url, "stats")):
        with pytest.raises(ServerUnreachable, match=r"The host no-such\.invalid is not known") as raised:
            call("http://no-such.invalid:5001")
        assert raised.value.code == "unknown_host"


def test_tls_to_a_plain_port_is_named(driver: Driver) -> None:
    """The scripted server cannot read the bytes of a TLS greeting, and answers in plain HTTP."""

    class PlainServer(ScriptedServer):
        async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(1)
            writer.write(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")
            await writer.drain()
            writer.close()

    with scripted(server=PlainServer()) as server:
        url = server.url.replace("http://", "https://")
        with pytest.raises(ServerUnreachable, match=f"No TLS connection can be made to {url}") as raised:
            driver.call(url, "stats")
    assert raised.value.code == "tls_failed"


def test_each_retry_is_logged(driver: Driver, caplog: pytest.LogCaptureFixture) -> None:
    busy = answers(503, problem(503, "node_full", "The node\x1b[2J\nis full."), retry_after="3")
    with caplog.at_level(logging.INFO, "ordertrack.client"), scripted(SNAPSHOT, busy, resets, DELIVERED) as server:
        driver.track(server.url)
    assert [(record.levelname, record.getMessage()) for record in caplog.records if record.name == "ordertrack.client"
    ] == [
        ("WARNING", r"Tracking order 101: The node\x1b[2J\nis full. Trying again in 3.5 s (failures in a row: 1)."),
        ("WARNING", "Tracking order 101: The connection broke before the answer was complete. Trying again in "
                    "1.0 s (failures in a row: 2)."),
        ("INFO", "Tracking order 101: the server answers again."),
    ]  # fmt: skip


class Gate:
    """A gate that opens when it is called, with a Connection or by a request."""

    def __init__(self) -> None:
        self.passed = threading.Event()

    def __call__(self, connection: Connection) -> None:
        self.passed.set()

    async def holds(self, connected: Connected) -> None:
        self.passed.set()
        await stays_silent(connected)


def until_blocked(thread: threading.Thread) -> None:
    """Wait until a thread is blocked in a system call or on a lock."""
    deadline_s = time.monotonic() + WAIT_S
    before, seen = None, 0
    while seen < 20:
        frame = sys._current_frames()[thread.ident or 0]
        here = (frame.f_code, frame.f_lasti)
        before, seen = here, seen + 1 if here == before else 0
        assert time.monotonic() < deadline_s, f"the thread is still running, in {frame.f_code.co_name}"
        time.sleep(0.001)  # the other thread may run


def sync_closed_while(url: str, passed: threading.Event, on_connection: Callable[[Connection], None]) -> None:
    client = OrdertrackClient(url, random=lambda: 1.0)
    ends: list[Exception] = []

    def follow() -> None:
        try:
            list(client.track(101, on_connection=on_connection, pace=SLOW))
        except Exception as error:  # noqa: BLE001
            ends.append(error)

    thread = threading.Thread(target=follow, daemon=True)
    thread.start()
    assert passed.wait(WAIT_S)
    until_blocked(thread)
    client.close()
    thread.join(WAIT_S)
    assert [type(error) for error in ends] == [ClientClosed]
    with pytest.raises(ClientClosed, match="The client is closed"):
        client.order(101)
    with pytest.raises(ClientClosed):
        next(client.track(101))


def async_closed_while(url: str, passed: threading.Event, on_connection: Callable[[Connection], None]) -> None:
    async def run() -> None:
        client = AsyncOrdertrackClient(url, random=lambda: 1.0)

        async def follow() -> None:
            async for _ in client.track(101, on_connection=on_connection, pace=SLOW):
                pass

        following = asyncio.create_task(follow())
        assert await asyncio.to_thread(passed.wait, WAIT_S)
        await client.aclose()
        with pytest.raises(ClientClosed):
            await asyncio.wait_for(following, WAIT_S)
        with pytest.raises(ClientClosed):
            await client.order(101)

    asyncio.run(run())


CLOSED = pytest.mark.parametrize("closed_while", [sync_closed_while, async_closed_while], ids=["sync", "async"])


@CLOSED
def test_close_ends_a_held_poll(closed_while: Callable[..., None]) -> None:
    gate = Gate()
    with scripted(SNAPSHOT, gate.holds) as server:
        closed_while(server.url, gate.passed, lambda connection: None)


@CLOSED
def test_close_ends_the_wait_for_the_next_try(closed_while: Callable[..., None]) -> None:
    gate = Gate()
    failing: Act = answers(503, problem(503, "node_full"))
    with scripted(SNAPSHOT, failing) as server:
        closed_while(server.url, gate.passed, gate)
