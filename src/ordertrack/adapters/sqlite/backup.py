"""Copies of a SQLite database while a server uses it, and a new epoch for one that was restored from a copy."""

from __future__ import annotations

import os
import secrets
import sqlite3
from contextlib import closing
from pathlib import Path

from ordertrack.adapters.sqlite.database import SQL, DataDirLock, connect, connect_unchanged, pending_migrations
from ordertrack.ports.records import RecordProgress, RecordsUnusable
from ordertrack.ports.store import StoreCannotOpen

PAGES_AT_ONCE = 2_000


def back_up(path: Path, copy: Path, progress: RecordProgress) -> None:
    """Copy the database as it is at one moment into a new file that only its owner can read, and check the copy.

    Raises: RecordsUnusable. There is no new file then.
    """
    try:
        os.close(os.open(copy, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError:
        raise RecordsUnusable(f"{copy} exists already. Name a new file.") from None
    except OSError as error:
        raise RecordsUnusable(f"{copy} cannot be written: {error.strerror or error}.") from None
    is_complete = False
    try:
        _copy(path, copy, progress)
        is_complete = True
    except (sqlite3.Error, StoreCannotOpen) as error:
        raise RecordsUnusable(f"{path} cannot be copied to {copy}: {error}.") from error
    finally:
        if not is_complete:
            copy.unlink()


def _copy(path: Path, copy: Path, progress: RecordProgress) -> None:
    """Raises: sqlite3.Error, StoreCannotOpen, RecordsUnusable."""

    def report(status: int, remaining: int, total: int) -> None:
        progress("pages", total - remaining, total)

    with closing(connect_unchanged(path)) as source, closing(sqlite3.connect(copy, isolation_level=None)) as target:
        # In a transaction of its own each step would see newer changes of a server, and begin the copy anew.
        source.execute("BEGIN")
        pending_migrations(source)
        source.backup(target, pages=PAGES_AT_ONCE, progress=report)
        target.execute("PRAGMA journal_mode = DELETE").fetchall()  # one file, without a log beside it
        ((text, *_), *_) = target.execute("PRAGMA integrity_check(1)").fetchall()
        if text != "ok":
            raise RecordsUnusable(f"{path} is damaged, and so would be its copy: {text}. Run `ordertrack db check`.")


def set_new_epoch(path: Path) -> str:
    """Give the database in a data folder that no process uses a new epoch, and return it.

    Raises: RecordsUnusable.
    """
    try:
        lock = DataDirLock(path.parent)
        try:
            with closing(connect(path)) as connection:
                epoch = secrets.token_hex(4)
                pending_migrations(connection)
                connection.execute(SQL["set_epoch"], {"epoch": epoch})
                return epoch
        finally:
            lock.release()
    except StoreCannotOpen as error:
        raise RecordsUnusable(str(error)) from None
    except (sqlite3.Error, OSError) as error:
        raise RecordsUnusable(f"The database {path} cannot be changed: {error}.") from error
