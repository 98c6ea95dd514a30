"""A PostgreSQL server for the tests of this process, started when a test first needs it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import asyncpg

from servers.child import NotInstalled
from servers.postgres import Postgres, installed
from support.missing import skip

VERSION = "ORDERTRACK_TESTS_POSTGRES"
"""The major version of PostgreSQL for the tests; the oldest that is installed when it is not set."""
_servers: list[Postgres] = []
_folders: set[Path] = set()


def shared_server() -> Postgres:
    """Return the server of all tests, without the writes to the disk that survive a crash."""
    if not _servers:
        _servers.append(_start(durable=False))
    return _servers[0]


@contextlib.contextmanager
def own_server() -> Iterator[Postgres]:
    """Start a server for a test that stops it."""
    server = _start(durable=True)
    try:
        yield server
    finally:
        _remove(server)


def _start(*, durable: bool) -> Postgres:
    """The folder is not one of pytest, which no other user may open: the server is not root."""
    version = os.environ.get(VERSION)
    if version and int(version) not in installed():
        skip(f"PostgreSQL {version} is not installed")
    try:
        folder = Path(tempfile.mkdtemp(prefix="ordertrack-postgres-"))
        return Postgres(folder, version=int(version) if version else None, durable=durable)
    except NotInstalled as error:
        skip(str(error))


def _remove(server: Postgres) -> None:
    server.close()
    shutil.rmtree(server.folder, ignore_errors=True)


def database_url(folder: Path) -> str:
    """Return the URL of the database, emptied when `folder`, that of a test, was not given before."""
    url = shared_server().url
    if folder not in _folders:
        _folders.add(folder)
        execute(url, _empty)
    return url


def close_servers() -> None:
    while _servers:
        _remove(_servers.pop())


def execute(url: str, work: Callable[[asyncpg.Connection], Coroutine[Any, Any, Any]] | str) -> Any:
    """Run statements on a connection of their own, in a thread, since an event loop may run here."""

    async def run() -> Any:
        connection = await asyncpg.connect(url)
        try:
            return await (connection.fetch(work) if isinstance(work, str) else work(connection))
        finally:
            await connection.close()

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(lambda: asyncio.run(run())).result()


async def _empty(connection: asyncpg.Connection) -> None:
    rows = await connection.fetch(
        "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'schema_migrations'"
    )
    if rows:
        await connection.execute(f"TRUNCATE {', '.join(name for (name,) in rows)} RESTART IDENTITY")
