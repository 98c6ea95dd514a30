"""The HTTP parser of the load generator, and the allowed targets."""

from __future__ import annotations

import pytest

from ordertrack.load import CannotLoad, LoadTarget, loopback_target
from ordertrack.load.http_parser import MalformedResponse, parse_response
from ordertrack.load.percentile import percentile
from ordertrack.load.target import raise_file_limit, source_addresses

ANSWER = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 8\r\nETag: W/"x.2"\r\n\r\n{"a": 1}'


def test_a_whole_answer_is_cut_into_status_head_and_body():
    response = parse_response(ANSWER)
    assert response is not None
    assert (response.status, response.body, response.rest) == (200, b'{"a": 1}', b"")
    assert response.header(b"etag") == b'W/"x.2"'
    assert response.header(b"connection") == b""
    assert not response.closing


def test_any_part_of_an_answer_is_not_an_answer_yet():
    assert {parse_response(ANSWER[:length]) for length in range(len(ANSWER))} == {None}


def test_data_after_a_response_is_returned():
    response = parse_response(ANSWER + b"HTTP/1.1 200")
    assert response is not None
    assert response.rest == b"HTTP/1.1 200"


@pytest.mark.parametrize("status", [204, 304])
def test_answers_without_a_body_end_with_their_head(status: int):
    response = parse_response(b"HTTP/1.1 %d X\r\nconnection: close\r\n\r\n" % status)
    assert response is not None
    assert (response.status, response.body, response.closing) == (status, b"", True)


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
def test_response_without_a_valid_length_is_malformed(data: bytes):
    with pytest.raises(MalformedResponse):
        parse_response(data)


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("http://127.0.0.1:5001", LoadTarget("127.0.0.1", 5001)),
        ("http://localhost:5001/", LoadTarget("127.0.0.1", 5001)),
        ("127.0.0.9:80", LoadTarget("127.0.0.9", 80)),
        ("http://[::1]:5001", LoadTarget("::1", 5001)),
    ],
)
def test_loopback_addresses_may_be_loaded(url: str, target: LoadTarget):
    assert loopback_target(url) == target


@pytest.mark.parametrize(
    "url",
    ["http://192.0.2.1:5001", "http://example.com", "https://127.0.0.1:5001", "http://127.0.0.1:99999", "http://", ""],
)
def test_other_targets_may_not_be_loaded(url: str):
    with pytest.raises(CannotLoad):
        loopback_target(url)


def test_connections_use_several_loopback_addresses():
    ours = source_addresses(LoadTarget("127.0.0.1", 80))
    assert len({next(ours) for _ in range(100)}) > 4
    assert next(source_addresses(LoadTarget("::1", 80))) is None


def test_more_connections_than_open_files_are_refused():
    with pytest.raises(CannotLoad, match="open files"):
        raise_file_limit(10**9)


def test_percentiles_are_values_that_were_measured():
    assert [percentile([3.0, 1.0, 2.0], part) for part in (0, 0.5, 0.99, 1)] == [1.0, 2.0, 3.0, 3.0]
