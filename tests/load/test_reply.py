"""Answers cut out of bytes, and where load may go."""

from __future__ import annotations

import pytest

from ordertrack.load import CannotLoad, Malformed, Target, loopback_target, percentile, room_for, split
from ordertrack.load.target import sources

ANSWER = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 8\r\nETag: W/"x.2"\r\n\r\n{"a": 1}'


def test_a_whole_answer_is_cut_into_status_head_and_body():
    reply = split(ANSWER)
    assert reply is not None
    assert (reply.status, reply.body, reply.rest) == (200, b'{"a": 1}', b"")
    assert reply.header(b"etag") == b'W/"x.2"'
    assert reply.header(b"connection") == b""
    assert not reply.closing


def test_any_part_of_an_answer_is_not_an_answer_yet():
    assert {split(ANSWER[:length]) for length in range(len(ANSWER))} == {None}


def test_what_follows_an_answer_is_handed_over():
    reply = split(ANSWER + b"HTTP/1.1 200")
    assert reply is not None
    assert reply.rest == b"HTTP/1.1 200"


@pytest.mark.parametrize("status", [204, 304])
def test_answers_without_a_body_end_with_their_head(status: int):
    reply = split(b"HTTP/1.1 %d X\r\nconnection: close\r\n\r\n" % status)
    assert reply is not None
    assert (reply.status, reply.body, reply.closing) == (status, b"", True)


@pytest.mark.parametrize(
    "data",
    [
        b"\r\n\r\n",
        b"SSH-2.0-x\r\n\r\n",
        b"HTTP/1.1 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
    ],
)
def test_what_cannot_be_measured_is_malformed(data: bytes):
    with pytest.raises(Malformed):
        split(data)


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("http://127.0.0.1:5001", Target("127.0.0.1", 5001)),
        ("http://localhost:5001/", Target("127.0.0.1", 5001)),
        ("127.0.0.9:80", Target("127.0.0.9", 80)),
        ("http://[::1]:5001", Target("::1", 5001)),
    ],
)
def test_loopback_addresses_may_be_loaded(url: str, target: Target):
    assert loopback_target(url) == target


@pytest.mark.parametrize(
    "url",
    ["http://192.0.2.1:5001", "http://example.com", "https://127.0.0.1:5001", "http://127.0.0.1:99999", "http://", ""],
)
def test_nothing_else_may(url: str):
    with pytest.raises(CannotLoad):
        loopback_target(url)


def test_connections_come_from_several_addresses_of_ipv4_loopback():
    ours = sources(Target("127.0.0.1", 80))
    assert len({next(ours) for _ in range(100)}) > 4
    assert next(sources(Target("::1", 80))) is None


def test_more_connections_than_open_files_are_refused_before_anything_is_done():
    with pytest.raises(CannotLoad, match="open files"):
        room_for(10**9)


def test_percentiles_are_values_that_were_measured():
    assert [percentile([3.0, 1.0, 2.0], part) for part in (0, 0.5, 0.99, 1)] == [1.0, 2.0, 3.0, 3.0]
