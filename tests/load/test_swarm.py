"""The generator finds every kind of wrong answer. The server is a socket that the test writes to itself."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator

import pytest

from ordertrack.load import Feed, Kitchen, OrdertrackDialect, Poll, Reply, Swarm, Target, WrongAnswer

ORDER = 7
TURN_S = 5.0
"""The bound on every wait: only ever reached by a failing test."""


class Server:
    """Accepts what the swarm opens; the test says what it answers."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.target = Target(*self.listener.getsockname())
        self.connections: list[socket.socket] = []

    def accept(self) -> socket.socket:
        connection, _ = self.listener.accept()
        connection.settimeout(TURN_S)
        self.connections.append(connection)
        return connection

    def close(self) -> None:
        for connection in (self.listener, *self.connections):
            connection.close()


@pytest.fixture
def server() -> Iterator[Server]:
    opened = Server()
    yield opened
    opened.close()


@pytest.fixture
def swarm(server: Server) -> Iterator[Swarm]:
    with Swarm(server.target, OrdertrackDialect(hold_s=30)) as opened:
        yield opened


@pytest.fixture
def feed() -> Feed:
    return Feed(ORDER, 1, b"e.1")


@pytest.fixture
def poll(swarm: Swarm, feed: Feed) -> Poll:
    """It waits."""
    added = swarm.add(feed)
    swarm.ask(added)
    return added


@pytest.fixture
def wire(server: Server, poll: Poll) -> socket.socket:
    """The server's end of the poll's connection, its request read."""
    connection = server.accept()
    assert b"/orders/7/track?cursor=e.1&timeout=30 " in connection.recv(4096)
    return connection


