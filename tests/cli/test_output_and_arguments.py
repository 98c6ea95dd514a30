"""Output that cannot be written and arguments that cannot be read end a command with one line, never a traceback."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from client.servers import WAIT_S, RealServer
from ordertrack.client import OrdertrackClient

FULL = Path("/dev/full")
needs_full = pytest.mark.skipif(not FULL.exists(), reason="no device that is always full")


def run(words: Sequence[str | bytes], stdout: int = subprocess.PIPE, **env: str) -> subprocess.CompletedProcess[bytes]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("ORDERTRACK_")}
    return subprocess.run(
        [sys.executable, "-m", "ordertrack", *words], stdout=stdout, stderr=subprocess.PIPE, env={**clean, **env},
        timeout=WAIT_S, check=False,
    )  # fmt: skip


@needs_full
@pytest.mark.parametrize(
    "words", [["orders"], ["watch", "101"], ["config", "--json"], ["secret"], ["watch", "--help"], ["--version"]],
    ids=" ".join
)  # fmt: skip
def test_full_disk_is_one_line(server: RealServer, words: list[str]) -> None:
    with FULL.open("wb") as full:
        ended = run(words, full.fileno(), ORDERTRACK_URL=server.url)
    assert (ended.returncode, ended.stderr) == (
        1, b"Error: The output cannot be written: No space left on device.\n"
    )  # fmt: skip


@pytest.mark.parametrize("words", [["orders"], ["watch", "101"], ["config", "--json"]], ids=" ".join)
def test_closed_pipe_is_quiet(server: RealServer, words: list[str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        ended = run(words, writer, ORDERTRACK_URL=server.url)
    finally:
        os.close(writer)
    assert (ended.returncode, ended.stderr) == (1, b"")


ASCII = [{"PYTHONIOENCODING": "ascii"}, {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}]


@pytest.mark.parametrize("env", ASCII, ids=["stream", "locale"])
def test_ascii_output_has_everything(server: RealServer, env: dict[str, str]) -> None:
    with OrdertrackClient(server.url) as client:
        order = client.create(customer_id="Zoë", restaurant_id="é" * 64, note=None)
        client.set_status(order.id, "cancelled", reason="müde 🍕")
    env = {**env, "ORDERTRACK_URL": server.url}
    for words, shown in ((["orders"], rb"Zo\xeb"), (["watch", str(order.id)], rb"m\xfcde \U0001f355")):
        ended = run(words, **env, COLUMNS="900")
        assert (ended.returncode, ended.stderr) == (0, b"")
        assert ended.stdout.isascii()
        assert shown in ended.stdout
    table = run(["orders"], **env, COLUMNS="60").stdout.decode()
    assert all(len(line) <= 60 for line in table.splitlines()[:-1]), table


@pytest.mark.parametrize(
    "words", [["orders", "--customer-id", b"a\xff"], [b"\xff"], ["watch", "101", b"--url=\xff"]]
)  # fmt: skip
def test_argument_that_is_not_utf8_is_named(words: list[str | bytes]) -> None:
    ended = run(words)
    assert (ended.returncode, ended.stderr) == (2, f"Error: Argument {len(words)} is not text in UTF-8.\n".encode())


def test_variable_that_is_not_utf8_is_named() -> None:
    ended = run(["config"], ORDERTRACK_NODE_NAME="a\udcff")
    assert (ended.returncode, ended.stderr) == (
        2, b"Error: The variable ORDERTRACK_NODE_NAME is not text in UTF-8.\n"
    )  # fmt: skip
