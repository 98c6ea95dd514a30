"""Slow, dead and greedy peers: each costs a bounded amount, and does not delay others."""

from __future__ import annotations

import contextlib
import resource
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.api import ORDERS, Api, track
from support.http1 import BOUND_S, Connection
from support.server import Server


@pytest.fixture(scope="module", params=["on", "off"], ids=["gate", "asgi"])
def impatient(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Has the bounds of a server of ours, in a tenth of the time."""
    bounds = ("--head-timeout-s", "1", "--body-timeout-s", "1", "--read-timeout-s", "1", "--keep-alive-s", "2")
    server = Server(tmp_path_factory.mktemp("impatient") / "data", "--gate", request.param, *bounds)
    yield server
    server.stop()
    server.close()


PARTS = {
    "head of a poll": b"GET /api/v1/orders/101/tr",
    "head of an update": b"PUT /api/v1/orders/101/status HTTP/1.1\r\nHost",
    "body": b"PUT /api/v1/orders/101/status HTTP/1.1\r\nHost: x\r\n"
    b"Content-Type: application/json\r\nContent-Length: 9\r\n\r\n{",
}
BEFORE = {"first": [], "after a poll": [track(101)], "after another request": [f"{ORDERS}/101"]}
NO_REQUEST = {"nothing": b"", "empty lines": b"\r\n\r\n", "half an empty line": b"\r"}


def test_clients_that_stop_within_a_request_are_cut(impatient: Server) -> None:
    """All at once, so that they wait together."""
    with contextlib.ExitStack() as stack:
        stopped = {}
        for name, before in BEFORE.items():
            for part, sent in PARTS.items():
                connection = stack.enter_context(Connection(impatient.url))
                for target in before:
                    assert connection.ask("GET", target).status == 200
                connection.send(sent)
                stopped[f"{part}, {name}"] = connection
        assert [name for name, connection in stopped.items() if not connection.closed_by_peer()] == []


def test_a_client_that_sends_single_bytes_slowly_is_cut(impatient: Server) -> None:
    with Connection(impatient.url) as connection:
        received = b""
        for byte in b"GET /api/v1/orders/101/track?" + b"x" * 100:
            received = connection.provoked_by_byte(byte, 0.05)
            if received is None:
                break
        assert received is None, "it was not cut"


def test_a_client_that_never_reads_is_cut(impatient: Server, request: pytest.FixtureRequest) -> None:
    """uvicorn does not cut it, but reads no more."""
    is_gate = request.node.callspec.id == "gate"
    api = Api(impatient.url)
    try:
        order_id = api.create(note="x" * 1000)["id"]
        for courier in range(300):
            assert api.assign(order_id, f"courier-{courier:050d}").status_code == 200
        greedy = _small_windows(impatient.url)
        poll = f"GET {track(order_id)} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
        greedy.settimeout(BOUND_S if is_gate else 2)
        with pytest.raises(ConnectionError) if is_gate else contextlib.suppress(TimeoutError):
            while True:
                greedy.sendall(poll * 50)
        greedy.close()
        assert api.order(order_id)["id"] == order_id
    finally:
        api.close()


def test_clients_that_stop_within_a_head_do_not_delay_others(api: Api) -> None:
    order_id = api.create()["id"]
    slow = [api.connect() for _ in range(300)]
    for connection in slow:
        connection.send(b"GET /api/v1/orders/101/tr")
    honest = api.connect()
    honest.request("GET", track(order_id, timeout=30))
    api.until_held(1)
    api.made(order_id, "preparing")
    assert honest.answer().json()["reason"] == "changed"


def test_idle_connections_are_closed_after_the_setting(tmp_path: Path) -> None:
    server = Server(tmp_path / "data", "--keep-alive-s", "1")
    try:
        with Connection(server.url) as silent, Connection(server.url) as spoke:
            assert spoke.ask("GET", track(101)).status == 200
            assert spoke.closed_by_peer()
            assert silent.closed_by_peer()
    finally:
        server.stop()
        server.close()


def test_a_long_answer_reaches_a_client_that_reads_slowly(api: Api) -> None:
    """More than the kernel buffers at once: what it does not take is sent later, and the connection goes on."""
    order_id = api.create(note="x" * 1000)["id"]
    for courier in range(400):
        assert api.assign(order_id, f"courier-{courier:050d}").status_code == 200
    connection = _small_windows(api.url)
    request = f"GET {track(order_id)} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    count = 40
    connection.sendall(request * count)
    received = bytearray()
    while not received.endswith(b"}") or received.count(b"HTTP/1.1 200 OK") < count:
        data = connection.recv(4096)
        assert data, "the connection ended early"
        received += data
    connection.close()


def test_a_client_that_never_reads_does_not_delay_others(api: Api) -> None:
    order_id = api.create(note="x" * 1000)["id"]
    for courier in range(300):
        assert api.assign(order_id, f"courier-{courier:050d}").status_code == 200
    greedy = _small_windows(api.url)
    greedy.sendall(f"GET {track(order_id)} HTTP/1.1\r\nHost: x\r\n\r\n".encode() * 100)
    honest = api.connect()
    honest.request("GET", track(order_id, timeout=30))
    api.until_held(1)
    api.made(order_id, "preparing")
    assert honest.answer().json()["reason"] == "changed"
    greedy.close()


def _small_windows(url: str) -> socket.socket:
    host, _, port = url.removeprefix("http://").partition(":")
    connection = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.settimeout(BOUND_S)
    connection.connect((host, int(port)))
    return connection


def test_without_free_descriptors_accepting_pauses_and_goes_on(tmp_path: Path) -> None:
    server = Server(tmp_path / "data", "--gate", "on", "--log-format", "json")
    api = Api(server.url)
    try:
        api.order(101)
        used = len(list(Path(f"/proc/{server.pid}/fd").iterdir()))
        resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (used + 5, used + 5))
        crowd = [api.connect() for _ in range(30)]
        crowd[0].request("GET", track(101, timeout=30))
        api.until_held(1)
        for connection in crowd[1:]:
            connection.close()
        late = api.connect()
        assert late.ask("GET", f"{ORDERS}/101").status == 200
        api.made(101, "preparing")
        assert crowd[0].answer().json()["reason"] == "changed"
    finally:
        api.close()
        server.stop()
        server.close()
    assert server.log.count("out of descriptors") == 1


@pytest.mark.parametrize(
    "sent",
    [b"", b"\r\n\r\n", b"GET /healthz HTTP/1.1\r\nHost", b"POST /api/v1/orders HTTP/1.1\r\nHost: x\r\n"
     b"Content-Type: application/json\r\nContent-Length: 9\r\n\r\n{"],
    ids=["silent", "empty lines", "half a head", "half a body"],
)  # fmt: skip
def test_connections_without_a_request_make_room(tmp_path: Path, sent: bytes) -> None:
    server = Server(tmp_path / "data", "--gate", "on")
    api = Api(server.url)
    try:
        used = len(list(Path(f"/proc/{server.pid}/fd").iterdir()))
        resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (used + 20, used + 20))
        for _ in range(60):
            api.connect().send(sent)
        assert api.connect().ask("GET", "/healthz").status == 200
    finally:
        api.close()
        server.close()


def test_clients_that_send_no_request_are_cut(impatient: Server) -> None:
    with contextlib.ExitStack() as stack:
        silent = [stack.enter_context(Connection(impatient.url)) for _ in NO_REQUEST]
        for connection, sent in zip(silent, NO_REQUEST.values(), strict=True):
            connection.send(sent)
        for connection in silent:
            assert connection.rest()[:12] in (b"", b"HTTP/1.1 400")  # h11 skips no empty lines
