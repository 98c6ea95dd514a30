"""The parts that all tests share: the event loop, the examples of hypothesis, and the groups of a parallel run.

`HYPOTHESIS_PROFILE=thorough` takes minutes and is for a change of the core; the default takes seconds.
"""

from __future__ import annotations

import itertools
import os
import signal
from typing import Any

import pytest
import structlog
from hypothesis import HealthCheck, settings

from servers.postgres import Postgres
from support.databases import close_servers, shared_server
from support.groups import Groups

settings.register_profile("default", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("thorough", settings.get_profile("default"), max_examples=2_000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))

# Hundreds of processes start in a run: each would compile all our modules again.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# A shell without job control, and nohup, start programs with these ignored; the programs of a test would inherit that.
for number, default in (
    (signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL), (signal.SIGQUIT, signal.SIG_DFL),
):  # fmt: skip
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, default)

# Tracebacks without the values of every variable: those take most of a second each to print.
structlog.configure(
    processors=[
        structlog.processors.add_log_level,
        structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback),
    ]
)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def postgres() -> Postgres:
    """A server for tests that need only a database of it."""
    return shared_server()


_databases = itertools.count()


@pytest.fixture
def database_url(postgres: Postgres) -> str:
    """An empty database for the nodes of one cluster."""
    return postgres.create_database(f"test{next(_databases)}")


SLOWEST_FIRST = (
    "cluster", "proxies", "generated_clients", "browser", "process", "cli", "conformance", "access", "http", "vectors",
    "client", "sdk", "gate",
)  # fmt: skip
"""Folders. In a parallel run the last to start should be short."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    def rank(item: pytest.Item) -> int:
        folder = item.path.parent.name
        return SLOWEST_FIRST.index(folder) if folder in SLOWEST_FIRST else len(SLOWEST_FIRST)

    items.sort(key=rank)


def pytest_unconfigure() -> None:
    close_servers()


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Groups:
    return Groups(config, log)
