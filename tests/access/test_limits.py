"""Budgets over HTTP: requests above the limit are refused with `Retry-After`; each principal has its own budget."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from support.callers import CLAIMS, SECRET, bearer, token
from support.http1 import BOUND_S
from support.server import Server

ORDERS = "/api/v1/orders"
Start = Callable[..., httpx.Client]


@pytest.fixture(params=["on", "off"], ids=["gate", "asgi"])
def start(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Start]:
    """Start a server with these budgets a minute, and a client."""
    opened: list[httpx.Client | Server] = []
    secret = tmp_path / "secret"
    secret.write_text(SECRET)

    def started(*flags: str, is_open: bool = False) -> httpx.Client:
        access = () if is_open else ("--token-secret-file", str(secret))
        server = Server(tmp_path / "data", "--gate", request.param, *access, *flags)
        client = httpx.Client(base_url=server.url, timeout=BOUND_S, verify=False)
        opened.extend((server, client))
        return client

    yield started
    for each in reversed(opened):
        each.close()


def headers(role: str, **more: object) -> dict[str, str]:
    return bearer(token({**CLAIMS[role], **more}))


def refused(answer: httpx.Response, budget: str, requests: int) -> None:
    body = answer.json()
    assert (answer.status_code, body["error"], body["budget"]) == (429, "rate_limited", budget)
    assert (body["requests"], body["window_s"]) == (requests, 60)
    wait_s = int(answer.headers["Retry-After"])
    assert 1 <= wait_s <= 60
    assert answer.headers["RateLimit-Policy"] == f'"{budget}";q={requests};w=60'
    assert answer.headers["RateLimit"] == f'"{budget}";r=0;t={wait_s}'


@pytest.mark.protocol("7.9")
def test_each_kind_of_request_has_its_own_budget(start: Start) -> None:
    client = start("--polls-per-minute", "3", "--reads-per-minute", "4", "--writes-per-minute", "2")
    admin, restaurant = headers("admin"), headers("restaurant", restaurant_id="1", sub="1")
    order = client.get(ORDERS, headers=restaurant).json()["data"]["orders"][0]["id"]
    status = {"status": "preparing"}
    for _ in range(3):
        assert client.get(f"{ORDERS}/{order}", headers=restaurant).status_code == 200
    refused(client.get(f"{ORDERS}/{order}", headers=restaurant), "reads", 4)
    for _ in range(3):
        assert client.get(f"{ORDERS}/{order}/track?timeout=0", headers=restaurant).status_code == 200
    refused(client.get(f"{ORDERS}/{order}/track?timeout=0", headers=restaurant), "polls", 3)
    for _ in range(2):
        assert client.put(f"{ORDERS}/{order}/status", headers=restaurant, json=status).status_code in (200, 409)
    refused(client.put(f"{ORDERS}/{order}/status", headers=restaurant, json=status), "writes", 2)
    assert client.get(f"{ORDERS}/{order}", headers=headers("restaurant", restaurant_id="2", sub="2")).status_code == 404
    assert {client.get(f"{ORDERS}/{order}", headers=admin).status_code for _ in range(10)} == {200}


WRONG = (bearer(token(CLAIMS["admin"], key="x" * 32)), bearer("otl_AAAAAAAAAAAAAAAAAAAAAA"), bearer("no.token.atall"))


@pytest.mark.protocol("7.9")
def test_only_failed_attempts_of_an_address_are_refused(start: Start) -> None:
    client = start("--failed-authentications-per-minute", "5")
    for n in range(5):
        assert client.get(f"{ORDERS}/101", headers=(*WRONG, {})[n % 4]).status_code == 401
    for failing in (*WRONG, {}):
        refused(client.get(f"{ORDERS}/101", headers=failing), "failed-authentications", 5)
    for role in CLAIMS:
        assert client.get(ORDERS, headers=headers(role)).status_code in (200, 400), "its token was never seen before"


@pytest.mark.protocol("7.9")
def test_after_too_many_guesses_no_token_is_verified(start: Start) -> None:
    client = start("--failed-authentications-per-minute", "2")
    known = headers("customer")
    assert client.get(ORDERS, headers=known).status_code == 200
    for n in range(20):
        assert client.get(f"{ORDERS}/101", headers=WRONG[n % 3]).status_code in (401, 429)
    refused(client.get(ORDERS, headers=headers("courier")), "guesses", 20)
    assert client.get(ORDERS, headers=known).status_code == 200
    for _ in range(30):
        client.get(f"{ORDERS}/101")
    assert client.get(ORDERS, headers=known).status_code == 200


def bulk(client: httpx.Client, count: int, sent: dict[str, str]) -> httpx.Response:
    updates = [{"order_id": 101, "status": "preparing"}] * count
    return client.post("/api/v1/status-updates", headers=sent, json={"updates": updates})


@pytest.mark.protocol("7.9")
def test_a_bulk_update_costs_as_much_as_its_changes(start: Start) -> None:
    client = start("--writes-per-minute", "10")
    restaurant = headers("restaurant", restaurant_id="1", sub="1")
    assert bulk(client, 9, restaurant).status_code == 200
    assert bulk(client, 1, restaurant).status_code == 200
    refused(bulk(client, 1, restaurant), "writes", 10)
    for role in ("customer", "link"):
        made = client.post(f"{ORDERS}/101/links", headers=headers("admin")).json()["data"]["token"]
        sent = bearer(made) if role == "link" else headers(role)
        assert bulk(client, 1, sent).status_code == 403


@pytest.mark.protocol("7.12")
def test_bulk_update_above_the_budget_succeeds(start: Start) -> None:
    """A refused one succeeds after the pause that `Retry-After` promises."""
    client = start("--writes-per-minute", "60")
    restaurant = headers("restaurant", restaurant_id="1", sub="1")
    assert bulk(client, 70, restaurant).status_code == 200
    told = bulk(client, 70, restaurant)
    refused(told, "writes", 60)
    threading.Event().wait(int(told.headers["Retry-After"]))
    assert bulk(client, 70, restaurant).status_code == 200
    later = bulk(client, 70, restaurant)
    refused(later, "writes", 60)
    assert int(later.headers["Retry-After"]) > 50, "what the last one cost has to come back first"


@pytest.mark.protocol("7.9")
def test_open_server_limits_clients_of_a_proxy(start: Start) -> None:
    """Clients on this machine have no limit: a load generator, a benchmark, a first try with curl."""
    budgets = ("--writes-per-minute", "3", "--polls-per-minute", "2")
    client = start(*budgets, "--trusted-proxies", "127.0.0.1", is_open=True)
    phone, other = {"X-Forwarded-For": "198.51.100.1:5678"}, {"X-Forwarded-For": "198.51.100.2:5678"}
    track = f"{ORDERS}/101/track?timeout=0"
    for _ in range(2):
        assert client.get(track, headers=phone).status_code == 200
    refused(client.get(track, headers=phone), "polls", 2)
    assert client.get(track, headers=other).status_code == 200
    assert bulk(client, 70, phone).status_code == 200
    refused(bulk(client, 1, phone), "writes", 3)
    status = {"status": "preparing"}
    refused(client.put(f"{ORDERS}/101/status", headers=phone, json=status), "writes", 3)
    for _ in range(20):
        assert client.get(track).status_code == 200
        assert client.put(f"{ORDERS}/101/status", json=status).status_code == 200


MISSION_ORDERS, STEPS, TIMES = 10, 4, 10
"""A customer with ten orders at once, whose four steps all come within a minute, asks again at each of them and once to
begin with; ten times of that is promised."""


@pytest.mark.protocol("7.9")
def test_a_correct_client_stays_below_a_tenth_of_the_limits(start: Start) -> None:
    client = start()
    customer = headers("customer", customer_id="1", sub="1")
    cursor = client.get(f"{ORDERS}/101/track", headers=customer).json()["cursor"]
    path = f"{ORDERS}/101/track?cursor={cursor}&timeout=0"
    answers = {client.get(path, headers=customer).status_code for _ in range(MISSION_ORDERS * (STEPS + 1) * TIMES)}
    assert answers == {200}


@pytest.mark.protocol("9.2", "9.6")
def test_a_page_has_the_budget_of_its_json_and_files_none(start: Start) -> None:
    client = start("--reads-per-minute", "2")
    browser = {"Accept": "text/html"}
    link = client.post(f"{ORDERS}/101/links", headers=headers("admin")).json()["data"]["path"]
    assert client.get(link, headers=browser).status_code == 200
    assert client.get(link).status_code == 200
    page = client.get(link, headers=browser)
    refused(client.get(link), "reads", 2)
    assert (page.status_code, page.headers["Content-Type"]) == (429, "text/html; charset=utf-8")
    assert 1 <= int(page.headers["Retry-After"]) <= 60
    assert page.headers["RateLimit-Policy"] == '"reads";q=2;w=60'
    assert [client.get("/sdk/index.js").status_code for _ in range(3)] == [200] * 3
