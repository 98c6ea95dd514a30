"""The SQLite file: its lock, its connections, its migrations."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from ordertrack.adapters.shared.sql_files import Migration, missing_migrations, read_migrations, read_statements
from ordertrack.ports.store import StoreCannotOpen

FILE_NAME = "ordertrack.sqlite3"
LOCK_NAME = "ordertrack.lock"
BUSY_TIMEOUT_MS = 5_000
PAGE_BYTES = 1024
"""Page size of a new database; an existing one keeps its own. A change of an order writes a page of the events and one
of each party's feed, so small pages are less to write."""
LOG_LIMIT_BYTES = 128 * 1024 * 1024
"""Pages in the log at which a commit copies them into the database itself. `checkpoints.py` does it before."""
CACHE_KIB = 8 * 1024
"""Page cache of a connection. A larger one is slower: SQLite goes through all of its pages in each commit that splits a
page, which took 1 ms with 64 MiB."""

SQL = read_statements(__package__)
"""Every statement by its name in statements.sql."""


class DataDirLock:
    """The lock that admits one process per data folder: a second one would not see the first one's updates.

    It locks both a file in the folder, which has the process id, and the folder itself: after a deletion of the file,
    the next process would lock a new one.
    """

    def __init__(self, data_dir: Path) -> None:
        path = data_dir / LOCK_NAME
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._folder = os.open(data_dir, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _lock_folder(self._folder)
        except OSError:
            holder = os.read(self._file, 32).decode("ascii", "replace").strip()
            self.release()
            raise StoreCannotOpen(
                f"The data folder {data_dir.resolve()} is in use by another ordertrack "
                f"(process {holder or 'unknown'}). Stop that one first, or name another data folder (serve --data-dir)."
            ) from None
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        os.close(self._file)
        os.close(self._folder)


def _lock_folder(descriptor: int) -> None:
    """Raises: BlockingIOError when another process has the lock."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except OSError:  # some network file systems cannot lock folders; the file is locked then
        return


def connect(path: Path, *, read_only: bool = False, check_same_thread: bool = True) -> sqlite3.Connection:
    """Connect, for one thread at a time. `busy_timeout` comes first, since switching to WAL can be busy too. The page
    size has an effect on an empty file only, and before WAL.

    Raises: sqlite3.Error.
    """
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=check_same_thread)
    connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
    connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute(f"PRAGMA journal_size_limit = {LOG_LIMIT_BYTES}")
    connection.execute(f"PRAGMA wal_autocheckpoint = {LOG_LIMIT_BYTES // page_bytes(connection)}")
    connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
    if read_only:
        connection.execute("PRAGMA query_only = ON")
    return connection


def connect_unchanged(path: Path) -> sqlite3.Connection:
    """Connect to read an existing file that is not to change: its log is not copied into it either.

    Raises: sqlite3.Error; StoreCannotOpen for a file of another kind.
    """
    uri = f"file:{quote(str(path.resolve()))}?mode=ro"
    connection = sqlite3.connect(uri, uri=True, isolation_level=None)
    connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
    if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'schema_migrations'").fetchone():
        connection.close()
        raise StoreCannotOpen(f"{path} is not a database of ordertrack.")
    return connection


def page_bytes(connection: sqlite3.Connection) -> int:
    size: int = connection.execute("PRAGMA page_size").fetchone()[0]
    return size


def migrate(connection: sqlite3.Connection, now_ms: int) -> None:
    """Apply the missing migrations, each in its own transaction.

    Raises: StoreCannotOpen when the file is newer than this code, or an applied migration differs from the one here.
    """
    connection.execute(
        "CREATE TABLE IF NOT EXISTS schema_migrations"
        " (number INTEGER PRIMARY KEY, name TEXT NOT NULL, sha256 TEXT NOT NULL, applied_at_ms INTEGER NOT NULL) STRICT"
    )
    for number, name, body, digest in pending_migrations(connection):
        connection.execute("BEGIN IMMEDIATE")
        try:
            for statement in _statements(body):
                connection.execute(statement)
            connection.execute(
                "INSERT INTO schema_migrations (number, name, sha256, applied_at_ms) VALUES (?, ?, ?, ?)",
                (number, name, digest, now_ms),
            )
            connection.execute("COMMIT")
        except sqlite3.Error:
            connection.execute("ROLLBACK")
            raise


def pending_migrations(connection: sqlite3.Connection) -> list[Migration]:
    """Return the migrations that the database lacks, in order. Raises: StoreCannotOpen, as `migrate`; sqlite3.Error."""
    applied = dict(connection.execute("SELECT number, sha256 FROM schema_migrations"))
    return missing_migrations(read_migrations(__package__), applied)


def _statements(script: str) -> Iterator[str]:
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
