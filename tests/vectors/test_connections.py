"""Connections between and after requests, with the gate and without it."""

from __future__ import annotations

import ctypes
import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.http1 import Connection
from vectors.exchange import is_marked
from vectors.messages import (
    BEFORE,
    BEFORE_STATUSES,
    CANARY,
    CHUNKED,
    HEALTH,
    JSON,
    NEW,
    POLL,
    SAME,
    STATUS,
    chunked,
    create,
    get,
    length,
    put,
)
from vectors.subjects import TRANSPORTS, Subject, running

ROUNDS = 20
"""Repetitions of a test whose outcome may depend on the moment."""
LARGE = 60_000
MAX_BODY_BYTES = 65_536
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
CLOSE = b"Connection: close"
EXPECT = b"Expect: 100-continue"
PIDFD_GETFD = 438


@pytest.fixture
def connection(subject: Subject) -> Iterator[Connection]:
    with Connection(subject.url) as connection:
        connection.set_no_delay()
        yield connection


def statuses(connection: Connection, count: int) -> list[int]:
    return [connection.answer().status for _ in range(count)]


# Answers in their order


def test_pipelined_answers_leave_at_once(subject: Subject, connection: Connection) -> None:
    """With Nagle's algorithm on, the second answer would wait for the acknowledgement of the first, 40 ms."""
    connection.send(POLL + POLL)
    assert statuses(connection, 2) == [200, 200]
    with _server_side(subject, connection) as other_side:
        assert other_side.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0


def _server_side(subject: Subject, connection: Connection) -> socket.socket:
    """A copy of the server's descriptor of this connection (Linux, pidfd_getfd)."""
    if sys.platform != "linux":
        pytest.skip("needs pidfd_getfd")
    ours = socket.socket(fileno=os.dup(connection.fileno()))
    with ours:
        ends = ours.getsockname(), ours.getpeername()
    process = os.pidfd_open(subject.pid)
    try:
        for entry in Path(f"/proc/{subject.pid}/fd").iterdir():
            if not str(entry.readlink()).startswith("socket:"):
                continue
            fd = ctypes.CDLL(None, use_errno=True).syscall(PIDFD_GETFD, process, int(entry.name), 0)
            if fd < 0:
                pytest.skip(f"pidfd_getfd is not allowed here: {os.strerror(ctypes.get_errno())}")
            theirs = socket.socket(fileno=fd)
            try:
                if (theirs.getpeername(), theirs.getsockname()) == ends:
                    return theirs
            except OSError:  # a listener has no peer
                pass
            theirs.close()
    finally:
        os.close(process)
    raise AssertionError("the server has no such connection")


@pytest.mark.parametrize("framing", ["length", "chunks"])
def test_requests_behind_a_large_body_are_answered(connection: Connection, framing: str) -> None:
    body = NEW.ljust(LARGE)
    large = (
        create(length(body), body=body) if framing == "length" else create(CHUNKED, body=chunked(body[:9], body[9:]))
    )
    connection.send(large + get() + POLL + get(target=HEALTH) + CANARY)
    assert statuses(connection, 4) == [201, 200, 200, 200]
    assert is_marked(connection.answer(), "canary")


def test_many_requests_sent_at_once_are_answered(connection: Connection) -> None:
    body = NEW.ljust(2_000)
    connection.send((create(length(body), body=body) + POLL + put(length(SAME)) + get()) * 50 + CANARY)
    assert statuses(connection, 200) == [201, 200, 200, 200] * 50
    assert is_marked(connection.answer(), "canary")


# The end of what a client sends


@pytest.mark.parametrize("request_", [get(), POLL, put(length(SAME)), create(length(NEW)), get(target=HEALTH)])
def test_a_half_closed_client_gets_its_answer(subject: Subject, request_: bytes) -> None:
    for _ in range(ROUNDS):
        with Connection(subject.url) as connection:
            connection.send(request_)
            connection.end_of_sending()
            assert connection.answer().status in (200, 201)
            assert connection.closed_by_peer()


def test_a_half_closed_client_gets_all_its_answers(subject: Subject) -> None:
    if not subject.is_gate:
        pytest.skip("uvicorn answers the request that runs, and ends the connection")
    for _ in range(ROUNDS):
        with Connection(subject.url) as connection:
            connection.send(BEFORE + create(length(NEW)))
            connection.end_of_sending()
            assert statuses(connection, 4) == [*BEFORE_STATUSES, 201]
            assert connection.closed_by_peer()


@pytest.mark.parametrize("extra", [b"}", b"\n", b"\x00", b"x", b"}\r\n\r\n", b"\x16\x03\x01"])
@pytest.mark.parametrize("pieces", [1, 2])
def test_bytes_after_a_request_leave_it_intact(subject: Subject, extra: bytes, pieces: int) -> None:
    """They are refused when it has been answered, or wait for the rest of a request."""
    request = create(length(NEW))
    for _ in range(ROUNDS):
        with Connection(subject.url) as connection:
            connection.set_no_delay()
            for piece in [request + extra] if pieces == 1 else [request, extra]:
                connection.send(piece)
            assert connection.answer().status == 201
            connection.end_of_sending()
            assert _status_lines(connection.rest()) in ([], [b"400"])


@pytest.mark.parametrize("request_", [put(CLOSE, length(SAME)), put(length(SAME), version=b"HTTP/1.0"), get(CLOSE)])
@pytest.mark.parametrize("more", [CANARY, b"}", b"\r\n"])
def test_bytes_after_the_last_request_leave_it_intact(subject: Subject, request_: bytes, more: bytes) -> None:
    """A client may send on what a `Connection: close` leaves unanswered (RFC 9112, 9.6)."""
    for _ in range(ROUNDS):
        with Connection(subject.url) as connection:
            connection.set_no_delay()
            connection.send(request_)
            connection.send(more)
            answer = connection.answer()
            assert (answer.status, answer.headers["connection"].lower()) == (200, "close")
            assert connection.closed_by_peer()


