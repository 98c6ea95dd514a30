"""The load generator detects every kind of wrong answer. The test itself writes the answers of the server."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator

import pytest

from ordertrack.load import (
    Feed,
    HttpResponse,
    LoadTarget,
    OrdertrackProtocol,
    PollPool,
    Schedule,
    UpdateDriver,
    WrongAnswer,
)
from ordertrack.load.polls import PollConnection

ORDER = 7
TURN_S = 5.0
"""The limit of every wait, reached only by a failing test."""


class Server:
    """Accept the connections of the pool; the test writes the answers."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.target = LoadTarget(*self.listener.getsockname())
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
def pool(server: Server) -> Iterator[PollPool]:
    with PollPool(server.target, OrdertrackProtocol(hold_s=30)) as opened:
        yield opened


@pytest.fixture
def feed() -> Feed:
    return Feed(ORDER, 1, b"e.1")


@pytest.fixture
def poll(pool: PollPool, feed: Feed) -> PollConnection:
    """A poll that waits."""
    added = pool.add(feed)
    pool.send_poll(added)
    return added


@pytest.fixture
def wire(server: Server, poll: PollConnection) -> socket.socket:
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


def publish(pool: PollPool, feed: Feed) -> None:
    pool.record_update(feed, 1e12)  # in the future: never late


def wrongs(pool: PollPool) -> dict[str, int]:
    return dict(pool.wrong)


def test_correct_answer_counts_and_poll_continues(pool, feed, poll, wire):
    told: list[Feed] = []
    pool.on_complete = told.append
    publish(pool, feed)
    assert pool.missing == 1
    wire.sendall(news(2))
    pool.run_once(TURN_S)
    assert (pool.woken, pool.missing, pool.late, wrongs(pool)) == (1, 0, 0, {})
    assert told == [feed]
    assert b"cursor=e.2&" in wire.recv(4096)


def test_an_answer_may_come_in_pieces(pool, feed, poll, wire):
    publish(pool, feed)
    data = news(2)
    for part in (data[:10], data[10:60], data[60:]):
        assert pool.woken == 0
        wire.sendall(part)
        pool.run_once(TURN_S)
    assert (pool.woken, wrongs(pool)) == (1, {})


def test_order_is_complete_when_its_last_poll_is_answered(server, pool, feed, poll, wire):
    second = pool.add(feed)
    pool.send_poll(second)
    other = server.accept()
    publish(pool, feed)
    wire.sendall(news(2))
    pool.run_once(TURN_S)
    assert (pool.missing, pool.fan_out_s) == (1, [])
    other.sendall(news(2))
    pool.run_once(TURN_S)
    assert (pool.missing, len(pool.fan_out_s)) == (0, 1)


def test_two_consecutive_versions_in_one_answer_are_correct(pool, feed, poll, wire):
    publish(pool, feed)
    publish(pool, feed)
    wire.sendall(news(3, first=2))
    pool.run_once(TURN_S)
    assert (pool.missing, wrongs(pool)) == (0, {})


def test_a_poll_of_an_ended_order_does_not_ask_again(pool, feed, poll, wire):
    publish(pool, feed)
    wire.sendall(news(2, terminal=True))
    pool.run_once(TURN_S)
    assert not poll.waiting


@pytest.mark.parametrize(
    ("published", "answer", "what"),
    [
        (0, news(2), "woken without an update"),
        (2, news(3), "a version was skipped"),
        (1, news(2, first=1), "woken twice for one version"),
        (1, news(2, order=8), "the answer of another order"),
        (0, nothing_new(), "a hold that ended before its time"),
        (1, http({}, 503), "status 503"),
        (1, news(2) + news(2), "more than one answer to one request"),
        (1, b"HTTP/1.1 200 OK\r\n\r\n", "a response without Content-Length"),
    ],
)
def test_wrong_answers_are_named(pool, feed, poll, wire, published: int, answer: bytes, what: str):
    for _ in range(published):
        publish(pool, feed)
    wire.sendall(answer)
    pool.run_once(TURN_S)
    assert wrongs(pool) == {what: 1}


def test_answer_without_a_request_is_wrong(pool, feed, poll, wire):
    pool.repoll = False
    publish(pool, feed)
    for _ in range(2):
        wire.sendall(news(2))
        pool.run_once(TURN_S)
    assert wrongs(pool) == {"an answer without a request": 1}
    assert pool.woken == 1


def test_late_news_is_a_lost_wake_up(pool, feed, poll, wire):
    pool.record_update(feed, 0.0)
    wire.sendall(news(2))
    pool.run_once(TURN_S)
    assert pool.late == 1


