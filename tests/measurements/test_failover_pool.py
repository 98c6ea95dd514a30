"""Clients whose node is gone or refuses them, in the measurement that kills a node."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from time import monotonic

import pytest

from bench.contenders import ordertrack_like
from bench.measures import nodes_pool
from bench.measures.nodes_pool import FailoverPool
from ordertrack.load import Feed, LoadTarget, OrdertrackProtocol

LIMIT_S = 60.0


@pytest.fixture
def nodes() -> Iterator[list[socket.socket]]:
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(3)]
    for listener in listeners:
        listener.settimeout(0.01)
    yield listeners
    for listener in listeners:
        listener.close()


@pytest.fixture
def pool(nodes: list[socket.socket], monkeypatch: pytest.MonkeyPatch) -> Iterator[FailoverPool]:
    monkeypatch.setattr(nodes_pool, "BACK_OFF_S", 0.01)
    first, *others = (
        ordertrack_like("node", LoadTarget(*node.getsockname()), OrdertrackProtocol(30), []) for node in nodes
    )
    with FailoverPool(first, others) as pool:
        yield pool


def accepted(pool: FailoverPool, node: socket.socket) -> tuple[socket.socket, bytes]:
    """Return the connection that the pool opens to the node, and its request."""
    ends_s = monotonic() + LIMIT_S
    while monotonic() < ends_s:
        pool.run_once(0)
        try:
            connection, _ = node.accept()
        except TimeoutError:
            continue
        connection.settimeout(LIMIT_S)
        return connection, connection.recv(65_536)
    raise AssertionError("no connection")


def test_closed_poll_goes_to_the_next_node_with_its_cursor(pool: FailoverPool, nodes: list[socket.socket]):
    pool.send_poll(pool.add(Feed(7, 2, b"epoch.2")))
    connection, request = accepted(pool, nodes[0])
    connection.close()
    connection, same = accepted(pool, nodes[1])
    with connection:
        assert same == request
    assert b"cursor=epoch.2&" in request
    assert not pool.wrong


def test_refused_poll_is_sent_again(pool: FailoverPool, nodes: list[socket.socket]):
    pool.send_poll(pool.add(Feed(7, 2, b"epoch.2")))
    accepted(pool, nodes[0])[0].close()
    connection, request = accepted(pool, nodes[1])
    connection.sendall(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n")
    again, same = accepted(pool, nodes[2])
    with connection, again:
        assert same == request
    assert pool.refused == {"503": 1}
    assert not pool.wrong
