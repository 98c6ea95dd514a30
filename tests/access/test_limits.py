"""Budgets: what is too much is refused with the time to come again, and nobody pays for somebody else."""

from __future__ import annotations

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
    """A server with these budgets a minute, and a client of it."""
    opened: list[httpx.Client | Server] = []
    secret = tmp_path / "secret"
    secret.write_text(SECRET)

    def started(*flags: str) -> httpx.Client:
        server = Server(tmp_path / "data", "--gate", request.param, "--token-secret-file", str(secret), *flags)
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
def test_each_kind_of_request_has_a_budget_of_its_own(start: Start) -> None:
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
def test_whoever_fails_again_and_again_is_refused_and_nobody_else_at_the_address_is(start: Start) -> None:
    client = start("--failed-authentications-per-minute", "5")
    for n in range(5):
        assert client.get(f"{ORDERS}/101", headers=(*WRONG, {})[n % 4]).status_code == 401
    for failing in (*WRONG, {}):
        refused(client.get(f"{ORDERS}/101", headers=failing), "failed-authentications", 5)
    for role in CLAIMS:
        assert client.get(ORDERS, headers=headers(role)).status_code in (200, 400), "its token was never seen before"


@pytest.mark.protocol("7.9")
def test_who_guesses_on_and_on_has_nothing_verified_any_more(start: Start) -> None:
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


@pytest.mark.protocol("7.9")
def test_a_bulk_update_costs_what_its_changes_cost(start: Start) -> None:
    client = start("--writes-per-minute", "10")
    restaurant = headers("restaurant", restaurant_id="1", sub="1")

    def bulk(count: int, sent: dict[str, str]) -> httpx.Response:
        updates = [{"order_id": 101, "status": "preparing"}] * count
        return client.post("/api/v1/status-updates", headers=sent, json={"updates": updates})

    assert bulk(8, restaurant).status_code == 200
    refused(bulk(8, restaurant), "writes", 10)
    assert bulk(1, restaurant).status_code == 200
    for role in ("customer", "link"):
        made = client.post(f"{ORDERS}/101/links", headers=headers("admin")).json()["data"]["token"]
        sent = bearer(made) if role == "link" else headers(role)
        assert bulk(1, sent).status_code == 403


MISSION_ORDERS, STEPS, TIMES = 10, 4, 10
"""A customer with ten orders at once, whose four steps all come within a minute, asks again at each of them and once to
begin with; ten times of that is promised."""


@pytest.mark.protocol("7.9")
def test_a_well_behaved_client_never_meets_a_limit_with_ten_times_of_what_it_needs(start: Start) -> None:
    client = start()
    customer = headers("customer", customer_id="1", sub="1")
    cursor = client.get(f"{ORDERS}/101/track", headers=customer).json()["cursor"]
    path = f"{ORDERS}/101/track?cursor={cursor}&timeout=0"
    answers = {client.get(path, headers=customer).status_code for _ in range(MISSION_ORDERS * (STEPS + 1) * TIMES)}
    assert answers == {200}
