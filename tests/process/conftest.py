"""Servers that a test may drain, kill and restart. All are ended after the test."""

from __future__ import annotations

import resource
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing
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
    """Start servers, by default on one data folder per test, and close them after the test."""
    with ExitStack() as stack:

        def started(*flags: str, data_dir: Path = tmp_path / "data", env: Mapping[str, str] | None = None) -> Server:
            return stack.enter_context(closing(Server(data_dir, *flags, env=env)))

        yield started


@pytest.fixture
def api_of() -> Iterator[Callable[[Server], Api]]:
    with ExitStack() as stack:
        yield lambda server: stack.enter_context(closing(Api(server.url)))
