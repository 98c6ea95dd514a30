"""Care for databases by their URLs: move, check, back up, set a new epoch. Every function raises RecordsUnusable."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import assert_never

from ordertrack.adapters.postgres.dump import dump_database
from ordertrack.adapters.postgres.transfer import open_postgres_records, open_target, set_shared_epoch
from ordertrack.adapters.sqlite.backup import back_up, set_new_epoch
from ordertrack.adapters.sqlite.database import FILE_NAME, DataDirLock
from ordertrack.adapters.sqlite.export import open_records
from ordertrack.adapters.system.clock import SystemClock
from ordertrack.database_url import DatabaseKind, DatabaseUrl
from ordertrack.ports.records import CheckedRecords, RecordProgress, RecordsUnusable
from ordertrack.ports.store import StoreCannotOpen
from ordertrack.service.maintenance.check_records import check_records
from ordertrack.service.maintenance.copy_records import Copied, copy_records


async def move(source: Path, target: DatabaseUrl, progress: RecordProgress, *, skip_damaged: bool) -> Copied:
    """Copy the SQLite database of a data folder, or a file, into an empty PostgreSQL database."""
    file = _existing_file(source)
    async with AsyncExitStack() as stack:
        if file.name == FILE_NAME:
            stack.callback(_lock(file.parent).release)
        records = await stack.enter_async_context(open_records(file))
        written = await stack.enter_async_context(open_target(target.dsn, SystemClock().now_ms()))
        return await copy_records(records, written, progress, skip_damaged=skip_damaged)


async def check_database(url: DatabaseUrl, data_dir: Path, progress: RecordProgress) -> AsyncIterator[str]:
    """Yield what is wrong. A server may use the database meanwhile."""
    async with _reader(url, data_dir) as records:
        async for finding in check_records(records, progress):
            yield finding


async def copy_to_file(url: DatabaseUrl, data_dir: Path, copy: Path, progress: RecordProgress) -> None:
    """Copy the database into a new file, in the format of its own tools. A server may use it meanwhile."""
    match url.kind:
        case DatabaseKind.SQLITE:
            await _back_up(_existing_file(url.path or data_dir), copy, progress)
        case DatabaseKind.POSTGRESQL:
            await dump_database(*url.without_password(), copy)
        case DatabaseKind.MEMORY:
            raise _nothing_kept()
        case _:
            assert_never(url.kind)


async def _back_up(file: Path, copy: Path, progress: RecordProgress) -> None:
    is_cancelled = threading.Event()

    def report(kind: str, done: int, total: int) -> None:
        if is_cancelled.is_set():
            raise asyncio.CancelledError
        progress(kind, done, total)

    try:
        await asyncio.to_thread(back_up, file, copy, report)
    finally:
        is_cancelled.set()


async def replace_epoch(url: DatabaseUrl, data_dir: Path) -> str:
    """Set a new epoch and return it. No server may use a SQLite database meanwhile."""
    match url.kind:
        case DatabaseKind.SQLITE:
            return await asyncio.to_thread(set_new_epoch, _existing_file(url.path or data_dir))
        case DatabaseKind.POSTGRESQL:
            return await set_shared_epoch(url.dsn)
        case DatabaseKind.MEMORY:
            raise _nothing_kept()
        case _:
            assert_never(url.kind)


@asynccontextmanager
async def _reader(url: DatabaseUrl, data_dir: Path) -> AsyncIterator[CheckedRecords]:
    match url.kind:
        case DatabaseKind.SQLITE:
            async with open_records(_existing_file(url.path or data_dir)) as records:
                yield records
        case DatabaseKind.POSTGRESQL:
            async with open_postgres_records(url.dsn) as shared_records:
                yield shared_records
        case DatabaseKind.MEMORY:
            raise _nothing_kept()
        case _:
            assert_never(url.kind)


def _existing_file(path: Path) -> Path:
    """Return the database in a data folder, or `path` itself when it is a file."""
    file = path if path.is_file() else path / FILE_NAME
    if not file.is_file():
        below = next(path.glob(f"*/{FILE_NAME}"), None)
        if below is not None:
            raise RecordsUnusable(f"There is no database in {path}, but in {below.parent}: name that folder.")
        raise RecordsUnusable(f"There is no database at {file}. Name the data folder of the server.")
    return file


def _lock(folder: Path) -> DataDirLock:
    try:
        return DataDirLock(folder)
    except StoreCannotOpen as error:
        raise RecordsUnusable(str(error)) from None
    except OSError as error:
        raise RecordsUnusable(f"The data folder {folder} cannot be locked: {error.strerror or error}.") from None


def _nothing_kept() -> RecordsUnusable:
    return RecordsUnusable("memory: keeps nothing after the process ends. Name a database with --database-url.")
