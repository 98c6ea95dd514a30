"""Let a test stall the disk of a server: Python imports this module when it starts, from PYTHONPATH.

Each SQLite statement that begins with a line of the file `$STALLED_STATEMENTS` waits, inside the driver and on the
thread that runs it, until the line is gone. With a line `EXIT` when the process starts, it has a thread that does not
end, as one has that waits for a name to be resolved.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from pathlib import Path
from typing import Any

_connect = sqlite3.connect
_stalled = Path(os.environ["STALLED_STATEMENTS"])


def _wait(statement: str) -> None:
    while any(statement == line or statement.startswith(f"{line} ") for line in _stalled.read_text().splitlines()):
        time.sleep(0.01)


def _connect_stalled(*arguments: Any, **options: Any) -> sqlite3.Connection:
    connection = _connect(*arguments, **options)
    connection.set_trace_callback(_wait)
    return connection


sqlite3.connect = _connect_stalled  # type: ignore[assignment]
threading.Thread(target=_wait, args=("EXIT",)).start()
