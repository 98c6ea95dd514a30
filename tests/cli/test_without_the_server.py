"""An installation of the wheel without the server's dependencies, made by scripts/client_size.py."""

from __future__ import annotations

import json
import subprocess
import sys
from inspect import cleandoc
from pathlib import Path
from typing import NamedTuple

import pytest

from client.servers import WAIT_S, RealServer
from ordertrack.cli.main import main
from ordertrack.cli.server_command import ServerCommand
from support.server import environment

SCRIPT = Path(__file__).parents[2] / "scripts" / "client_size.py"
MAX_BYTES = 10_000_000
"""Size of the Python client with all that it requires, without the commands."""
INSTALL = ": install ordertrack with it (README, section Python client)."
OF_THE_SERVER = sorted(name for name, command in main.commands.items() if isinstance(command, ServerCommand))


class Installed(NamedTuple):
    site: Path
    sizes: dict[str, int]

    def python(self, *arguments: str, fails: int = 0) -> subprocess.CompletedProcess[str]:
        """Run Python with this installation and the standard library only (-S: no other packages)."""
        env = environment({"PYTHONPATH": str(self.site), "PYTHONWARNINGS": "error"})
        ran = subprocess.run(
            [sys.executable, "-S", *arguments], cwd=self.site, env=env, capture_output=True, text=True, timeout=WAIT_S,
            check=False,
        )  # fmt: skip
        assert ran.returncode == fails, ran.stderr
        return ran

    def ordertrack(self, *words: str, fails: int = 0) -> subprocess.CompletedProcess[str]:
        return self.python("-m", "ordertrack", *words, fails=fails)


def installed(folder: Path, *options: str) -> Installed:
    site = folder / "site"
    ran = subprocess.run(
        [sys.executable, SCRIPT, "--into", site, "--json", *options], capture_output=True, text=True, check=True,
        timeout=WAIT_S,
    )  # fmt: skip
    return Installed(site, json.loads(ran.stdout))


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    return installed(tmp_path_factory.mktemp("library"))


@pytest.fixture(scope="module")
def commands(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    return installed(tmp_path_factory.mktemp("commands"), "--extra", "cli")


def test_client_takes_less_than_ten_megabytes(library: Installed) -> None:
    assert sum(library.sizes.values()) < MAX_BYTES, library.sizes
    assert {"httpx", "msgspec", "ordertrack"} <= set(library.sizes)


def test_client_works(library: Installed, server: RealServer) -> None:
    program = f"""
import asyncio
from ordertrack.client import AsyncOrdertrackClient, OrdertrackClient
with OrdertrackClient({server.url!r}) as client:
    print(client.order(101).status, next(client.track_customer(1)).reason)
async def main():
    async with AsyncOrdertrackClient({server.url!r}) as client:
        print((await anext(client.track(101))).order.id)
asyncio.run(main())
"""
    assert library.python("-c", program).stdout.split() == ["confirmed", "snapshot", "101"]


def test_commands_say_what_to_install(library: Installed) -> None:
    refused = library.ordertrack("orders", fails=1).stderr
    assert refused == f"Error: The command `ordertrack` needs the extra `cli`{INSTALL}\n"


@pytest.mark.parametrize(
    "words", [["orders"], ["stats"], ["create", "--customer-id=1", "--restaurant-id=1"], ["audit", "101"],
              ["link", "list", "101"], ["link", "create", "102"], ["bench", "--help"], ["feed", "--help"], ["--help"]],
    ids=" ".join,
)  # fmt: skip
def test_commands_that_call_a_server_work(commands: Installed, server: RealServer, words: list[str]) -> None:
    options = [] if "--help" in words else ["--url", server.url]
    assert commands.ordertrack(*words, *options).stdout


def test_qr_code_names_the_extra_it_needs(commands: Installed) -> None:
    refused = commands.ordertrack("link", "create", "101", "--qr", fails=2).stderr
    assert "--qr needs the extra `server`" in refused


@pytest.mark.parametrize("name", OF_THE_SERVER)
def test_command_of_the_server_says_what_to_install(commands: Installed, name: str) -> None:
    refused = commands.ordertrack(name, "--help", fails=1)
    missing = f"`ordertrack {name}` needs the extra `server`{INSTALL}"
    assert (refused.stdout, refused.stderr) == ("", f"Error: {missing}\n")
    assert json.loads(commands.ordertrack(name, "--json", fails=1).stdout)["message"] == missing


@pytest.mark.parametrize("name", OF_THE_SERVER)
def test_list_of_commands_has_their_own_words(name: str) -> None:
    command = main.commands[name]
    assert isinstance(command, ServerCommand)
    first = cleandoc(command.load().help or "").partition("\n\n")[0]
    assert command.help == first.replace("\n", " ")
