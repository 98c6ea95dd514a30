"""Checkpoints: copy the log into the database on a thread of their own, so that no commit waits for most of the pages.

1. After a commit, when about CHECKPOINT_BYTES were written, the writer wakes the thread.
2. The thread copies the pages in the log. Commits go on and append to the log.
3. After the next commit the writer copies the few pages that were appended, since SQLite writes the log from its start
   again only when nothing in it is left to copy.

When this is too slow, a commit copies the whole log at LOG_LIMIT_BYTES, as SQLite does by itself.
"""

from __future__ import annotations

import queue
import sqlite3
import sys
import threading
from pathlib import Path

import structlog

from ordertrack.adapters.sqlite.database import SQL, connect, page_bytes

CHECKPOINT_BYTES = 48 * 1024 * 1024
"""Counted as a page for each row; with indexes, rows of updates take up to 1.5 pages and those of new orders 2."""

log = structlog.get_logger("ordertrack.sqlite")


class Checkpoints:
    """`connection` is the writer's. `advance` and `close` are called on the writer thread."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        """Raises: sqlite3.Error."""
        self._writer = connection
        self._connection = connect(path, check_same_thread=False)
        self._connection.execute(SQL["epoch"]).fetchall()  # a connection opens the log when it first reads
        self._every_rows = CHECKPOINT_BYTES // page_bytes(connection)
        self.due_rows = connection.total_changes + self._every_rows
        """`advance` is due after a commit when the writer has changed so many rows."""
        self._is_copying = False
        self._queue: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="ordertrack-checkpoint", daemon=True)
        self._thread.start()

    def advance(self) -> None:
        """Wake the thread; when it has copied, copy the rest."""
        if self._is_copying:
            self._is_copying = False
            self.due_rows = self._writer.total_changes + self._every_rows
            _copy(self._writer)
        else:
            self._is_copying = True
            self.due_rows = sys.maxsize
            self._queue.put(True)

    def close(self) -> None:
        self._queue.put(False)
        self._thread.join()

    def _run(self) -> None:
        while self._queue.get():
            _copy(self._connection)
            self.due_rows = 0
        self._connection.close()


def _copy(connection: sqlite3.Connection) -> None:
    """Copy the log into the database. A failure loses nothing: the pages stay in the log."""
    try:
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
    except sqlite3.Error as error:
        log.warning("checkpoint failed, the log grows", error=str(error))
