"""A server that trusts the proxy in front of it, and each proxy in front of the same server."""

from __future__ import annotations

import resource
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from proxies.reverse_proxy import KINDS, ReverseProxy
from support.api import Api
from support.server import Server

UNLIMITED = [
    flag
    for name in ("polls", "reads", "writes", "failed-authentications")
    for flag in (f"--{name}-per-minute", "0")
]  # fmt: skip
FLAGS = ("--trusted-proxies", "127.0.0.1", "--max-connections-per-order", "1000", *UNLIMITED)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "protocol(*numbers): the requirements of PROTOCOL.md this test holds")


@pytest.fixture(scope="session", autouse=True)
def many_files() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("server") / "data", *FLAGS)
    yield server
    code = server.stop()
    server.close()
    assert code == 0, server.log
    assert "Traceback" not in server.log, server.log


@pytest.fixture
def direct(server: Server) -> Iterator[Api]:
    """The server without a proxy."""
    api = Api(server.url)
    yield api
    api.close()


@pytest.fixture(scope="session", params=KINDS)
def proxy(
    request: pytest.FixtureRequest, server: Server, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ReverseProxy]:
    name: str = request.param
    proxy = ReverseProxy(name, tmp_path_factory.mktemp(name), server.url)
    yield proxy
    proxy.close()


@pytest.fixture
def through(proxy: ReverseProxy) -> Iterator[Api]:
    """The server as clients of the proxy see it."""
    api = Api(proxy.url)
    yield api
    api.close()


@pytest.fixture
def start_server(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Start a server of a test's own; all of a test's share one data folder."""
    servers: list[Server] = []

    def started(*flags: str) -> Server:
        servers.append(Server(tmp_path / "data", *FLAGS, *flags))
        return servers[-1]

    yield started
    for server in servers:
        server.close()


@pytest.fixture
def api_of() -> Iterator[Callable[[str], Api]]:
    apis: list[Api] = []

    def opened(url: str) -> Api:
        apis.append(Api(url))
        return apis[-1]

    yield opened
    for api in apis:
        api.close()


@pytest.fixture
def start_proxy(tmp_path: Path) -> Iterator[Callable[..., ReverseProxy]]:
    """Start a proxy of a test's own."""
    proxies: list[ReverseProxy] = []

    def started(name: str, server_url: str, **options: Any) -> ReverseProxy:
        proxies.append(ReverseProxy(name, tmp_path / f"{name}-{len(proxies)}", server_url, **options))
        return proxies[-1]

    yield started
    for proxy in proxies:
        proxy.close()
