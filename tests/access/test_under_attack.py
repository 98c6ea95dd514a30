"""Two thousand connections that never finish a request, beside a thousand held polls; and generated requests by every
role. ORDERTRACK_FUZZ_CASES is how many requests are generated in all."""

from __future__ import annotations

import contextlib
import os
import resource
import socket
import time
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import response_schema_conformance, status_code_conformance

from ordertrack.http.routes.description import OPERATIONS
from support.api import eventually
from support.callers import CLAIMS, STRANGERS, Caller, bearer, token
from support.http1 import Connection
from support.server import Server

By = Callable[[str], Caller]
ORDERS = "/api/v1/orders"
SLOW, HELD, EACH = 2_000, 1_000, 10
PROMPT_S = 10.0
"""From the first of a hundred updates to the last of a thousand answers; a head may take ten seconds, a hold sixty."""
CASES = int(os.environ.get("ORDERTRACK_FUZZ_CASES", "200"))
PARTS = (
    b"GET /api/v1/orders/101/track HTTP/1.1\r\nHost: x\r\nX-",
    b"P",
    b"GET /t/",
    b"POST /api/v1/orders HTTP/1.1\r\n",
)
CHECKS = [not_a_server_error, status_code_conformance, response_schema_conformance]


@pytest.fixture(scope="module", autouse=True)
def many_files() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


@pytest.fixture
def slow_connections(server: Server) -> Iterator[list[socket.socket]]:
    parts = urlsplit(server.url)
    opened: list[socket.socket] = []
    for n in range(SLOW):
        opened.append(socket.create_connection((parts.hostname or "", parts.port or 0)))
        opened[-1].sendall(PARTS[n % len(PARTS)])
    yield opened
    for connection in opened:
        connection.close()


def test_slow_connections_do_not_delay_held_polls(by: By, slow_connections: list[socket.socket]) -> None:
    admin, customer = by("admin"), by("customer")

    def held() -> int:
        active: int = admin.ask("GET", f"{ORDERS}/system/stats").json()["data"]["active_connections"]
        return active

    ids = [
        admin.ask("POST", ORDERS, json={"customer_id": "ann", "restaurant_id": "luigi"}).json()["data"]["id"]
        for _ in range(HELD // EACH)
    ]
    platform = by("platform")
    polls: list[Connection] = []
    for n, order_id in enumerate(ids):
        own = 5 if n < 20 else 0  # one customer may hold a hundred
        several = [customer] * own + [platform] * (EACH - own)
        polls += [each.hold(f"{ORDERS}/{order_id}/track?timeout=60") for each in several]
    eventually(lambda: held() == HELD, "all honest polls are held")
    began_s = time.monotonic()
    for order_id in ids:
        assert admin.ask("PUT", f"{ORDERS}/{order_id}/status", json={"status": "preparing"}).status_code == 200
    assert {poll.answer().json()["reason"] for poll in polls} == {"changed"}
    assert time.monotonic() - began_s < PROMPT_S
    for connection in slow_connections:
        connection.settimeout(60)
        with contextlib.suppress(ConnectionError):
            while connection.recv(4096):
                pass
    assert admin.ask("GET", f"{ORDERS}/system/stats").json()["data"]["lost_wakeups_total"] == 0


WITH_INPUT = [operation for operation in OPERATIONS if operation.parameters or operation.body]
CALLERS = {**CLAIMS, **{f"foreign {role}": claims for role, claims in STRANGERS.items()}}
CASES_EACH = max(1, CASES // (len(WITH_INPUT) * len(CALLERS)))


@pytest.fixture(scope="session")
def described(server: Server) -> schemathesis.BaseSchema:
    return schemathesis.openapi.from_url(f"{server.url}/openapi.json")


@pytest.mark.parametrize("who", CALLERS)
def test_generated_requests_of_any_role_show_no_bug(
    who: str, server: Server, described: schemathesis.BaseSchema
) -> None:
    headers = bearer(token(CALLERS[who]))
    with requests.Session() as session:
        for operation in WITH_INPUT:

            @given(
                case=described[operation.path][operation.method].as_strategy(generation_mode=GenerationMode.POSITIVE)
            )
            @settings(max_examples=CASES_EACH, deadline=None, database=None, suppress_health_check=list(HealthCheck))
            def holds(case: schemathesis.Case) -> None:
                if isinstance(case.path_parameters.get("order_id"), int):
                    case.path_parameters["order_id"] = 101 + case.path_parameters["order_id"] % 5
                if case.path.endswith("/track"):
                    case.query["timeout"] = "0.01"
                case.call_and_validate(
                    base_url=server.url, session=session, headers=headers, checks=CHECKS, timeout=PROMPT_S
                )

            holds()
