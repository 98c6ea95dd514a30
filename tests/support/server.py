"""An ordertrack server in a separate process, started by its command."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from support.forked import Forked

COMMAND = (sys.executable, "-m", "ordertrack")
BOUND_S = 60.0
"""No wait for a process is longer than this; all of them end in a fraction of it."""


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment of this process without settings of ordertrack."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ORDERTRACK_")}
    return {**kept, **(extra or {})}


def run(*arguments: str, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command that ends by itself."""
    return subprocess.run(
        [*COMMAND, *arguments], capture_output=True, text=True, env=environment(env), timeout=BOUND_S, check=False
    )


class Server:
    """A server that is ready when the constructor returns. `close` ends it in any state."""

    def __init__(self, data_dir: Path, *flags: str, env: Mapping[str, str] | None = None) -> None:
        self.data_dir = data_dir
        self._lines: list[str] = []
        arguments = ("serve", "--port", "0", "--json", "--data-dir", str(data_dir), *flags)
        self.process: Forked | subprocess.Popen[str]
        if env is None:
            self.process = Forked(arguments, environment())
        else:  # Python itself may read the variables when it starts
            pipe = subprocess.PIPE
            self.process = subprocess.Popen(
                [*COMMAND, *arguments], stdout=pipe, stderr=pipe, text=True, env=environment(env)
            )
        self._reader = threading.Thread(target=self._read_errors, daemon=True)
        self._reader.start()
        try:
            self.url = str(self._ready()["data"]["url"])
        except BaseException:
            self.close()
            raise

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def log(self) -> str:
        """Return the standard error so far; complete after the end."""
        return "".join(self._lines)

    def _read_errors(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self._lines.append(line)

    def _ready(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        readable, _, _ = select.select([self.process.stdout], [], [], BOUND_S)
        line = self.process.stdout.readline() if readable else ""
        if not line:
            self.close()
            raise AssertionError(f"the server did not start:\n{self.log}")
        announced: dict[str, Any] = json.loads(line)
        return announced

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def wait(self) -> int:
        """Return the exit code; negative when a signal ended it."""
        code = self.process.wait(BOUND_S)
        self._reader.join(BOUND_S)
        return code

    def stop(self) -> int:
        self.signal(signal.SIGTERM)
        return self.wait()

    def kill(self) -> None:
        self.signal(signal.SIGKILL)
        self.wait()

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.wait()
        for pipe in (self.process.stdout, self.process.stderr):
            if pipe is not None:
                pipe.close()
