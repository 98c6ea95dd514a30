"""`ordertrack demo`: a real process with the sample city."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
import segno

from cli.terminals import HIDE, SHOW, in_terminal
from client.servers import WAIT_S, lines_of
from ordertrack.cli.demo import FIRST_PORT
from ordertrack.cli.qr import QUIET_ZONE, qr_code
from support.forked import Forked
from support.server import environment, run


@contextmanager
def playing(folder: Path, *options: str, **variables: str) -> Iterator[tuple[Forked, Iterator[str]]]:
    """Run the demo with its data in `folder`; provide the process and its lines."""
    process = Forked(("demo", *options), environment({"TMPDIR": str(folder), **variables}))
    try:
        yield process, lines_of(process)
    finally:
        process.kill()
        process.wait(WAIT_S)
        process.stdout.close()
        process.stderr.close()


def ended(process: Forked, number: signal.Signals, folder: Path) -> bool:
    """End the demo with a signal. Return True if it ended well and left nothing."""
    process.send_signal(number)
    assert process.wait(WAIT_S) == 0
    assert process.stderr.read() == ""
    return list(folder.iterdir()) == []


def data_of(line: str) -> dict[str, Any]:
    answer = json.loads(line)
    assert answer["success"] is True
    return answer["data"]


def test_pages_answer_and_their_orders_move(tmp_path: Path) -> None:
    with playing(tmp_path, "--json", "--port", "0", "--speed", "30") as (process, lines):
        ready = data_of(next(lines))
        pages = ready["links"]
        assert len(pages) == 3
        assert {oct(entry.stat().st_mode & 0o077) for entry in tmp_path.iterdir()} == {"0o0"}
        for page in pages:
            assert page["url"].startswith(f"{ready['url']}/t/otl_")
            shown = httpx.get(page["url"], headers={"accept": "application/json"})
            assert shown.status_code == 200
            assert shown.json()["data"]["restaurant_name"] == page["restaurant"]
        track = f"{pages[0]['url']}/track"
        cursor = httpx.get(track).json()["cursor"]
        moved = httpx.get(track, params={"cursor": cursor, "timeout": "60"}, timeout=WAIT_S).json()
        assert moved["reason"] == "changed"
        assert httpx.get(f"{ready['url']}/api/v1/orders").status_code == 401
        assert ended(process, signal.SIGINT, tmp_path)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_signal_ends_it_and_removes_the_folder(tmp_path: Path, number: signal.Signals) -> None:
    with playing(tmp_path, "--json", "--port", "0") as (process, lines):
        next(lines)
        assert ended(process, number, tmp_path)


def test_two_orders_at_the_highest_speed_are_played_to_the_end(tmp_path: Path) -> None:
    with playing(tmp_path, "--json", "--port", "0", "--orders", "2", "--speed", "600") as (process, lines):
        assert len(data_of(next(lines))["links"]) == 2
        counts = next(data["orders"] for data in map(data_of, lines) if "orders" in data)
        assert counts == {"under way": 0, "delivered": 2}
        assert ended(process, signal.SIGTERM, tmp_path)


def test_it_ends_after_the_given_minutes(tmp_path: Path) -> None:
    done = run("demo", "--port", "0", "--minutes", "0.01", env={"TMPDIR": str(tmp_path)})
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("Stopped. The data of the demo have been removed.\n")
    assert list(tmp_path.iterdir()) == []


def test_closed_output_ends_it_without_a_traceback(tmp_path: Path) -> None:
    script = f"set -o pipefail; {sys.executable} -m ordertrack demo --port 0 --speed 600 | head -1"
    env = environment({"TMPDIR": str(tmp_path)})
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, env=env, timeout=WAIT_S, check=False)
    assert (done.returncode, done.stderr) == (1, "")
    assert list(tmp_path.iterdir()) == []


def test_next_port_is_used_when_the_first_is_taken(tmp_path: Path) -> None:
    with socket.socket() as taken, playing(tmp_path) as (process, lines):
        with suppress(OSError):  # another program has the port
            taken.bind(("127.0.0.1", FIRST_PORT))
            taken.listen()
        start = f"Port {FIRST_PORT} is in use. The server is at http://127.0.0.1:50"
        url = next(line for line in lines if line.startswith(start)).split()[9].rstrip(";")
        assert httpx.get(f"{url}/healthz").status_code == 200
        assert ended(process, signal.SIGINT, tmp_path)


def test_chosen_port_that_is_taken_is_reported(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = run("demo", "--json", "--port", port, env={"TMPDIR": str(tmp_path)})
    refusal = json.loads(done.stdout)
    assert (done.returncode, refusal["error"]) == (1, "cannot_listen")
    assert port in refusal["message"]
    assert list(tmp_path.iterdir()) == []


def test_address_of_another_machine_is_reported(tmp_path: Path) -> None:
    done = run("demo", "--host", "203.0.113.9", env={"TMPDIR": str(tmp_path)})
    assert done.returncode == 1
    assert "Choose an address of this machine with --host." in done.stderr


def test_times_of_pages_are_those_of_this_machine(tmp_path: Path) -> None:
    with playing(tmp_path, "--json", "--port", "0", TZ="Asia/Tokyo") as (process, lines):
        url = data_of(next(lines))["links"][0]["url"]
        assert "Japan" in httpx.get(url, headers={"accept": "text/html", "accept-language": "en"}).text
        assert ended(process, signal.SIGINT, tmp_path)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--speed", "0"], "--speed"),
        (["--orders", "many"], "--orders"),
        (["--minutes", "-1"], "--minutes"),
        (["--lan", "--host", "127.0.0.1"], "Use --lan or --host, not both."),
    ],
)
def test_unusable_option_is_reported(options: list[str], words: str) -> None:
    done = run("demo", *options)
    assert done.returncode == 2
    assert words in done.stderr


def test_links_lead_to_the_address_that_is_listened_on(tmp_path: Path) -> None:
    with playing(tmp_path, "--json", "--port", "0", "--host", "127.0.0.2") as (process, lines):
        url = data_of(next(lines))["links"][0]["url"]
        assert url.startswith("http://127.0.0.2:")
        assert httpx.get(url).status_code == 200
        assert ended(process, signal.SIGINT, tmp_path)


def test_browser_opens_the_first_page_when_asked(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    opened, browser = tmp_path / "opened", tmp_path / "browser"
    os.mkfifo(opened)
    browser.write_text(f'echo "$1" > {opened}')
    reader = os.open(opened, os.O_RDWR)
    options = ("--json", "--port", "0", "--open")
    with playing(data, *options, BROWSER=f"/bin/sh {browser} %s") as (process, lines):
        url = data_of(next(lines))["links"][0]["url"]
        assert select.select([reader], [], [], WAIT_S)[0]
        assert os.read(reader, 1000).decode().strip() == url
        assert ended(process, signal.SIGINT, data)
    os.close(reader)


def test_terminal_shows_a_code_and_the_pages(tmp_path: Path) -> None:
    with in_terminal("demo", "--port", "0", "--no-open", TMPDIR=str(tmp_path)) as terminal:
        text = terminal.shows("under way")
        assert "The code opens order 1 on this machine." in text
        assert "█▀▀" in text
        terminal.process.send_signal(signal.SIGINT)
        assert terminal.ends() == 0
        assert terminal.raw.rindex(SHOW) > terminal.raw.rindex(HIDE)
        assert "Traceback" not in terminal.raw
    assert list(tmp_path.iterdir()) == []


def test_code_has_the_modules_of_the_link() -> None:
    link = "http://192.0.2.7:5001/t/otl_0123456789abcdefghijkl"
    dark = {"█": "00", "▀": "01", "▄": "10", " ": "11"}
    drawn = ["".join(dark[sign][half] for sign in line.plain) for line in qr_code(link) for half in (0, 1)]
    modules = ["".join(map(str, row)) for row in segno.make(link, error="l").matrix_iter(border=QUIET_ZONE)]
    assert drawn[: len(modules)] == modules
