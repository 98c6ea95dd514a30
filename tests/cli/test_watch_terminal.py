"""`ordertrack watch` in a terminal of its own, through a restart of the server."""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from client_servers import WAIT_S, RealServer, real_server

from ordertrack.client import OrdertrackClient

pty = pytest.importorskip("pty", reason="a terminal to test with")
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")


class Terminal:
    def __init__(self, process: subprocess.Popen[bytes], screen: int) -> None:
        self.process = process
        self._screen = screen
        self._seen = b""

    def shows(self, words: str) -> str:
        """Waits until `words` have been written after what was seen before; returns all that was written since.

        It is read without colours, and with single spaces.
        """
        deadline_s = time.monotonic() + WAIT_S
        while words not in (text := " ".join(_CONTROL.sub("", self._seen.decode(errors="replace")).split())):
            ready, _, _ = select.select([self._screen], [], [], max(0.0, deadline_s - time.monotonic()))
            assert ready, f"{words!r} was not shown; seen: {text[-600:]!r}"
            self._seen += os.read(self._screen, 65536)
        self._seen = b""
        return text

    def ends(self) -> int:
        """The exit code. The screen is read meanwhile: a terminal that nobody reads takes only so much."""
        deadline_s = time.monotonic() + WAIT_S
        while self.process.poll() is None:
            left_s = deadline_s - time.monotonic()
            assert left_s > 0, "it does not end"
            if select.select([self._screen], [], [], min(left_s, 0.05))[0]:
                with suppress(OSError):  # EIO: the other side of the terminal is closed
                    os.read(self._screen, 65536)
        return self.process.returncode


@contextmanager
def watching(server: RealServer, order_id: int) -> Iterator[Terminal]:
    screen, side = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "ordertrack", "watch", str(order_id), "--url", server.url],
        stdin=side, stdout=side, stderr=side, env={**os.environ, "COLUMNS": "80", "LINES": "24", "TERM": "xterm",
                                                   "NO_COLOR": "1", "PYTHONIOENCODING": "utf-8"},
    )  # fmt: skip
    os.close(side)
    try:
        yield Terminal(process, screen)
    finally:
        process.kill()
        process.wait(WAIT_S)
        os.close(screen)


def test_the_picture_survives_a_restart_and_ends_with_the_order(tmp_path: Path) -> None:
    with real_server(tmp_path) as server, watching(server, 101) as terminal:
        assert "● Confirmed" in terminal.shows("Live")
        with OrdertrackClient(server.url) as client:
            client.set_status(101, "preparing")
            terminal.shows("● Preparing")
            server.stop(signal.SIGKILL)
            terminal.shows("Reconnecting... (try")
            server.start()
            terminal.shows("Live")
            client.set_status(101, "delivered")
        terminal.shows("Nothing more will happen.")
        assert terminal.ends() == 0


def test_ctrl_c_leaves_the_last_picture_and_no_complaint(tmp_path: Path) -> None:
    with real_server(tmp_path) as server, watching(server, 103) as terminal:
        terminal.shows("● Ready")
        terminal.process.send_signal(signal.SIGINT)
        assert terminal.ends() == 130