def test_timeout_after_acknowledged_update_is_a_lost_wake_up(pool, feed, poll, wire):
    publish(pool, feed)
    feed.acknowledged_at_s = 1e-9
    poll.sent_at_s -= 60
    wire.sendall(nothing_new())
    pool.run_once(TURN_S)
    assert (pool.late, pool.timeouts, pool.missing, wrongs(pool)) == (1, 1, 1, {})


def test_close_without_answer_is_wrong_and_poll_is_sent_again(server, pool, feed, poll, wire):
    wire.close()
    pool.run_once(TURN_S)
    assert wrongs(pool) == {"a connection closed instead of an answer": 1}
    assert b"cursor=e.1&" in server.accept().recv(4096)


def test_close_after_answer_reconnects(server, pool, feed, poll, wire):
    publish(pool, feed)
    wire.sendall(news(2).replace(b"content-length", b"connection: close\r\ncontent-length"))
    wire.close()
    pool.run_once(TURN_S)
    assert wrongs(pool) == {}
    assert b"cursor=e.2&" in server.accept().recv(4096)


def test_aborted_poll_is_sent_again(server, pool, feed, poll, wire):
    pool.abort(poll)
    assert wire.recv(4096) == b""
    assert b"cursor=e.1&" in server.accept().recv(4096)


def test_driver_reports_a_refused_update(server, pool, feed):
    driver = UpdateDriver(pool, [feed])
    connection = server.accept()
    connection.sendall(http({"changed": False}))
    result = driver.run(1)
    assert (result.updates, result.refused) == (1, 1)
    assert b"PUT /api/v1/orders/7/status" in connection.recv(4096)


def test_driver_stops_without_progress(server, pool, feed, poll, wire):
    driver = UpdateDriver(pool, [feed])
    server.accept().sendall(http({"changed": True}))
    assert driver.run(1, stalled_after_s=0.05).woken == 0
    assert pool.missing == 1


@pytest.mark.parametrize(
    "body",
    [
        {"data": {"id": 1, "version": 2}, "has_update": True, "cursor": "e.2", "reason": "reset", "events": []},
        {"data": {"id": 1, "version": 2}, "has_update": False, "cursor": "e.2", "reason": "timeout", "events": [{}]},
        {"data": {"id": 1}, "has_update": True, "cursor": "e.2", "reason": "changed", "events": []},
    ],
)
def test_inconsistent_answer_is_wrong(body: object):
    with pytest.raises(WrongAnswer):
        OrdertrackProtocol(1).parse(HttpResponse(200, b"", json.dumps(body).encode(), b""))


def test_the_second_update_of_a_pair_does_not_wait_for_the_polls(server, pool, feed, poll, wire):
    driver = UpdateDriver(pool, [feed], paired=True)
    updates = server.accept()
    for _ in range(2):
        updates.sendall(http({"changed": True}))
        if feed.published == 1:
            assert driver.run(1, stalled_after_s=0.05).woken == 0
    wire.sendall(news(3, first=2))
    assert driver.run(1).woken == 1
    assert (feed.published, pool.missing, wrongs(pool)) == (3, 0, {})


class Overdue(Schedule):
    """Each update was due five seconds ago."""

    def due_at_s(self, number: int) -> float:
        return -5.0


def test_latency_counts_from_the_scheduled_time(server, pool, feed, poll, wire):
    driver = UpdateDriver(pool, [feed])
    server.accept().sendall(http({"changed": True}))
    wire.sendall(news(2))
    result = driver.run_schedule(Overdue(updates_per_s=1, seconds=1))
    assert result.updates == 1
    assert result.fan_out_s[0] >= 5


def test_polls_of_an_ended_order_continue_with_another(server, pool, feed, poll, wire):
    feed.published = poll.version = 4
    driver = UpdateDriver(pool, [feed], replacements=[Feed(8, 1, b"e.1")])
    server.accept().sendall(http({"changed": True}))
    wire.sendall(news(5, terminal=True))
    assert driver.run(1).woken == 1
    assert b"/orders/8/track?cursor=e.1&" in wire.recv(4096)
    assert (poll.version, pool.missing, wrongs(pool)) == (1, 0, {})


def test_updates_stop_when_the_server_falls_behind(server, pool, feed, poll, wire):
    driver = UpdateDriver(pool, [feed])
    server.accept().sendall(http({"changed": True}))
    wire.sendall(news(2))
    assert driver.run_schedule(Overdue(updates_per_s=9, seconds=1)).updates < 9
