"""Servers that a test may drain, kill and start again. Whatever the test does, none of them outlives it."""

from __future__ import annotations

import resource
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from support.api import Api
from support.server import Server

Start = Callable[..., Server]


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "protocol(*numbers): the requirements of PROTOCOL.md this test holds")


@pytest.fixture(scope="session", autouse=True)
def many_files() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start a server; all of a test's share one data folder unless it says otherwise."""
    servers: list[Server] = []

    def started(*flags: str, data_dir: Path = tmp_path / "data", env: Mapping[str, str] | None = None) -> Server:
        servers.append(Server(data_dir, *flags, env=env))
        return servers[-1]

    yield started
    for server in servers:
        server.close()


@pytest.fixture
def api_of() -> Iterator[Callable[[Server], Api]]:
    apis: list[Api] = []

    def opened(server: Server) -> Api:
        apis.append(Api(server.url))
        return apis[-1]

    yield opened
    for api in apis:
        api.close()