def _status_lines(received: bytes) -> list[bytes]:
    return [part[:3] for part in received.split(b"HTTP/1.1 ")[1:]]


@pytest.mark.parametrize("size", [MAX_BODY_BYTES + 1, 300_000])
def test_a_client_that_sends_a_too_large_body_gets_413(subject: Subject, size: int) -> None:
    """Most clients read the answer after they have sent the whole body, so it must not be lost to a reset."""
    body = NEW.ljust(size)
    for _ in range(ROUNDS):
        with Connection(subject.url) as connection:
            connection.send(create(length(body), body=body))
            assert connection.answer().status == 413


def test_a_refusal_is_not_lost_to_a_reset(subject: Subject) -> None:
    if not subject.is_gate:
        pytest.skip("uvicorn closes at once: what it has not read makes the kernel send a reset")
    for _ in range(ROUNDS):
        with Connection(subject.url) as connection:
            connection.send(b"GET /healthz HTTP/1.1\r\nHost: t\r\nX : y\r\n\r\n" + b"x" * 100_000)
            assert connection.answer().status == 400
            connection.end_of_sending()
            assert connection.ends_without_reset()


# Versions and what is kept


def test_http_1_0_with_keep_alive(connection: Connection) -> None:
    connection.send(get(b"Connection: keep-alive", version=b"HTTP/1.0"))
    answer = connection.answer()
    assert answer.status == 200
    if answer.headers.get("connection", "").lower() == "keep-alive":
        connection.send(CANARY)
        assert is_marked(connection.answer(), "canary")
    else:
        assert answer.headers["connection"].lower() == "close"
        assert connection.closed_by_peer()


# Expect: 100-continue


@pytest.mark.parametrize(
    ("head", "body"),
    [(put(EXPECT, length(SAME), body=b""), SAME), (put(EXPECT, CHUNKED, body=b""), chunked(SAME))],
    ids=["length", "chunks"],
)
@pytest.mark.parametrize("before", [b"", BEFORE], ids=["first", "behind other requests"])
def test_a_waiting_client_gets_100_continue(connection: Connection, head: bytes, body: bytes, before: bytes) -> None:
    connection.send(before + head)
    assert statuses(connection, 3 if before else 0) == (BEFORE_STATUSES if before else [])
    assert connection.take(len(CONTINUE)) == CONTINUE
    connection.send(body + CANARY)
    assert connection.answer().status == 200
    assert is_marked(connection.answer(), "canary")


@pytest.mark.parametrize(
    "request_",
    [
        get(EXPECT),
        get(EXPECT, length(b"")),
        put(EXPECT, length(SAME), version=b"HTTP/1.0"),
        create(EXPECT, length(b" " * (MAX_BODY_BYTES + 1)), body=b""),
        get(EXPECT, length(b" " * 10), JSON, method=b"FOO", target=STATUS),
    ],
    ids=["no body", "length 0", "HTTP/1.0", "too large", "unknown method"],
)
def test_no_100_for_a_refused_request(connection: Connection, request_: bytes) -> None:
    connection.send(request_)
    assert connection.take(len(CONTINUE)) != CONTINUE


def test_no_100_after_the_body(subject: Subject, connection: Connection) -> None:
    if not subject.is_gate:
        pytest.skip("uvicorn says so whenever the body is asked for, which RFC 9110, 10.1.1, allows")
    connection.send(put(EXPECT, length(SAME)))
    assert connection.take(len(CONTINUE)) != CONTINUE


# Time


@pytest.fixture(scope="module", params=TRANSPORTS)
def impatient(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a server that waits a second at most."""
    bounds = ("--head-timeout-s", "1", "--body-timeout-s", "1", "--keep-alive-s", "1")
    with running(tmp_path_factory.mktemp("impatient") / "data", request.param, *bounds) as server:
        yield server.url


WAITING = {
    "nothing": b"",
    "CRLF": b"\r\n",
    "two CRLF": b"\r\n\r\n",
    "CR": b"\r",
    "CRLF after an answer": get() + b"\r\n\r\n",
    "half a head after an answer": get() + b"GET /heal",
    "head without its body": put(length(SAME), body=b""),
    "body without its end": put(length(SAME))[:-1],
    "head without its chunks": put(CHUNKED, body=b""),
    "chunks without their end": put(CHUNKED, body=b"1\r\n{\r\n"),
    "trailers without their end": put(CHUNKED, body=chunked(SAME)[:-2]),
    "told to continue": put(EXPECT, length(SAME), body=b""),
}


def test_silent_clients_are_disconnected(impatient: str) -> None:
    """All at once, so that they wait together."""
    connections = {name: Connection(impatient) for name in WAITING}
    try:
        for name, connection in connections.items():
            connection.send(WAITING[name])
        for name, connection in connections.items():
            received = _status_lines(connection.rest())
            answered = {"told to continue": [b"100"], **{n: [b"200"] for n in WAITING if "after an answer" in n}}
            assert received in (answered.get(name, []), [*answered.get(name, []), b"400"]), name
    finally:
        for connection in connections.values():
            connection.close()


@pytest.mark.parametrize(("start", "drop"), [(b"", b"\r\n"), (put(CHUNKED, body=b""), b"1\r\n{\r\n")])
def test_slow_clients_are_disconnected(impatient: str, start: bytes, drop: bytes) -> None:
    with Connection(impatient) as connection:
        connection.send(start)
        for _ in range(400):
            if any(connection.provoked_by_byte(byte, 0.01) is None for byte in drop):
                return
    raise AssertionError("it was not cut")
