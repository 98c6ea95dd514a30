"""The proxies in front of three nodes: which requests another node gets when one fails."""

from __future__ import annotations

import itertools
import queue
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from types import TracebackType
from typing import Self

import pytest

from proxies.reverse_proxy import CLUSTERS, ReverseProxy
from support import ports
from support.api import JSON, ORDERS
from support.http1 import Connection

CHANGE = ("PUT", f"{ORDERS}/101/status", JSON, b'{"status": "preparing"}')
READ = ("GET", f"{ORDERS}/101")
ASKED = 12


class _Handler(socketserver.StreamRequestHandler):
    server: _Server

    def handle(self) -> None:
        while line := self.rfile.readline():
            length = 0
            while (header := self.rfile.readline().strip().lower()) not in (b"", None):
                if header.startswith(b"content-length:"):
                    length = int(header.partition(b":")[2])
            self.rfile.read(length)
            is_check = line.startswith(b"GET /readyz")
            if not is_check:
                self.server.received.put(line)
                if self.server.fails:
                    return
            self.wfile.write(b"HTTP/1.1 204 No Content\r\n\r\n")


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 64
    fails = False
    received: queue.Queue[bytes]

    def handle_error(self, *_: object) -> None:
        """The proxy resets connections: of its checks, and those that were ended."""


class FakeNode:
    """A node that answers every request with 204, or ends the connection when it has read one."""

    def __init__(self, *, fails: bool = False) -> None:
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.fails = fails
        self._server.received = queue.Queue()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})

    @property
    def received(self) -> int:
        return self._server.received.qsize()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def nodes() -> Iterator[Callable[..., FakeNode]]:
    with ExitStack() as stack:
        yield lambda **options: stack.enter_context(FakeNode(**options))


@pytest.fixture(params=CLUSTERS)
def in_front(request: pytest.FixtureRequest, start_proxy) -> Callable[..., ReverseProxy]:
    return lambda *urls: start_proxy(request.param, *urls)


def statuses(proxy: ReverseProxy, *asked: object) -> list[int]:
    found = []
    for _ in range(ASKED):
        with Connection(proxy.url) as client:
            found.append(client.ask(*asked).status)
    return found


def closed() -> str:
    return f"http://127.0.0.1:{ports.unused()}"


@pytest.mark.parametrize("asked", [READ, CHANGE], ids=["reads", "changes"])
def test_all_nodes_get_requests_in_turn(in_front, nodes, asked):
    three = [nodes() for _ in range(3)]
    proxy = in_front(*(node.url for node in three))
    assert statuses(proxy, *asked) == [204] * ASKED
    assert all(node.received > 0 for node in three)


@pytest.mark.parametrize("asked", [READ, CHANGE], ids=["reads", "changes"])
@pytest.mark.parametrize("place", range(3))
def test_request_that_was_not_sent_reaches_another_node(in_front, nodes, asked, place: int):
    urls = [nodes().url, nodes().url]
    urls.insert(place, closed())
    assert statuses(in_front(*urls), *asked) == [204] * ASKED


def test_read_that_fails_reaches_another_node(in_front, nodes):
    proxy = in_front(nodes(fails=True).url, nodes().url, nodes().url)
    assert statuses(proxy, *READ) == [204] * ASKED


def test_change_that_was_sent_is_not_sent_again(in_front, nodes):
    three = [nodes(fails=True) for _ in range(3)]
    proxy = in_front(*(node.url for node in three))
    for count in itertools.count(1):
        with Connection(proxy.url) as client:
            assert client.ask(*CHANGE).status in (502, 503)
        assert sum(node.received for node in three) <= count
        if count == 3:
            break
    assert sum(node.received for node in three) > 0


def test_metrics_are_refused_and_links_not_logged(in_front, nodes):
    proxy = in_front(nodes().url, nodes().url, nodes().url)
    with Connection(proxy.url) as client:
        assert client.ask("GET", "/metrics").status == 404
        assert client.ask("GET", "/t/otl_a-secret/track").status == 204
    assert "otl_a-secret" not in proxy.logged
