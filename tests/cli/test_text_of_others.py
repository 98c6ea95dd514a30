"""Untrusted text in output: it contains no control sequences, forges no lines, and is not read as markup."""

from __future__ import annotations

import io
import json
import re
import signal
import sqlite3
import subprocess
import sys
import unicodedata
from collections.abc import Iterator
from contextlib import closing

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Group
from rich.table import Table
from rich.text import Text

from cli.terminals import watching
from client.servers import WAIT_S, RealServer, lines_of, real_server
from ordertrack.cli.main import main
from ordertrack.cli.terminal import Screen, print_json, say
from ordertrack.client import OrdertrackClient
from support.forked import Forked
from support.server import environment

BAD = "[bold]x[/bold]\x1b]0;owned\x07\x1b[2J\x9b31m\r\x7f\n23:59:59  order 1  forged"
SHOWN = r"[bold]x[/bold]\x1b]0;owned\x07\x1b[2J\x9b31m\r\x7f\n23:59:59  order 1  forged"


def is_safe(text: str) -> bool:
    return all(c == "\n" or unicodedata.category(c) not in ("Cc", "Cs", "Zl", "Zp") for c in text)


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealServer]:
    """A server with a database from before such texts were refused: orders 1 (active) and 2 (ended)."""
    folder = tmp_path_factory.mktemp("old")
    with real_server(folder, "--no-sample-orders") as server:
        with OrdertrackClient(server.url) as client:
            for _ in range(2):
                order = client.create(customer_id="c", restaurant_id="r", reference=None, items=[], courier_id="d")
                client.set_status(order.id, "preparing", reason="why")
            client.set_status(order.id, "delivered", reason="why")
            client.create_link(1)
        server.stop()
        details = json.dumps({"items": [{"name": BAD}], "total": 5, "currency": BAD, "address": BAD, "note": BAD})
        with closing(sqlite3.connect(folder / "ordertrack.sqlite3")) as database, database:
            database.execute("UPDATE events SET actor = ?, reason = ?, courier_id = ?", (BAD, BAD, BAD))
            database.execute("UPDATE orders SET courier_id = ?, details = ?", (BAD, details))
            database.execute("UPDATE orders SET reference = ? || id", (BAD,))
            database.execute("UPDATE tracking_links SET created_by = ?", (BAD,))
        server.start()
        yield server


@pytest.mark.parametrize(
    "words",
    [["orders"], ["orders", "--all"], ["watch", "2"], ["status", "2", "delivered"], ["status", "2", "preparing"],
     ["status", "1", "preparing"], ["courier", "2", "x"], ["stats"], ["simulate", "2"],
     ["audit", "2"], ["link", "list", "1"]],
    ids=" ".join,
)  # fmt: skip
@pytest.mark.parametrize("more", [[], ["--json"]], ids=["text", "json"])
def test_old_text_is_printed_escaped(old: RealServer, words: list[str], more: list[str]) -> None:
    result = CliRunner(env={"ORDERTRACK_URL": old.url, "COLUMNS": "4000"}).invoke(main, [*words, *more])
    assert is_safe(result.output)
    if words[0] in ("orders", "watch", "audit", "link"):
        assert (json.dumps(BAD)[1:-1] if more else SHOWN) in result.stdout
    if more:
        assert len(result.stdout.splitlines()) == 1


def test_watch_in_a_pipe_prints_one_line_an_event(old: RealServer) -> None:
    result = CliRunner(env={"ORDERTRACK_URL": old.url}).invoke(main, ["watch", "2"])
    lines = result.stdout.split("\n")
    assert [re.sub(r"^\d\d:\d\d:\d\d  ", "", line).split(", by ")[0] for line in lines] == [
        "order 2  confirmed", "order 2  preparing", "order 2  delivered (skipped: ready, picked_up)", ""
    ]  # fmt: skip
    assert lines[1].endswith(f", by {SHOWN}: {SHOWN}")


def test_feed_prints_text_escaped(old: RealServer) -> None:
    feed = Forked(["feed", "customer", "c", "--url", old.url], environment())
    assert next(lines_of(feed)).endswith(f"order 1  preparing, by {SHOWN}: {SHOWN}")
    feed.send_signal(signal.SIGINT)
    assert feed.wait(WAIT_S) == 130
    feed.stdout.close()
    feed.stderr.close()


def test_watch_in_a_terminal_escapes_control_sequences(old: RealServer) -> None:
    with watching(old, 1) as terminal:
        assert "[bold]x[/bold]" in terminal.shows("Live")
        for command in ("\x1b]", "\x07", "\x1b[2J", "\x9b", "\x7f"):
            assert command not in terminal.raw
        with OrdertrackClient(old.url) as client:
            client.set_status(1, "cancelled")
        terminal.shows("The order has ended.")
        assert terminal.ends() == 0


@given(st.text(), st.text())
def test_no_text_passes_a_screen_unescaped(first: str, second: str) -> None:
    for encoding in ("utf-8", "ascii"):
        file = io.TextIOWrapper(io.BytesIO(), encoding=encoding, newline="\n")
        table = Table(second, title=first, caption=second)
        table.add_row(first)
        table.add_row(Text(second, overflow="ellipsis"))
        Screen(file=file, width=40).print(first, table, Group(Text(first), second))
        file.seek(0)
        assert is_safe(file.read())


@given(st.text())
def test_output_is_one_line_and_json_is_ascii(text: str) -> None:
    out = io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", out)
        say(text)
        print_json({text: text})
    line, document = out.getvalue().removesuffix("\n").split("\n")
    assert is_safe(line)
    assert document.isascii()
    assert is_safe(document)
    assert json.loads(document) == {text: text}


def test_a_log_on_a_terminal_is_escaped() -> None:
    script = f"""
import structlog
from ordertrack.cli.logs import configure_logging
configure_logging("info", "text")
log = structlog.get_logger("test")
log.info({BAD!r}, reason={BAD!r}, values=[{BAD!r}])
try:
    raise ValueError({BAD!r})
except ValueError:
    log.exception("failed")
    import logging
    logging.getLogger("other").warning("%s", {BAD!r})
"""
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert is_safe(ran.stderr)
    assert SHOWN in ran.stderr
    events = [line for line in ran.stderr.splitlines() if not line.startswith("  ")]
    assert len(events) == 3, events
