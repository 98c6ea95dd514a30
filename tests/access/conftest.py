"""A server with access control, with the gate and without it, and a caller of every role."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.callers import AUDIENCE, CLAIMS, SECRET, Caller, token
from support.server import Server


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "protocol(*numbers): the requirements of PROTOCOL.md this test holds")


@pytest.fixture(scope="session", params=["on", "off"], ids=["gate", "asgi"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder: Path = tmp_path_factory.mktemp("access")
    secret = folder / "secret"
    secret.write_text(SECRET + "\n")
    flags = ["--token-secret-file", str(secret), "--token-audience", AUDIENCE, "--log-level", "debug"]
    flags += ["--failed-authentications-per-minute", "0", "--polls-per-minute", "0", "--writes-per-minute", "0"]
    server = Server(folder / "data", "--gate", request.param, "--reads-per-minute", "0", *flags)
    yield server
    code = server.stop()
    server.close()
    assert code == 0, server.log
    assert "Traceback" not in server.log, server.log
    assert SECRET not in server.log
    assert "eyJ" not in server.log, "a token was logged"
    assert "otl_" not in server.log, "a link was logged"


@pytest.fixture
def caller(server: Server) -> Iterator[Callable[[str | None], Caller]]:
    callers: list[Caller] = []

    def made(value: str | None) -> Caller:
        callers.append(Caller(server.url, value))
        return callers[-1]

    yield made
    for each in callers:
        each.close()


@pytest.fixture
def by(caller: Callable[[str | None], Caller]) -> Callable[[str], Caller]:
    """Return a function that makes a caller of a role."""
    return lambda role: caller(token(CLAIMS[role]))


@pytest.fixture
def order_id(by: Callable[[str], Caller]) -> int:
    """Create an order of customer ann at restaurant luigi, with courier 7."""
    order = {"customer_id": "ann", "restaurant_id": "luigi", "courier_id": "7", "address": "1 Main St", "note": "ring"}
    created = by("admin").ask("POST", "/api/v1/orders", json=order)
    assert created.status_code == 201, created.text
    id_: int = created.json()["data"]["id"]
    return id_
