"""SIGTERM: every held poll is answered, and running requests are finished."""

from __future__ import annotations

import contextlib
import select
import signal
import time
from collections import Counter

import httpx
import pytest

from process.tight_loop import TightLoop
from support.api import JSON, ORDERS, Api, encoded, eventually, track
from support.http1 import Connection
from support.server import Server

BODY = encoded({"status": "preparing"})
ORDERS_HELD, POLLS_EACH = 60, 5
PROMPT_S = 20.0
"""Polls with 30 s and more to go are answered now: generous for a machine with other work, and far below a hold."""


class SlowUpload:
    """A PUT of which half has been sent: a running request that lasts until `finish`."""

    def __init__(self, api: Api, order_id: int) -> None:
        self.connection: Connection = api.connect()
        self.connection.request(
            "PUT", f"{ORDERS}/{order_id}/status", {**JSON, "Content-Length": str(len(BODY)), "Expect": "100-continue"}
        )
        # The interim answer shows that a handler is reading the body.
        eventually(lambda: not self.connection.silent() or api.held() < 0, "the upload has begun")
        self.connection.send(BODY[:10])

    def finish(self) -> httpx.Response:
        self.connection.send(BODY[10:])
        answer = self.connection.answer()
        return httpx.Response(answer.status, headers=answer.headers, content=answer.body)


def _drain(server: Server, api: Api, order_id: int) -> None:
    """Send SIGTERM and wait for the answer of a held poll: then the server is draining."""
    held = api.hold(order_id)
    api.until_held(1)
    server.signal(signal.SIGTERM)
    assert held.answer().json()["reason"] == "drain"


@pytest.mark.protocol("3.13")
def test_drain_answers_300_polls_and_exits_with_0(start, api_of):
    server = start()
    api = api_of(server)
    orders = [api.create() for _ in range(ORDERS_HELD)]
    held = [(order, api.hold(order["id"], timeout=100)) for order in orders for _ in range(POLLS_EACH)]
    api.until_held(ORDERS_HELD * POLLS_EACH)
    signalled_at = time.monotonic()
    server.signal(signal.SIGTERM)
    for order, connection in held:
        answer = connection.answer()
        body = answer.json()
        assert (answer.status, body["reason"], body["has_update"], body["reset"]) == (200, "drain", False, False)
        assert (body["data"], body["events"]) == (order, [])
        assert answer.headers["connection"] == "close"
        assert connection.closed_by_peer()
    assert server.wait() == 0
    assert time.monotonic() - signalled_at < PROMPT_S
    assert "Traceback" not in server.log


@pytest.mark.protocol("3.13", "6.2")
def test_drain_is_spread_over_its_window_in_random_order(start, api_of):
    server = start("--drain-window-s", "5")
    api = api_of(server)
    orders = [api.create() for _ in range(ORDERS_HELD)]
    held = [api.hold(order["id"], timeout=100) for order in orders]
    api.until_held(ORDERS_HELD)
    places = {connection: place for place, connection in enumerate(held)}
    server.signal(signal.SIGTERM)
    assert select.select(held, [], [], PROMPT_S)[0], "the first is answered before the window ends"
    with httpx.Client(base_url=server.url, verify=False) as newcomer:
        assert newcomer.get("/readyz").status_code == 503
        late = api.hold(101, timeout=100)
        updated = [newcomer.put(f"{ORDERS}/{order['id']}/status", json={"status": "preparing"}) for order in orders]
        assert {answer.status_code for answer in updated} == {200}
    arrived: list[int] = []
    reasons: Counter[str] = Counter()
    while len(arrived) < ORDERS_HELD:
        for connection in select.select([*places], [], [], PROMPT_S)[0]:
            arrived.append(places.pop(connection))
            answer = connection.answer()
            reasons[answer.json()["reason"]] += 1
            assert (answer.status, answer.headers["connection"]) == (200, "close")
    assert set(reasons) == {"drain", "changed"}, "some were drained first, the others had their news at once"
    assert late.answer().json()["reason"] == "drain", "no poll is held beyond the window"
    assert server.wait() == 0


@pytest.mark.protocol("3.13")
def test_every_kind_of_poll_is_drained(start, api_of):
    server = start()
    api = api_of(server)
    cursor = api.cursor(101)
    held = [
        api.hold(101, {"If-None-Match": f'W/"{cursor}"'}),
        api.hold(101, cursor=cursor, client_id="phone"),
        api.hold(101, last_update="2100-01-01T00:00:00"),
        api.hold(101, {"Prefer": "wait=20"}),
    ]
    api.until_held(4)
    server.signal(signal.SIGTERM)
    for connection in held:
        answer = connection.answer()
        assert (answer.status, answer.json()["reason"], answer.json()["cursor"]) == (200, "drain", cursor)
    assert server.wait() == 0


@pytest.mark.protocol("3.13", "3.24")
def test_drained_client_continues_at_the_next_process(start, api_of):
    server = start()
    api = api_of(server)
    held = api.hold(101)
    api.until_held(1)
    server.signal(signal.SIGTERM)
    cursor = held.answer().json()["cursor"]
    server.wait()
    api = api_of(start())
    api.made(101, "preparing")
    answer = api.poll(101, cursor=cursor, timeout=30).json()
    assert (answer["reason"], [event["version"] for event in answer["events"]]) == ("changed", [2])


