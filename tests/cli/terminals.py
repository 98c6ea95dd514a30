"""A command of `ordertrack` in a pseudo-terminal."""

from __future__ import annotations

import os
import re
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress

import pytest

from client.servers import WAIT_S, RealServer

pty = pytest.importorskip("pty", reason="a terminal to test with")
HIDE, SHOW = "\x1b[?25l", "\x1b[?25h"
"""Hide and show the cursor."""
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")


class Terminal:
    def __init__(self, process: subprocess.Popen[bytes], screen: int) -> None:
        self.process = process
        self._screen = screen
        self._seen = b""
        self.raw = ""
        """Return all output, control sequences included."""

    def shows(self, words: str) -> str:
        """Wait until `words` appear in new output; return all output since the last call.

        It is read without colours, and with single spaces.
        """
        deadline_s = time.monotonic() + WAIT_S
        while words not in (text := " ".join(_CONTROL.sub("", self._seen.decode(errors="replace")).split())):
            ready, _, _ = select.select([self._screen], [], [], max(0.0, deadline_s - time.monotonic()))
            assert ready, f"{words!r} was not shown; seen: {text[-600:]!r}"
            self._read()
        self._seen = b""
        return text

    def _read(self) -> None:
        written = os.read(self._screen, 65536)
        self._seen += written
        self.raw += written.decode(errors="replace")

    def ends(self) -> int:
        """Return the exit code. Read the output meanwhile, because the buffer of a terminal is limited."""
        deadline_s = time.monotonic() + WAIT_S
        while self.process.poll() is None:
            left_s = deadline_s - time.monotonic()
            assert left_s > 0, "it does not end"
            if select.select([self._screen], [], [], min(left_s, 0.05))[0]:
                with suppress(OSError):  # EIO: the other side of the terminal is closed
                    self._read()
        return self.process.returncode


@contextmanager
def in_terminal(*arguments: str, **variables: str) -> Iterator[Terminal]:
    """Run a command in a terminal of 80 columns."""
    screen, side = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "ordertrack", *arguments],
        stdin=side, stdout=side, stderr=side, env={**os.environ, "COLUMNS": "80", "LINES": "24", "TERM": "xterm",
                                                   "NO_COLOR": "1", "PYTHONIOENCODING": "utf-8", **variables},
    )  # fmt: skip
    os.close(side)
    try:
        yield Terminal(process, screen)
    finally:
        process.kill()
        process.wait(WAIT_S)
        os.close(screen)


def watching(server: RealServer, order_id: int) -> AbstractContextManager[Terminal]:
    return in_terminal("watch", str(order_id), "--url", server.url)
