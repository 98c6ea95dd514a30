"""An ordertrack node."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from servers.child import Child, free_port


class Node:
    """A node of a cluster, or a server of its own. Ready when the constructor returns. Raises: DidNotStart.

    `arguments` are those of `ordertrack serve`. Settings in the environment of this process do not count.
    """

    def __init__(self, folder: Path, name: str, *arguments: str) -> None:
        self.name = name
        self.port = free_port()
        self._log = folder / f"{name}.log"
        self._arguments = arguments
        folder.mkdir(parents=True, exist_ok=True)
        self.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        return self.child.process.pid

    @property
    def exit_code(self) -> int | None:
        """The exit code of the process, negative for a signal; None while it runs."""
        return self.child.process.poll()

    def start(self) -> None:
        """Start the node on the same port as before."""
        before = self._log.stat().st_size if self._log.exists() else 0
        self.child = Child(
            [sys.executable, "-m", "ordertrack", "serve", "--json", "--port", str(self.port), "--node-name", self.name,
             *self._arguments],
            self._log,
            env={name: value for name, value in os.environ.items() if not name.startswith("ORDERTRACK_")},
        )  # fmt: skip
        self.child.wait_until(lambda: b'"url":' in self._log.read_bytes()[before:], self.name)

    def stop(self) -> None:
        """Drain and end the node."""
        self.child.stop(signal.SIGTERM)

    def close(self) -> None:
        self.child.close()
