"""A client that never waits."""

from __future__ import annotations

import threading

from support.api import ORDERS
from support.http1 import Connection


class TightLoop(threading.Thread):
    """A client that polls again after every answer, until the port is closed."""

    def __init__(self, url: str, *, keeps: bool) -> None:
        super().__init__(daemon=True)
        self.answered = 0
        self.failed: list[Exception] = []
        self._url, self._keeps = url, keeps

    def run(self) -> None:
        while True:
            try:
                connection = Connection(self._url)
            except ConnectionRefusedError:
                return
            try:
                self._ask(connection)
            except (OSError, EOFError, AssertionError) as error:
                self.failed.append(error)
                return
            finally:
                connection.close()

    def _ask(self, connection: Connection) -> None:
        while True:
            answer = connection.ask("GET", f"{ORDERS}/101")
            assert answer.status == 200
            self.answered += 1
            if not self._keeps or answer.headers.get("connection") == "close":
                return