def http(body: object, status: int = 200, *headers: str) -> bytes:
    content = json.dumps(body, separators=(",", ":")).encode()
    lines = [f"HTTP/1.1 {status} X", f"content-length: {len(content)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + content


def news(version: int, *, first: int | None = None, order: int = ORDER, terminal: bool = False) -> bytes:
    events = [{"version": n} for n in range(first or version, version + 1)]
    return http(
        {
            "data": {"id": order, "version": version},
            "has_update": True,
            "cursor": f"e.{version}",
            "reason": "changed",
            "terminal": terminal,
            "events": events,
        }
    )


def nothing_new(version: int = 1) -> bytes:
    return http(
        {"data": {"id": ORDER, "version": version}, "has_update": False, "cursor": f"e.{version}", "reason": "timeout"}
    )


def publish(swarm: Swarm, feed: Feed) -> None:
    swarm.publishing(feed, 1e12)  # in the future: never late


def wrongs(swarm: Swarm) -> dict[str, int]:
    return dict(swarm.wrong)


def test_a_right_answer_counts_and_the_poll_asks_again_from_there(swarm, feed, poll, wire):
    told: list[Feed] = []
    swarm.on_complete = told.append
    publish(swarm, feed)
    assert swarm.missing == 1
    wire.sendall(news(2))
    swarm.turn(TURN_S)
    assert (swarm.woken, swarm.missing, swarm.late, wrongs(swarm)) == (1, 0, 0, {})
    assert told == [feed]
    assert b"cursor=e.2&" in wire.recv(4096)


def test_an_answer_may_come_in_pieces(swarm, feed, poll, wire):
    publish(swarm, feed)
    data = news(2)
    for part in (data[:10], data[10:60], data[60:]):
        assert swarm.woken == 0
        wire.sendall(part)
        swarm.turn(TURN_S)
    assert (swarm.woken, wrongs(swarm)) == (1, {})


def test_polls_of_one_order_are_complete_when_the_last_is_answered(server, swarm, feed, poll, wire):
    second = swarm.add(feed)
    swarm.ask(second)
    other = server.accept()
    publish(swarm, feed)
    wire.sendall(news(2))
    swarm.turn(TURN_S)
    assert (swarm.missing, swarm.whole_s) == (1, [])
    other.sendall(news(2))
    swarm.turn(TURN_S)
    assert (swarm.missing, len(swarm.whole_s)) == (0, 1)


def test_two_versions_in_one_answer_are_fine_when_none_is_left_out(swarm, feed, poll, wire):
    publish(swarm, feed)
    publish(swarm, feed)
    wire.sendall(news(3, first=2))
    swarm.turn(TURN_S)
    assert (swarm.missing, wrongs(swarm)) == (0, {})


def test_a_poll_of_an_ended_order_does_not_ask_again(swarm, feed, poll, wire):
    publish(swarm, feed)
    wire.sendall(news(2, terminal=True))
    swarm.turn(TURN_S)
    assert not poll.waiting


@pytest.mark.parametrize(
    ("published", "answer", "what"),
    [
        (0, news(2), "woken for nothing"),
        (2, news(3), "a version was skipped"),
        (1, news(2, first=1), "woken twice for one version"),
        (1, news(2, order=8), "the answer of another order"),
        (0, nothing_new(), "a hold that ended before its time"),
        (1, http({}, 503), "status 503"),
        (1, news(2) + news(2), "more than one answer to one request"),
        (1, b"HTTP/1.1 200 OK\r\n\r\n", "an answer without Content-Length"),
    ],
)
def test_wrong_answers_are_named(swarm, feed, poll, wire, published: int, answer: bytes, what: str):
    for _ in range(published):
        publish(swarm, feed)
    wire.sendall(answer)
    swarm.turn(TURN_S)
    assert wrongs(swarm) == {what: 1}


def test_an_answer_that_nobody_asked_for_is_wrong(swarm, feed, poll, wire):
    swarm.again = False
    publish(swarm, feed)
    for _ in range(2):
        wire.sendall(news(2))
        swarm.turn(TURN_S)
    assert wrongs(swarm) == {"an answer that nobody asked for": 1}
    assert swarm.woken == 1


def test_news_that_comes_too_late_is_a_lost_wake_up(swarm, feed, poll, wire):
    swarm.publishing(feed, 0.0)
    wire.sendall(news(2))
    swarm.turn(TURN_S)
    assert swarm.late == 1


def test_a_timeout_after_an_acknowledged_update_is_a_lost_wake_up(swarm, feed, poll, wire):
    publish(swarm, feed)
    feed.acknowledged_at_s = 1e-9
    poll.asked_at_s -= 60
    wire.sendall(nothing_new())
    swarm.turn(TURN_S)
    assert (swarm.late, swarm.timeouts, swarm.missing, wrongs(swarm)) == (1, 1, 1, {})


def test_a_connection_that_closes_instead_of_answering_is_wrong_and_asked_again(server, swarm, feed, poll, wire):
    wire.close()
    swarm.turn(TURN_S)
    assert wrongs(swarm) == {"a connection closed instead of an answer": 1}
    assert b"cursor=e.1&" in server.accept().recv(4096)


def test_a_connection_that_closes_after_its_answer_is_opened_again(server, swarm, feed, poll, wire):
    publish(swarm, feed)
    wire.sendall(news(2).replace(b"content-length", b"connection: close\r\ncontent-length"))
    wire.close()
    swarm.turn(TURN_S)
    assert wrongs(swarm) == {}
    assert b"cursor=e.2&" in server.accept().recv(4096)


def test_who_hangs_up_asks_the_same_again(server, swarm, feed, poll, wire):
    swarm.abort(poll)
    assert wire.recv(4096) == b""
    assert b"cursor=e.1&" in server.accept().recv(4096)


def test_the_kitchen_reports_an_update_that_was_refused(server, swarm, feed):
    kitchen = Kitchen(swarm, [feed])
    connection = server.accept()
    connection.sendall(http({"changed": False}))
    cooked = kitchen.cook(1)
    assert (cooked.updates, cooked.refused) == (1, 1)
    assert b"PUT /api/v1/orders/7/status" in connection.recv(4096)


def test_the_kitchen_gives_up_when_nothing_moves(server, swarm, feed, poll, wire):
    kitchen = Kitchen(swarm, [feed])
    server.accept().sendall(http({"changed": True}))
    assert kitchen.cook(1, patience_s=0.05).woken == 0
    assert swarm.missing == 1


@pytest.mark.parametrize(
    "body",
    [
        {"data": {"id": 1, "version": 2}, "has_update": True, "cursor": "e.2", "reason": "reset", "events": []},
        {"data": {"id": 1, "version": 2}, "has_update": False, "cursor": "e.2", "reason": "timeout", "events": [{}]},
        {"data": {"id": 1}, "has_update": True, "cursor": "e.2", "reason": "changed", "events": []},
    ],
)
def test_an_answer_that_contradicts_itself_is_no_answer(body: object):
    with pytest.raises(WrongAnswer):
        OrdertrackDialect(1).answer(Reply(200, b"", json.dumps(body).encode(), b""))


def test_the_second_update_of_a_pair_does_not_wait_for_the_polls(server, swarm, feed, poll, wire):
    kitchen = Kitchen(swarm, [feed], twice=True)
    updates = server.accept()
    for _ in range(2):
        updates.sendall(http({"changed": True}))
        if feed.published == 1:
            assert kitchen.cook(1, patience_s=0.05).woken == 0
    wire.sendall(news(3, first=2))
    assert kitchen.cook(1).woken == 1
    assert (feed.published, swarm.missing, wrongs(swarm)) == (3, 0, {})
