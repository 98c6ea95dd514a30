"""A server that trusts the proxy in front of it, and each proxy in front of the same server."""

from __future__ import annotations

import itertools
import resource
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
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
    with closing(Api(server.url)) as api:
        yield api


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
    with closing(Api(proxy.url)) as api:
        yield api


@pytest.fixture
def start_server(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Start servers on one data folder per test and close them after the test."""
    with ExitStack() as stack:
        yield lambda *flags: stack.enter_context(closing(Server(tmp_path / "data", *FLAGS, *flags)))


@pytest.fixture
def api_of() -> Iterator[Callable[[str], Api]]:
    with ExitStack() as stack:
        yield lambda url: stack.enter_context(closing(Api(url)))


@pytest.fixture
def start_proxy(tmp_path: Path) -> Iterator[Callable[..., ReverseProxy]]:
    """Start proxies and close them after the test."""
    count = itertools.count()
    with ExitStack() as stack:

        def started(name: str, *server_urls: str, **options: Any) -> ReverseProxy:
            folder = tmp_path / f"{name}-{next(count)}"
            return stack.enter_context(closing(ReverseProxy(name, folder, *server_urls, **options)))

        yield started
