"""Keep-alive connections in every mixture of requests: right answers, in order, and nothing left behind."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from support.api import JSON, ORDERS, Api, eventually, track
from support.http1 import Connection
from support.server import Server

PREPARING = json.dumps({"status": "preparing"}).encode()


def descriptors(server: Server) -> int:
    return len(list(Path(f"/proc/{server.pid}/fd").iterdir()))


def put(connection: Connection, order_id: int, status: str) -> None:
    body = json.dumps({"status": status}).encode()
    connection.request("PUT", f"{ORDERS}/{order_id}/status", JSON, body)


def test_polls_and_other_requests_alternate_on_one_connection(api: Api) -> None:
    order_id = api.create()["id"]
    connection = api.connect()
    for version, status in enumerate(("preparing", "ready", "picked_up", "delivered"), start=2):
        assert connection.ask("GET", track(order_id)).json()["data"]["version"] == version - 1
        put(connection, order_id, status)
        assert connection.answer().json()["data"]["version"] == version
        assert connection.ask("GET", "/apidocs/").status == 200
        assert connection.ask("HEAD", track(order_id)).status == 200
        assert connection.ask("OPTIONS", track(order_id)).status == 204
        assert connection.ask("GET", "/nowhere").status == 404


def test_requests_sent_together_are_answered_in_their_order(api: Api) -> None:
    order_id = api.create()["id"]
    connection = api.connect()
    together = b"".join(
        (
            connection.written("GET", track(order_id)),
            connection.written("PUT", f"{ORDERS}/{order_id}/status", JSON, PREPARING),
            connection.written("GET", track(order_id, timeout=0)),
            connection.written("GET", f"{ORDERS}/{order_id}"),
            connection.written("GET", track(order_id)),
        )
    )
    connection.send(together)
    answers = [connection.answer().json() for _ in range(5)]
    assert [answer["data"]["version"] for answer in answers] == [1, 2, 2, 2, 2]
    assert [answer.get("reason") for answer in answers] == ["snapshot", None, "timeout", None, "snapshot"]


def test_requests_behind_a_held_poll_wait_for_it(api: Api) -> None:
    order_id = api.create()["id"]
    connection = api.connect()
    connection.send(
        connection.written("GET", track(order_id, timeout=30))
        + connection.written("GET", f"{ORDERS}/{order_id}")
        + connection.written("GET", track(order_id))
    )
    api.until_held(1)
    assert connection.silent()
    api.made(order_id, "preparing")
    assert [connection.answer().json().get("reason") for _ in range(3)] == ["changed", None, "snapshot"]


@pytest.mark.parametrize("split_every", [1, 7])
def test_a_request_may_come_in_pieces_of_any_size(api: Api, split_every: int) -> None:
    order_id = api.create()["id"]
    connection = api.connect()
    requests = [
        connection.written("GET", track(order_id)),
        connection.written("PUT", f"{ORDERS}/{order_id}/status", JSON, PREPARING),
        connection.written("GET", track(order_id)),
    ]
    for request in requests:
        for at in range(0, len(request), split_every):
            connection.send(request[at : at + split_every])
    assert [connection.answer().json()["data"]["version"] for _ in range(3)] == [1, 2, 2]


def test_two_requests_may_be_cut_at_every_position(api: Api) -> None:
    order_id = api.create()["id"]
    connection = api.connect()
    poll = connection.written("GET", track(order_id, timeout=0))
    both = poll + connection.written("GET", f"{ORDERS}/{order_id}")
    connection.send(both)
    first, second = connection.answer(), connection.answer()
    for at in range(1, len(both)):
        connection.written("GET", "")
        connection.written("GET", "")
        connection.send(both[:at])
        connection.send(both[at:])
        again, after = connection.answer(), connection.answer()
        assert (again.status, again.headers["etag"]) == (first.status, first.headers["etag"]), f"cut at {at}"
        assert after.body == second.body, f"cut at {at}"


def test_a_connection_ends_when_it_was_asked_to(api: Api) -> None:
    order_id = api.create()["id"]
    for target in (track(order_id), f"{ORDERS}/{order_id}"):
        connection = api.connect()
        answer = connection.ask("GET", target, {"Connection": "close"})
        assert (answer.status, answer.headers["connection"]) == (200, "close")
        assert connection.closed_by_peer()


def test_http_1_0_is_answered_and_its_connection_closed(api: Api) -> None:
    order_id = api.create()["id"]
    for target in (track(order_id), f"{ORDERS}/{order_id}"):
        connection = api.connect()
        connection.send(f"GET {target} HTTP/1.0\r\nHost: x\r\n\r\n".encode())
        answer = connection.answer()
        assert (answer.status, answer.headers["connection"]) == (200, "close")
        assert connection.closed_by_peer()


@pytest.mark.parametrize(
    "target",
    [
        "/api/v1/orders/%31%30%31/track",
        "/api/v1/orders/101/tr%61ck",
        "http://elsewhere/api/v1/orders/101/track",
        "/api/v1/orders/101/track?",
        "/api/v1/orders/101/track?&&timeout=0",
        "/api/v1/orders/101/track?time%6Fut=0",
    ],
)
def test_unusual_targets_of_a_poll_are_understood(api: Api, target: str) -> None:
    answer = api.connect().ask("GET", target)
    assert (answer.status, answer.json()["data"]["id"]) == (200, 101)


def test_a_poll_with_a_body_is_answered_and_the_connection_goes_on(api: Api) -> None:
    connection = api.connect()
    for _ in range(2):
        assert connection.ask("GET", track(101), JSON, b'{"a": 1}').status == 200
        assert connection.ask("GET", track(101)).status == 200


def test_header_names_may_be_written_in_any_case(api: Api) -> None:
    order_id = api.create()["id"]
    connection = api.connect()
    etag = connection.ask("GET", track(order_id)).headers["etag"]
    answer = connection.ask("GET", track(order_id, timeout=0), {"IF-NONE-MATCH": etag, "PREFER": "WAIT=1"})
    assert (answer.status, answer.headers["preference-applied"]) == (304, "wait=1")


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Length: 3\r\nContent-Length: 4\r\n",
        b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: chunked, identity\r\n",
        b"Content-Length: +3\r\n",
        b"Content-Length: 3, 4\r\n",
        b"X-Name : value\r\n",
        b"X-Name: a\rX-Other: b\r\n",
        b"\x00: x\r\n",
    ],
)
@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_what_could_be_read_in_two_ways_is_refused_and_the_connection_ended(api: Api, method: str, head: bytes) -> None:
    connection = api.connect()
    request = f"{method} {track(101)} HTTP/1.1\r\nHost: x\r\n".encode() + head + b"\r\n"
    smuggled = b"PUT /api/v1/orders/101/status HTTP/1.1\r\nHost: x\r\n\r\n"
    received = connection.provoked_by(request + smuggled, 0.2)
    assert received.startswith(b"HTTP/1.1 400 ")
    assert received.count(b"HTTP/1.1 ") == 1, "what came behind it was not taken for a request"


def test_a_client_that_ends_its_sending_side_is_gone(api: Api) -> None:
    order_id = api.create()["id"]
    connection = api.connect()
    connection.request("GET", track(order_id, timeout=30))
    api.until_held(1)
    connection.end_of_sending()
    api.until_held(0)


def test_clients_that_come_and_go_leave_no_descriptor_behind(api: Api, server: Server, gate: bool) -> None:
    order_id = api.create()["id"]
    api.order(order_id)
    before = descriptors(server)
    for round_ in range(30):
        connection = api.connect()
        connection.request("GET", track(order_id, timeout=30))
        match round_ % 5:
            case 0:
                api.until_held(1)
                connection.close()
            case 1:
                connection.reset()
            case 2:
                api.until_held(1)
                connection.reset()
            case 3 if gate:  # uvicorn reads no more once a request is queued, and notices at the end of the hold only
                connection.request("PUT", f"{ORDERS}/{order_id}/status", JSON, PREPARING)
                connection.close()
            case _:
                connection.send(b"GET /api/v1/ord")
                connection.close()
    api.until_held(0)
    eventually(lambda: bool(api.stats()) and descriptors(server) <= before + 1, "all descriptors are closed")


def test_answers_are_the_same_but_for_their_date(tmp_path: Path) -> None:
    """A client, a proxy or a cache cannot tell which of the two held the poll."""
    servers = [Server(tmp_path / mode / "data", "--gate", mode, "--node-name", "n") for mode in ("on", "off")]
    try:
        seen = [_raw_answers(server) for server in servers]
    finally:
        for server in servers:
            server.stop()
            server.close()
    for gate, asgi in zip(*seen, strict=True):
        assert gate == asgi


def _raw_answers(server: Server) -> list[bytes]:
    from_server: list[bytes] = []
    with Connection(server.url) as connection:
        epoch = connection.ask("GET", track(101)).json()["cursor"].split(".")[0]
    for target, more in (
        (track(101), b""),
        (track(101, timeout=0), b""),
        (track(101, timeout=0), b"Prefer: wait=3\r\n"),
        (track(101, timeout=0), b"If-None-Match: *\r\n"),
        (track(101, timeout="x"), b""),
        (track(999), b""),
        (track("abc"), b""),
        (track(101, cursor="nobody.1"), b""),
        (track(101), b"Connection: close\r\n"),
    ):
        connection = Connection(server.url)
        connection.send(f"GET {target} HTTP/1.1\r\nHost: x\r\n".encode() + more + b"\r\n")
        received = connection.provoked_by(b"", 0.2)
        connection.close()
        from_server.append(_normal(received.replace(epoch.encode(), b"EPOCH")))
    return from_server


def _normal(answer: bytes) -> bytes:
    """Without what depends on when it was: dates, and times in the body. Names of headers are in any case."""
    head, _, body = answer.partition(b"\r\n\r\n")
    status, *fields = head.split(b"\r\n")
    names = [b": ".join((field.partition(b": ")[0].lower(), field.partition(b": ")[2])) for field in fields]
    lines = [status, *(field for field in names if not field.startswith(b"date:"))]
    if body.startswith(b"{"):
        value = json.loads(body)
        order = value.get("data", {})
        for holder in (value, order, *order.get("timeline", ()), *value.get("events", ())):
            for key in ("server_time", "created_at", "updated_at", "at", "recorded_at"):
                holder.pop(key, None)
        body = json.dumps(value).encode()
    return b"\r\n".join(lines) + b"\r\n\r\n" + body
