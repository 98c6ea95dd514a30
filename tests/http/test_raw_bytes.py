"""Bytes that are not HTTP: the server may refuse them in any way, but continues and shows no bug."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from support.api import BULK, ORDERS, Api, encoded
from support.http1 import Connection
from support.server import Server

CASES = int(os.environ.get("ORDERTRACK_FUZZ_CASES", "300")) // 2
STATUS = re.compile(rb"^HTTP/1\.1 (\d{3}) ", re.MULTILINE)
SILENCE_S = 0.03
"""Connections without an answer by then wait for more bytes or hold a poll; they are closed."""

UPDATE = encoded({"status": "preparing", "reason": "x", "occurred_at": "2026-11-22T10:15:30.123Z"})
BULK_UPDATE = encoded({"updates": [{"order_id": 101, "status": "ready"}]})


def _with_body(line: str, body: bytes, *headers: str) -> bytes:
    fields = ["Host: x", "Content-Type: application/json", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join([line, *fields, "", ""]).encode() + body


SOUND = [
    f"GET {ORDERS}/101/track?timeout=0.01&cursor=a1b2.3 HTTP/1.1\r\nHost: x\r\nPrefer: wait=1\r\n\r\n".encode(),
    f'GET {ORDERS}/101/track?timeout=2 HTTP/1.1\r\nHost: x\r\nIf-None-Match: W/"a1b2.1"\r\n\r\n'.encode(),
    f"GET {ORDERS}/101/track?last_update=2026-01-01T00:00:00%2B01:00&client_id=x HTTP/1.1\r\nHost: x\r\n\r\n".encode(),
    f"GET {ORDERS}?status=ready&limit=5&cursor=o103 HTTP/1.1\r\nHost: x\r\n\r\n".encode(),
    f"HEAD {ORDERS}/101/events?after=1 HTTP/1.1\r\nHost: x\r\n\r\n".encode(),
    b"GET /apidocs/swagger-ui.css HTTP/1.1\r\nHost: x\r\nRange: bytes=0-10\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
    _with_body(f"PUT {ORDERS}/101/status HTTP/1.1", UPDATE, 'If-Match: "a1b2.1"'),
    _with_body(f"PUT {ORDERS}/102/courier HTTP/1.1", b'{"courier_id": 7}', "Expect: 100-continue"),
    _with_body(f"POST {BULK} HTTP/1.1", BULK_UPDATE, "Connection: Upgrade", "Upgrade: websocket"),
    _with_body(f"POST {ORDERS} HTTP/1.1", b'{"customer_id": 1, "restaurant_id": "2"}', "Idempotency-Key: k"),
    f"POST {ORDERS}/103/simulate-workflow HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
    "Content-Type: application/json\r\n\r\n9\r\n{\"speed\":\r\n3\r\n 2}\r\n0\r\n\r\n".encode(),
]  # fmt: skip
NASTY = [
    b"\x00", b"\r\n", b"\n", b"\xff\xfe", b"%00", b"%", b"%zz", b"%C3%28", b" ", b"\t", b":", b";", b"//", b"/../",
    b"?", b"#", b"*", b"\x7f", b"-1", b"18446744073709551616", b"0x10", b"HTTP/9.9", b"HTTP/1.0",
    b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n", b"Transfer-Encoding: gzip, chunked\r\n",
    b"Host: y\r\n", b"Connection: close\r\n", b"Expect: 100-continue\r\n", b"http://elsewhere/", b"A" * 70_000,
    "é🍕".encode(), b'{"a":' * 200, b"[" * 2_000,
]  # fmt: skip


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """One or two sound requests with a few of their bytes taken out, doubled, or replaced by something nasty."""
    request = b"".join(draw(st.lists(st.sampled_from(SOUND), min_size=1, max_size=2)))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(request)))
        end = min(len(request), start + draw(st.integers(0, 12)))
        piece = draw(st.sampled_from([b"", request[start:end] * 2]) | st.sampled_from(NASTY) | st.binary(max_size=8))
        request = request[:start] + piece + request[end:]
    return request


@pytest.fixture(scope="module")
def api(attacked: Server) -> Iterator[Api]:
    api = Api(attacked.url)
    yield api
    api.close()


@given(sent=st.one_of(mutated(), st.binary(max_size=300), st.text(max_size=100).map(str.encode)))
@example(sent=b"")
@example(sent=b"GET /\r\n\r\n")
@example(sent=b"CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n")
@example(sent=b"GET http:// HTTP/1.1\r\nHost: x\r\n\r\n")
@example(sent=b"GET ?x HTTP/1.1\r\nHost: x\r\n\r\n")
@example(sent=b"GET /%ff%00/%2f..%2f HTTP/1.1\r\nHost: x\r\n\r\n")
@example(sent=b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"A" * 200_000 + b"\r\n\r\n")
@example(sent=b"GET /" + b"A" * 200_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n")
@example(sent=b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 5_000 + b"\r\n")
@example(sent=_with_body(f"PUT {ORDERS}/101/status HTTP/1.1", UPDATE)[:-9])
@example(sent=_with_body(f"POST {ORDERS}/101/simulate-workflow HTTP/1.1", b"{}")[:-1])
@example(sent=b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
@settings(max_examples=CASES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
def test_no_bytes_stop_the_server_or_show_a_bug(api: Api, sent: bytes):
    with Connection(api.url) as connection:
        received = connection.provoked_by(sent, SILENCE_S)
    statuses = [int(status) for status in STATUS.findall(received)]
    assert [status for status in statuses if status >= 500 and status not in (501, 505)] == [], received
    assert not received or received.startswith(b"HTTP/1.1 "), received
    assert api.http.get("/healthz").status_code == 200


def test_no_poll_is_left_and_the_orders_are_whole(api: Api):
    api.until_held(0)
    for order_id in (101, 102, 103):
        order = api.order(order_id)
        assert [event["version"] for event in order["timeline"]] == list(range(1, order["version"] + 1))
    assert api.stats()["lost_wakeups_total"] == 0
