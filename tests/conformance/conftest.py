"""The server the suite is run against: the one at ORDERTRACK_CONFORMANCE_URL, else one of its own.

Each test makes the orders it needs, so that tests share a server without meeting. They share
the count of held polls: a test starts when no poll is held, and its connections are closed after it.
"""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator

import pytest

from support.api import Api
from support.server import Server


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "protocol(*numbers): the requirements of PROTOCOL.md this test holds")


GIVEN_URL = os.environ.get("ORDERTRACK_CONFORMANCE_URL")
SERVERS = ["given"] if GIVEN_URL else ["gate", "asgi"]
"""Our own server has two transports, which a client must not be able to tell apart."""


@pytest.fixture(scope="session", params=SERVERS)
def url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if GIVEN_URL:
        yield GIVEN_URL.rstrip("/")
        return
    mode = "on" if request.param == "gate" else "off"
    flags = ("--gate", mode, "--trusted-proxies", "127.0.0.1")
    server = Server(tmp_path_factory.mktemp("conformance") / "data", *flags)
    yield server.url
    code = server.stop()
    server.close()
    assert code == 0, server.log
    assert "Traceback" not in server.log, server.log


@pytest.fixture(scope="session")
def many_files() -> None:
    """A held poll is an open file, of the test's as well."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


@pytest.fixture
def api(url: str) -> Iterator[Api]:
    api = Api(url)
    try:
        api.until_held(0)
        yield api
    finally:
        api.close()
