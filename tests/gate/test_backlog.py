"""More requests than are served at once: none is lost, and what has to wait is left in the kernel."""

from __future__ import annotations

import select
from pathlib import Path

import pytest

from ordertrack.http.gate.framing import without_empty_lines
from support.api import ORDERS, Api
from support.http1 import Connection
from support.server import Server

READ = f"GET {ORDERS}/101 HTTP/1.1\r\nHost: t\r\n\r\n".encode()
MANY = 4_000
AHEAD_BYTES = 512 * 1024
"""Bytes that may be read besides the answered requests."""


def _read_bytes(server: Server) -> int:
    """Return the bytes that the process has read (Linux, proc(5))."""
    return int(Path(f"/proc/{server.pid}/io").read_text().split("rchar: ")[1].split()[0])


def test_endless_pipelining_is_read_as_it_is_served(api: Api, server: Server, gate: bool) -> None:
    if not gate:
        pytest.skip("what uvicorn receives is not counted there")
    before, answered, offset = _read_bytes(server), 0, 0
    sent = READ * 1_000
    with api.connect() as connection:
        while answered < 500:
            readable, writable, _ = select.select([connection], [connection], [])
            if writable:
                offset = (offset + connection.send_some(sent[offset:])) % len(sent)
            if readable:
                answered += connection.take_some().count(b"HTTP/1.1 200 OK")
        assert _read_bytes(server) - before < answered * len(READ) + AHEAD_BYTES


def test_half_closed_client_gets_answers_beyond_the_backlog(api: Api, gate: bool) -> None:
    if not gate:
        pytest.skip("uvicorn answers the request that runs, and ends the connection")
    with api.connect() as connection:
        connection.send(READ * MANY)
        connection.end_of_sending()
        assert {connection.answer().status for _ in range(MANY)} == {200}
        assert connection.ends_without_reset()


def test_held_poll_is_given_up_behind_a_full_backlog(api: Api, gate: bool) -> None:
    """Its client goes away while so much waits behind the poll that no more is read."""
    if not gate:
        pytest.skip("uvicorn reads no more once a request is queued, and notices at the end of the hold only")
    connection = api.connect()
    connection.request("GET", f"{ORDERS}/101/track?timeout=100")
    api.until_held(1)
    connection.send(READ * 2_000)
    connection.close()
    api.until_held(0)


def test_any_number_of_empty_lines_is_skipped() -> None:
    """In linear time: with a copy for each line this would take minutes."""
    assert without_empty_lines(b"\r\n" * 4_000_000 + READ) == READ


@pytest.mark.parametrize("wrong", [b"chunked\r\n\r\nzz\r\n", b"gzip, chunked\r\n\r\n"], ids=["chunk", "coding"])
def test_refused_head_request_has_no_body(api: Api, gate: bool, wrong: bytes) -> None:
    if not gate and b"gzip" in wrong:
        pytest.skip("h11 does not tell the method of what it cannot read")
    with Connection(api.url) as connection:
        head = f"HEAD {ORDERS}/101 HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: ".encode()
        received = connection.provoked_by(head + wrong, 0.5)
    assert received.startswith(b"HTTP/1.1 ")
    assert received.endswith(b"\r\n\r\n")


def test_a_connection_goes_on_after_a_full_backlog(api: Api) -> None:
    order_id = api.create()["id"]
    connection = api.connect()
    connection.request("GET", f"{ORDERS}/{order_id}/track?timeout=30")
    api.until_held(1)
    for _ in range(2):
        connection.request("GET", f"{ORDERS}/{order_id}/track?timeout=0", {"X-Long": "x" * 9_000})
    api.made(order_id, "preparing")
    assert [connection.answer().status for _ in range(3)] == [200, 200, 200]
    assert connection.ask("GET", f"{ORDERS}/{order_id}").status == 200
