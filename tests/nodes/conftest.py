"""Three nodes on one PostgreSQL server, with signals through Redis and through PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import NamedTuple

import pytest

from servers.child import NotInstalled
from servers.postgres import Postgres
from servers.redis import Redis
from support import missing
from support.api import Api, eventually
from support.server import Server

NODES = 3


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "protocol(*numbers): the requirements of PROTOCOL.md this test holds")


class Backend(NamedTuple):
    """The servers that nodes share, and the flags of a node that uses them."""

    database_url: str
    redis_url: str | None

    @property
    def flags(self) -> tuple[str, ...]:
        redis = () if self.redis_url is None else ("--redis-url", self.redis_url)
        return ("--database-url", self.database_url, *redis)


class Nodes:
    """Nodes that know each other."""

    def __init__(self, backend: Backend, folder: Path, *flags: str, count: int = NODES) -> None:
        self.backend = backend
        self._folder = folder
        self._flags = flags
        self._stack = ExitStack()
        self.servers: list[Server] = []
        self.apis: list[Api] = []
        try:
            for _ in range(count):
                self.start()
            self.until_known()
        except BaseException:
            self.close()
            raise

    def start(self) -> Server:
        name = f"node-{len(self.servers)}"
        server = Server(self._folder / name, *self.backend.flags, "--node-name", name, *self._flags)
        self.servers.append(self._stack.enter_context(closing(server)))
        self.apis.append(self._stack.enter_context(closing(Api(server.url))))
        return server

    def until_known(self, count: int | None = None) -> None:
        """Wait until every node that runs knows `count` nodes, all by default."""
        running = [api for api, server in zip(self.apis, self.servers, strict=True) if server.process.poll() is None]
        for api in running:
            eventually(
                lambda api=api: len(api.stats()["nodes"]) == (count or len(running)), "the nodes know each other"
            )

    def end_polls(self) -> None:
        """Close all connections of polls, and wait until none is held."""
        for api in self.apis:
            for connection in api._connections:
                connection.close()
            api._connections.clear()
        self.apis[0].until_held(0)

    def close(self) -> None:
        self._stack.close()


@pytest.fixture(scope="session")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    try:
        server = Redis(tmp_path_factory.mktemp("redis"))
    except NotInstalled as error:
        missing.skip(str(error))
    yield server
    server.close()


@pytest.fixture(scope="session", params=["redis", "postgresql"])
def backend(request: pytest.FixtureRequest, postgres: Postgres) -> Backend:
    kind: str = request.param
    redis_url = request.getfixturevalue("redis").url if kind == "redis" else None
    return Backend(postgres.create_database(f"nodes_{kind}"), redis_url)


@pytest.fixture(scope="session")
def shared_nodes(backend: Backend, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nodes]:
    nodes = Nodes(backend, tmp_path_factory.mktemp("nodes"))
    yield nodes
    for server in nodes.servers:
        assert server.stop() == 0, server.log
    logs = [server.log for server in nodes.servers]
    nodes.close()
    for log in logs:
        assert "Traceback" not in log, log


@pytest.fixture
def nodes(shared_nodes: Nodes) -> Iterator[Nodes]:
    """Nodes that no test stops."""
    yield shared_nodes
    shared_nodes.end_polls()
