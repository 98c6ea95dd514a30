"""A Redis server of its own, without persistence. Valkey is started in the same way."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from pathlib import Path

from servers.child import Child, answers, free_port, needed, program


class Redis:
    """A running server. Raises: NotInstalled, DidNotStart."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.program = program("valkey-server") or needed("redis-server", "redis-server")
        self.port = free_port()
        self.folder = folder
        self._options: Sequence[str] = options
        folder.mkdir(parents=True, exist_ok=True)
        self.start()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start the server, on the same port as before and empty."""
        self.child = Child(
            [str(self.program), "--bind", "127.0.0.1", "--port", str(self.port), "--save", "", "--appendonly", "no",
             "--dir", str(self.folder), *self._options],
            self.folder / "log",
        )  # fmt: skip
        self.child.wait_until(lambda: answers(self.port, b"PING\r\n", b"+PONG"), "Redis")

    def pause(self) -> None:
        """Stop answering, with all connections open."""
        self.child.send(signal.SIGSTOP)

    def go_on(self) -> None:
        self.child.send(signal.SIGCONT)

    def kill(self) -> None:
        self.child.close()

    def close(self) -> None:
        self.child.close()
