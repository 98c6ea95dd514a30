"""`ordertrack watch` in a terminal: over a restart of the server, and to the end of the order."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from cli.terminals import HIDE, SHOW, watching
from client.servers import real_server
from ordertrack.client import OrdertrackClient


def test_view_survives_a_restart_and_ends_with_the_order(tmp_path: Path) -> None:
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
        terminal.shows("The order has ended.")
        assert terminal.ends() == 0


def test_ctrl_c_leaves_the_last_view_without_an_error(tmp_path: Path) -> None:
    with real_server(tmp_path) as server, watching(server, 103) as terminal:
        terminal.shows("● Ready")
        terminal.process.send_signal(signal.SIGINT)
        assert terminal.ends() == 130


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
def test_signal_shows_the_cursor_again(tmp_path: Path, number: signal.Signals) -> None:
    with real_server(tmp_path) as server, watching(server, 103) as terminal:
        terminal.shows("● Ready")
        assert terminal.raw.count(HIDE) == 1
        terminal.process.send_signal(number)
        assert terminal.ends() == 128 + number
        assert terminal.raw.rindex(SHOW) > terminal.raw.rindex(HIDE)
        assert "Traceback" not in terminal.raw
