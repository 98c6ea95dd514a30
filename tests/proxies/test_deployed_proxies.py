"""Requests through each proxy with the configuration of `deploy/`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

import httpx
import pytest

from ordertrack.settings import Settings
from proxies.reverse_proxy import CLUSTERS, DEPLOY, KINDS
from support.api import BULK, JSON, ORDERS, eventually, track
from support.http1 import Connection

NOT_NOTICED = {"apache", "varnish"}
"""Proxies that do not tell the server that a client has gone away."""
RESPONSE_TIMEOUT = {
    "nginx": r"proxy_read_timeout (\d+)s",
    "haproxy": r"timeout (?:client|server) (\d+)s",
    "apache": r"\btimeout=(\d+)",
    "caddy": r"response_header_timeout (\d+)s",
    "varnish": r"\.first_byte_timeout = (\d+)s",
}
IDLE_TIMEOUT = {
    "nginx": r"^    keepalive_timeout (\d+)s",
    "apache": r"\bttl=(\d+)",
    "caddy": r"keepalive (\d+)s",
    "varnish": r"backend_idle_timeout is (\d+) s",
}
"""HAProxy has none: it closes half of what is idle every few seconds."""
MAX_BODY_BYTES = 1024 * 1024


def _seconds(file: str, pattern: str) -> list[int]:
    found = re.findall(pattern, (DEPLOY / file).read_text(encoding="utf-8"), re.MULTILINE)
    assert found, f"{file} has no {pattern}"
    return [int(number) for number in found]


def _files(names: Iterable[str]) -> list[tuple[str, str]]:
    """Return each proxy with its file, and with that of a cluster."""
    return [(name, kinds[name].file) for kinds in (KINDS, CLUSTERS) for name in names if name in kinds]


@pytest.mark.parametrize(("name", "file"), _files(RESPONSE_TIMEOUT))
def test_timeouts_exceed_the_longest_hold(name: str, file: str):
    assert min(_seconds(file, RESPONSE_TIMEOUT[name])) >= Settings().longest_hold_s + 10


@pytest.mark.parametrize(("name", "file"), _files(IDLE_TIMEOUT))
def test_idle_timeouts_end_before_the_servers(name: str, file: str):
    assert max(_seconds(file, IDLE_TIMEOUT[name])) < Settings().keep_alive_s


@pytest.mark.parametrize("name", RESPONSE_TIMEOUT)
def test_configured_timeout_is_the_one_that_counts(name, server, direct, start_proxy):
    """With 1 s in its place the proxy cuts a hold of 30 s: no other setting decides."""

    def shortened(text: str) -> str:
        return re.sub(RESPONSE_TIMEOUT[name], lambda found: re.sub(r"\d+", "1", found[0]), _without_waiting(text))

    proxy = start_proxy(name, server.url, edit=shortened)
    with Connection(proxy.url) as connection:
        assert connection.ask("GET", track(direct.create()["id"], timeout=30)).status in (408, 502, 503, 504)


def test_poll_is_held_to_its_deadline(through, direct):
    order = direct.create()
    answer = through.poll(order["id"], timeout=2)
    assert (answer.status, answer.json()["reason"]) == (200, "timeout")


def test_update_through_the_proxy_answers_a_held_poll(through, direct):
    order = direct.create()
    held = through.hold(order["id"], timeout=100)
    direct.until_held(1)
    through.made(order["id"], "preparing")
    answer = held.answer()
    assert (answer.json()["reason"], answer.json()["data"]["version"]) == ("changed", 2)
    assert answer.headers["cache-control"] == "no-store"
    assert "content-encoding" not in answer.headers
    assert held.ask("GET", track(order["id"])).status == 200, "the client's connection goes on"


def test_abort_frees_the_held_poll(proxy, through, direct):
    """Apache and Varnish do not notice: there the poll ends at its deadline."""
    order = direct.create()
    for abort in (Connection.close, Connection.reset):
        held = through.hold(order["id"], timeout=1 if proxy.name in NOT_NOTICED else 100)
        direct.until_held(1)
        abort(held)
        direct.until_held(0)


@pytest.mark.protocol("3.14")
def test_client_id_ends_polls_that_were_left_behind(proxy, through, direct):
    order = direct.create()
    named = {"timeout": 100, "client_id": "phone", "cursor": direct.cursor(order["id"])}
    before = direct.stats()["polls_total"]["superseded"]
    for left_behind in range(5):
        abandoned = through.hold(order["id"], **named)
        if proxy.name in NOT_NOTICED:
            ended = before + left_behind
            eventually(lambda ended=ended: direct.stats()["polls_total"]["superseded"] == ended, "the older poll ended")
        direct.until_held(1)
        abandoned.close()
        if proxy.name not in NOT_NOTICED:
            direct.until_held(0)
    held = through.hold(order["id"], **named)
    if proxy.name in NOT_NOTICED:
        eventually(lambda: direct.stats()["polls_total"]["superseded"] == before + 5, "the last of them ended")
    direct.until_held(1)
    direct.made(order["id"], "preparing")
    assert held.answer().json()["reason"] == "changed"


def test_sixty_requests_share_few_server_connections(through, direct):
    """Each client has its own connection. A proxy may use a few: one for each of its workers."""
    order = direct.create()
    before = _accepted(direct.http)
    for number in range(20):
        through.poll(order["id"])
        with Connection(through.url) as client:
            assert client.ask("GET", f"{ORDERS}/{order['id']}").status == 200
        with Connection(through.url) as client:
            body = json.dumps({"courier_id": str(number)}).encode()
            assert client.ask("PUT", f"{ORDERS}/{order['id']}/courier", JSON, body).status == 200
    assert _accepted(direct.http) - before <= 6


def test_four_hundred_polls_are_held_at_once(through, direct):
    """More than Apache's usual 150 threads and than the 384 that nginx's usual 768 connections hold."""
    order = direct.create()
    held = [through.hold(order["id"], timeout=100) for _ in range(400)]
    direct.until_held(400)
    direct.made(order["id"], "preparing")
    for connection in held:
        assert connection.answer().json()["reason"] == "changed"


def test_client_address_is_what_the_proxy_saw(proxy, direct):
    """The X-Forwarded-For of a client is ignored."""
    order = direct.create()
    with httpx.Client(base_url=proxy.url, transport=httpx.HTTPTransport(local_address="127.0.0.2")) as client:
        forged = {"X-Forwarded-For": "203.0.113.7"}
        client.put(f"{ORDERS}/{order['id']}/status", json={"status": "preparing"}, headers=forged).raise_for_status()
    entries = direct.http.get(f"{ORDERS}/{order['id']}/audit").raise_for_status().json()["data"]["entries"]
    assert entries[-1]["origin"] == "127.0.0.2"


def test_encoded_ids_arrive_as_they_were_sent(through):
    order = through.create(customer_id="a/b c%é")
    answer = through.http.get("/api/v1/customers/a%2Fb%20c%25%C3%A9/track")
    assert order["id"] in [found["id"] for found in answer.raise_for_status().json()["data"]["orders"]]


def test_bulk_update_of_1_mib_passes(through, direct):
    order = direct.create()
    body = json.dumps({"updates": [{"order_id": order["id"], "status": "ready"}]}).encode()
    answer = through.http.post(BULK, content=body.ljust(MAX_BODY_BYTES), headers=JSON)
    assert answer.status_code == 200, answer.text
    assert direct.order(order["id"])["status"] == "ready"


def test_body_above_1_mib_is_413(through):
    assert through.http.post(BULK, content=b"{}".ljust(MAX_BODY_BYTES + 1), headers=JSON).status_code == 413


def test_conditional_requests_get_304(through, direct):
    order = direct.create()
    tag = {"If-None-Match": through.http.get(f"{ORDERS}/{order['id']}").headers["ETag"]}
    assert through.http.get(f"{ORDERS}/{order['id']}", headers=tag).status_code == 304
    direct.made(order["id"], "preparing")
    assert through.http.get(f"{ORDERS}/{order['id']}", headers=tag).status_code == 200, "nothing is cached"


@pytest.mark.parametrize("path", ["/metrics", "/metrics?x=1", "/%6detrics"])
def test_metrics_are_not_for_clients_of_the_proxy(through, path: str):
    answer = through.http.get(path)
    assert answer.status_code in (403, 404)
    assert "ordertrack_" not in answer.text


@pytest.mark.parametrize("server_answers", [True, False], ids=["answered", "refused"])
def test_tracking_links_are_not_logged(server_answers, proxy, server, start_proxy):
    if not server_answers:
        proxy = start_proxy(proxy.name, "http://127.0.0.1:1", edit=_without_waiting)
    for path in ("/healthz", "/t/otl_a-secret", "/t/otl_a-secret/track"):
        with Connection(proxy.url) as client:
            assert client.ask("GET", path).status in ((200, 401) if server_answers else (502, 503, 504))
    assert "otl_a-secret" not in proxy.logged


def _without_waiting(text: str) -> str:
    """Do not wait for a server that is not running."""
    return text.replace("retries 10", "retries 0").replace("lb_try_duration 10s", "")


def _accepted(http: httpx.Client) -> int:
    text = http.get("/metrics").raise_for_status().text
    return int(float(re.findall(r"^ordertrack_connections_accepted_total (\S+)$", text, re.MULTILINE)[0]))
