"""A server as a child process."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from signal import SIGKILL, SIGTERM, Signals

START_S = 30.0
STOP_S = 10.0
LOOK_EVERY_S = 0.02
SYSTEM_FOLDERS = "/usr/sbin:/sbin"


class NotInstalled(Exception):
    """A program is missing. The message names it and how to install it."""


class DidNotStart(Exception):
    """A server ended or did not answer in time. The message has the end of its log."""


def program(name: str) -> Path | None:
    """Return the path of an installed program."""
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:{SYSTEM_FOLDERS}")
    return None if found is None else Path(found)


def needed(name: str, package: str) -> Path:
    """Return the path of a program. Raises: NotInstalled."""
    found = program(name)
    if found is None:
        raise NotInstalled(f"{name} is not installed: apt-get install {package}, or make packages")
    return found


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def other_user(name: str) -> str | None:
    """Return the user that a server runs as which refuses to run as root: None when this process is not root."""
    if os.geteuid() != 0:
        return None
    for candidate in (name, "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(candidate).pw_name
    return None


class Child:
    """A process with its output in a file. `close` ends it in any state."""

    def __init__(
        self, command: Sequence[str], log: Path, *, user: str | None = None, env: Mapping[str, str] | None = None
    ) -> None:
        self.log = log
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                user=user,
                env=env,
                start_new_session=True,
            )

    def wait_until(self, is_ready: Callable[[], bool], what: str) -> None:
        """Raises: DidNotStart."""
        ends_at_s = time.monotonic() + START_S
        while not is_ready():
            if self.process.poll() is not None or time.monotonic() > ends_at_s:
                self.close()
                end = self.log.read_text(errors="replace")[-2_000:]
                raise DidNotStart(f"{what} did not start:\n{end}")
            time.sleep(LOOK_EVERY_S)

    def send(self, number: Signals) -> None:
        self.process.send_signal(number)

    def stop(self, number: Signals = SIGTERM) -> None:
        """End the process with a signal, with SIGKILL when that takes longer than STOP_S."""
        if self.process.poll() is None:
            self.process.send_signal(number)
            try:
                self.process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self.close()

    def close(self) -> None:
        if self.process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, SIGKILL)
        self.process.wait(STOP_S)


def answers(port: int, greeting: bytes = b"", expected: bytes = b"") -> bool:
    """Tell whether a port of this machine accepts a connection and answers `greeting` with `expected`."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            if greeting:
                connection.sendall(greeting)
            return not expected or connection.recv(len(expected)) == expected
    except OSError:
        return False
