"""Request smuggling: a body after `Upgrade` is a body, behind a proxy that forwards `Upgrade` and behind one that does
not. RFC 9110, 7.8: a server that does not know the protocol ignores the header.
"""

from __future__ import annotations

import queue
import re
import socket
import threading
from collections.abc import Iterator

import pytest

from proxies.reverse_proxy import KINDS
from support.api import BULK, JSON, ORDERS
from support.http1 import BOUND_S, Connection

UPGRADE = {"Connection": "Upgrade", "Upgrade": "x"}
LINE_BREAKS = b"\r\n" * 300_000
"""Empty lines, which a parser skips before a request: after any first read, the rest begins with a request."""
HEAD_END = b"\r\n\r\n"


def _forward_upgrade(text: str) -> str:
    """Forward `Upgrade`, as many configurations do for WebSocket, and HAProxy and Caddy by default."""
    changed = re.sub(
        r"^\s*(http-request del-header Upgrade|request_header -(Upgrade|Connection))\n", "", text, flags=re.M
    )
    changed = changed.replace('Connection "";', "Connection $connection_upgrade;")
    changed = changed.replace('Upgrade "";', "Upgrade $http_upgrade;")
    if "$connection_upgrade" in changed:
        changed = "map $http_upgrade $connection_upgrade { default upgrade; '' ''; }\n" + changed
    assert changed != text
    return changed


class Recorder:
    """A server that answers every request without a body with 204, and keeps the heads it was sent."""

    def __init__(self) -> None:
        self.heads: queue.Queue[bytes] = queue.Queue()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._accept)
        self._thread.start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join(BOUND_S)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(BOUND_S)
                self._serve(connection)

    def _serve(self, connection: socket.socket) -> None:
        """One request: the answer ends the connection, so that the next is accepted."""
        received = b""
        while HEAD_END not in received and (data := connection.recv(65_536)):
            received += data
        if received:
            self.heads.put(received)
            connection.sendall(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    recorder = Recorder()
    yield recorder
    recorder.close()


@pytest.mark.parametrize("name", KINDS)
def test_upgrade_is_not_forwarded(name: str, recorder: Recorder, start_proxy):
    proxy = start_proxy(name, recorder.url)
    with Connection(proxy.url) as client:
        assert client.ask("GET", "/healthz", UPGRADE).status == 204
    head = recorder.heads.get(timeout=BOUND_S).lower()
    assert head.startswith(b"get /healthz http/1.1\r\n")
    assert b"upgrade" not in head


@pytest.mark.parametrize("name", KINDS)
def test_body_after_upgrade_is_not_a_request(name: str, server, direct, start_proxy):
    _smuggle(start_proxy(name, server.url).url, direct)


@pytest.mark.parametrize("name", ["nginx", "haproxy", "caddy"])
def test_body_after_forwarded_upgrade_is_not_a_request(name: str, server, direct, start_proxy):
    _smuggle(start_proxy(name, server.url, edit=_forward_upgrade).url, direct)


def _smuggle(url: str, direct) -> None:
    """Send a body that looks like an update of another order; then ask as other clients do."""
    asked, victim = direct.create()["id"], direct.create()["id"]
    update = b'{"status": "cancelled"}'
    body = (
        LINE_BREAKS
        + (
            f"PUT {ORDERS}/{victim}/status HTTP/1.1\r\nHost: t\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(update)}\r\n\r\n"
        ).encode()
        + update
    )
    for _ in range(6):
        with Connection(url) as client:
            assert client.ask("POST", BULK, {**JSON, **UPGRADE}, body).status == 400
        for _ in range(4):
            with Connection(url) as other:
                assert other.ask("GET", f"{ORDERS}/{asked}").json()["data"]["id"] == asked
    assert direct.order(victim)["status"] == "confirmed", "the body was read as a request"
