"""A PostgreSQL server for the tests of this process, started when a test first needs it."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Coroutine
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
    """Return the server, without the writes to the disk that survive a crash of the machine."""
    if not _servers:
        version = os.environ.get(VERSION)
        if version and int(version) not in installed():
            skip(f"PostgreSQL {version} is not installed")
        try:
            folder = Path(tempfile.mkdtemp(prefix="ordertrack-postgres-"))
            _servers.append(Postgres(folder, version=int(version) if version else None, durable=False))
        except NotInstalled as error:
            skip(str(error))
    return _servers[0]


def database_url(folder: Path) -> str:
    """Return the URL of the database, emptied when `folder`, that of a test, was not given before."""
    url = shared_server().url
    if folder not in _folders:
        _folders.add(folder)
        execute(url, _empty)
    return url


def close_servers() -> None:
    for server in _servers:
        server.close()
        shutil.rmtree(server.folder, ignore_errors=True)
    _servers.clear()


def execute(url: str, work: Callable[[asyncpg.Connection], Coroutine[Any, Any, Any]] | str) -> Any:
    """Run statements on a connection of their own, in a thread, since an event loop may run here."""

    async def run() -> Any:
        connection = await asyncpg.connect(url)
        try:
            return await (connection.fetch(work) if isinstance(work, str) else work(connection))
        finally:
            await connection.close()

    outcome: list[Any] = []
    thread = threading.Thread(target=lambda: outcome.append(asyncio.run(run())))
    thread.start()
    thread.join()
    return outcome[0]


async def _empty(connection: asyncpg.Connection) -> None:
    rows = await connection.fetch(
        "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'schema_migrations'"
    )
    if rows:
        await connection.execute(f"TRUNCATE {', '.join(name for (name,) in rows)} RESTART IDENTITY")