@pytest.mark.protocol("2.3", "3.13")
def test_a_running_update_is_finished_and_kept(start, api_of):
    server = start()
    api = api_of(server)
    upload = SlowUpload(api, 101)
    _drain(server, api, 102)
    answer = upload.finish()
    assert (answer.status_code, answer.json()["data"]["status"]) == (200, "preparing")
    assert server.wait() == 0
    assert api_of(start()).order(101)["status"] == "preparing"


@pytest.mark.protocol("6.2", "3.13")
def test_draining_server_is_healthy_but_not_ready(start, api_of):
    server = start()
    api = api_of(server)
    behind = api.cursor(103).removesuffix("3") + "1"
    upload = SlowUpload(api, 101)
    _drain(server, api, 102)
    with httpx.Client(base_url=server.url, verify=False) as newcomer:
        assert newcomer.get("/healthz").status_code == 200
        ready = newcomer.get("/readyz")
        assert (ready.status_code, ready.json()["error"], ready.json()["why"]) == (503, "not_ready", "draining")
        assert int(ready.headers["Retry-After"]) >= 1
        assert newcomer.get(f"{ORDERS}/system/stats").json()["data"]["draining"] is True
        poll = newcomer.get(track(102, timeout=30))
        assert (poll.status_code, poll.json()["reason"], poll.headers["Connection"]) == (200, "drain", "close")
        poll = newcomer.get(track(103, timeout=30, cursor=behind))
        assert (poll.status_code, poll.json()["reason"]) == (200, "changed")
    assert upload.finish().status_code == 200
    assert server.wait() == 0


@pytest.mark.protocol("3.13")
def test_sigint_drains_as_sigterm_does(start, api_of):
    server = start()
    api = api_of(server)
    held = api.hold(101)
    api.until_held(1)
    server.signal(signal.SIGINT)
    assert held.answer().json()["reason"] == "drain"
    assert server.wait() == 0


@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_ends_the_process_at_once(start, api_of, second: signal.Signals):
    server = start()
    api = api_of(server)
    upload = SlowUpload(api, 101)
    _drain(server, api, 102)
    server.signal(second)
    assert server.wait() == 128 + second
    with contextlib.suppress(EOFError):
        upload.connection.answer()
        pytest.fail("an update was answered that was never sent")
    assert api_of(start()).order(101)["version"] == 1, "the folder is free, and half an update is none"


def test_request_that_never_ends_is_abandoned_after_the_grace(start, api_of):
    server = start("--shutdown-grace-s", "1")
    api = api_of(server)
    upload = SlowUpload(api, 101)
    _drain(server, api, 102)
    assert server.wait() == 0
    assert b"200 OK" not in upload.connection.rest()
    assert api_of(start()).order(101)["version"] == 1


def test_idle_server_exits_with_0_without_warnings(start):
    server = start()
    assert server.stop() == 0
    assert "error" not in server.log.lower()


@pytest.mark.protocol("3.13")
def test_client_that_does_not_read_does_not_stop_the_drain(start, api_of):
    """The answer does not fit into the socket buffers, and the server waits for it no longer than the grace period."""
    server = start("--shutdown-grace-s", "1")
    api = api_of(server)
    order = api.create(note="x" * 1000, items=["x" * 200] * 100)
    deaf = api.connect()
    for _ in range(400):
        deaf.request("GET", f"{ORDERS}/{order['id']}")
    held = api.hold(101)
    api.until_held(1)
    server.signal(signal.SIGTERM)
    assert held.answer().json()["reason"] == "drain"
    assert server.wait() == 0


@pytest.mark.protocol("3.13")
@pytest.mark.parametrize("gate", ["on", "off"])
@pytest.mark.parametrize("keeps", [True, False], ids=["kept connections", "new connections"])
def test_clients_in_a_tight_loop_are_answered_to_the_end(start, gate: str, keeps: bool):
    server = start("--gate", gate, "--reads-per-minute", "0")
    clients = [TightLoop(server.url, keeps=keeps) for _ in range(6)]
    for client in clients:
        client.start()
    eventually(lambda: all(client.answered > 20 for client in clients), "all ask")
    server.signal(signal.SIGTERM)
    assert server.wait() == 0
    for client in clients:
        client.join(PROMPT_S)
        assert not client.is_alive()
        assert client.failed == []


@pytest.mark.protocol("2.19", "3.13")
@pytest.mark.parametrize("gate", ["on", "off"])
def test_a_request_just_after_the_signal_is_answered(start, api_of, gate: str):
    """On a kept connection, within the drain window."""
    server = start("--gate", gate, "--drain-window-s", "1")
    api = api_of(server)
    idle = api.connect()
    assert idle.ask("GET", f"{ORDERS}/101").status == 200
    held = api.hold(102)
    api.until_held(1)
    server.signal(signal.SIGTERM)
    eventually(lambda: httpx.get(f"{server.url}/readyz").status_code == 503, "the server is going away")
    for path in (f"{ORDERS}/101", "/healthz"):
        answer = (idle if path != "/healthz" else api.connect()).ask("GET", path)
        assert (answer.status, answer.headers["connection"]) == (200, "close")
    assert held.answer().json()["reason"] == "drain"
    assert server.wait() == 0
