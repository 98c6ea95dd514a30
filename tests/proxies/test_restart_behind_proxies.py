"""The server is restarted behind a running proxy."""

from __future__ import annotations

import signal

import httpx
import pytest

from proxies.reverse_proxy import KINDS
from support import ports
from support.api import JSON, ORDERS, eventually
from support.http1 import BOUND_S, Connection

WAITING = {"haproxy": ("PUT", "/status", b'{"status": "preparing"}'), "caddy": ("GET", "", None)}
"""Proxies that hold a request back while the server is not there, and such a request: method, end of the path, body.
Caddy does so only for requests without a body (caddyserver/caddy#7546)."""


@pytest.mark.protocol("3.13", "3.24")
@pytest.mark.parametrize("name", KINDS)
def test_client_continues_after_a_restart(name: str, start_server, start_proxy, api_of):
    """1. SIGTERM: the held poll gets its drain answer. 2. The port is closed. 3. A new process serves the cursor."""
    port = str(ports.unused())
    server = start_server("--port", port)
    proxy = start_proxy(name, server.url)
    through = api_of(proxy.url)
    order = through.create()
    held = through.hold(order["id"], timeout=100)
    through.until_held(1)
    server.signal(signal.SIGTERM)
    answer = held.answer()
    assert (answer.status, answer.json()["reason"]) == (200, "drain")
    assert server.wait() == 0

    method, suffix, body = WAITING.get(name, ("GET", "", None))
    with Connection(proxy.url) as client:
        client.request(method, f"{ORDERS}/{order['id']}{suffix}", JSON, body)
        if name not in WAITING:
            assert client.answer().status in (502, 503)
        start_server("--port", port)
        if name in WAITING:
            assert client.answer().status == 200

    changed = through.set(order["id"], "ready")
    assert changed.status_code == 200, "the first request after the restart is served"
    assert through.poll(order["id"], cursor=answer.json()["cursor"], timeout=30).json()["reason"] == "changed"


HEALTH_CHECK = {
    "haproxy": {
        "backend ordertrack\n": "backend ordertrack\n    option httpchk GET /readyz\n",
        "server ordertrack 127.0.0.1": "default-server check inter 1s fall 2\n    server ordertrack 127.0.0.1",
        "retries 10": "retries 0",
    },
    "caddy": {"lb_try_duration 10s": "health_uri /readyz\n\t\thealth_interval 1s"},
    "varnish": {".connect_timeout": '.probe = { .url = "/readyz"; .interval = 1s; }\n    .connect_timeout'},
}
"""The lines of docs/operating.md, and what they replace: the waits for the server, so that the first answer counts."""


@pytest.mark.parametrize("name", HEALTH_CHECK)
def test_health_check_takes_a_draining_server_out(name: str, start_server, start_proxy, api_of):
    def with_check(text: str) -> str:
        for literal, replacement in HEALTH_CHECK[name].items():
            assert literal in text
            text = text.replace(literal, replacement)
        return text

    server = start_server("--drain-window-s", "30")
    through = api_of(start_proxy(name, server.url, edit=with_check).url)
    eventually(lambda: through.http.get("/healthz").status_code == 200, "the proxy's first check has passed")
    for _ in range(20):
        through.hold(102, timeout=100)
    through.until_held(20)
    server.signal(signal.SIGTERM)
    eventually(lambda: through.http.get(f"{ORDERS}/101").status_code == 503, "the proxy refuses")
    assert api_of(server.url).order(101)["id"] == 101, "the server still serves"


@pytest.mark.protocol("6.2")
@pytest.mark.parametrize("name", KINDS)
def test_readiness_ends_before_requests_do(name: str, start_server, start_proxy, api_of):
    """Twenty held polls are answered over 30 s: the drain lasts longer than this test."""
    server = start_server("--drain-window-s", "30")
    proxy = start_proxy(name, server.url)
    through = api_of(proxy.url)
    for _ in range(20):
        through.hold(102, timeout=100)
    through.until_held(20)
    with httpx.Client(base_url=proxy.url, timeout=BOUND_S, verify=False) as client:
        assert client.get("/readyz").status_code == 200
        server.signal(signal.SIGTERM)
        while client.get("/readyz").status_code == 200:
            pass
        assert client.get("/readyz").status_code == 503
        assert client.put(f"{ORDERS}/101/status", json={"status": "preparing"}).status_code == 200
