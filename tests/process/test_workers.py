"""Several workers on one port: `ordertrack serve --workers 2`."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest

from process.conftest import Start
from process.tight_loop import TightLoop
from support.api import Api, eventually
from support.http1 import Connection
from support.server import Server, run

HELD = 20
NO_LIMITS = ("--max-connections-per-order", "1000", "--polls-per-minute", "0", "--reads-per-minute", "0")


@pytest.fixture
def start_two(start: Start, database_url: str) -> Callable[..., Server]:
    return lambda *flags: start("--workers", "2", "--database-url", database_url, *NO_LIMITS, *flags)


def workers(server: Server) -> set[int]:
    """Return the ids of the running workers."""
    children = psutil.Process(server.pid).children()
    return {child.pid for child in children if child.status() != psutil.STATUS_ZOMBIE}


def listens(url: str) -> bool:
    try:
        socket.create_connection((urlsplit(url).hostname, urlsplit(url).port), timeout=1).close()
    except ConnectionRefusedError:
        return False
    return True


def hold(api: Api, count: int) -> list[Connection]:
    held = [api.hold(101, timeout=100) for _ in range(count)]
    api.until_held(count)
    return held


def all_drained(held: list[Connection]) -> bool:
    return all((answer := one.answer()).status == 200 and answer.json()["reason"] == "drain" for one in held)


def test_store_of_one_process_is_refused(tmp_path: Path):
    ended = run("serve", "--workers", "2", "--data-dir", str(tmp_path / "data"))
    assert ended.returncode == 2
    assert "--workers 2 need a database that several processes can use" in " ".join(ended.stderr.split())
    assert not (tmp_path / "data").exists()


def test_unreachable_database_is_reported_once():
    ended = run("serve", "--port", "0", "--workers", "2", "--database-url", "postgresql://127.0.0.1:1/none")
    assert ended.returncode == 1
    assert ended.stderr.count("Error: ") == 1
    assert ended.stdout == ""


def test_port_that_workers_share_is_refused_to_others(start_two, database_url: str):
    port = start_two().url.rpartition(":")[2]
    second = run("serve", "--port", port, "--workers", "2", "--database-url", database_url)
    assert second.returncode == 1
    assert f"127.0.0.1:{port}" in second.stderr


def test_connections_reach_all_workers_of_one_cluster(start_two, api_of):
    server = start_two("--node-name", "n")
    names: set[str] = set()

    def all_seen() -> bool:
        api = api_of(server)
        names.add(api.stats()["node"])
        return len(names) == 2

    eventually(all_seen, "both answer")
    assert names == {"n-1", "n-2"}
    api = api_of(server)
    held = hold(api, HELD)
    api.made(101, "preparing")
    assert {one.answer().json()["reason"] for one in held} == {"changed"}
    assert server.stop() == 0


@pytest.mark.protocol("3.13")
@pytest.mark.parametrize("gate", ["on", "off"])
def test_all_workers_drain_at_sigterm(start_two, api_of, gate: str):
    server = start_two("--gate", gate)
    held = hold(api_of(server), HELD)
    server.signal(signal.SIGTERM)
    assert all_drained(held)
    assert server.wait() == 0
    assert not listens(server.url)


def test_second_signal_ends_all_workers(start_two, api_of):
    server = start_two("--drain-window-s", "100")
    hold(api_of(server), HELD)
    server.signal(signal.SIGINT)
    eventually(lambda: server.log.count("stopping") == 2, "both workers drain")
    server.signal(signal.SIGTERM)
    assert server.wait() == 128 + signal.SIGTERM
    assert not listens(server.url)


def test_workers_drain_when_their_supervisor_is_killed(start_two, api_of):
    server = start_two()
    held = hold(api_of(server), HELD)
    server.kill()
    assert all_drained(held)
    eventually(lambda: not listens(server.url), "no worker stays")


def test_killed_worker_is_replaced(start_two, api_of):
    server = start_two()
    before = workers(server)
    killed = min(before)
    os.kill(killed, signal.SIGKILL)
    eventually(lambda: len(workers(server) - {killed}) == 2, "another worker runs")
    assert {api_of(server).order(101)["id"] for _ in range(10)} == {101}
    assert server.stop() == 0
    assert f"pid={killed}" in server.log


@pytest.mark.protocol("3.13")
@pytest.mark.parametrize("gate", ["on", "off"])
def test_no_request_fails_while_workers_are_replaced(start_two, api_of, gate: str):
    server = start_two("--gate", gate)
    before = workers(server)
    clients = [TightLoop(server.url, keeps=keeps) for keeps in (True, False)]
    for client in clients:
        client.start()
    held = hold(api_of(server), HELD)
    server.signal(signal.SIGHUP)
    eventually(lambda: len(now := workers(server)) == 2 and not now & before, "both are replaced")
    assert all_drained(held)
    answered = sum(client.answered for client in clients)
    eventually(lambda: sum(client.answered for client in clients) > answered + 100, "the new ones answer")
    assert server.stop() == 0
    for client in clients:
        client.join(60)
        assert client.failed == []


def test_old_workers_go_on_when_a_new_one_cannot_start(start_two, api_of, tmp_path: Path):
    file = tmp_path / "ordertrack.toml"
    file.write_text("undo_window_s = 60.0\n")
    server = start_two("--config", str(file))
    before = workers(server)
    held = hold(api_of(server), HELD)
    file.write_text("undo_window_s = -1\n")
    server.signal(signal.SIGHUP)
    eventually(lambda: "the old ones go on" in server.log, "the new worker has ended")
    assert workers(server) == before
    assert all(one.silent() for one in held)
    assert server.stop() == 0


def test_workers_that_keep_ending_are_given_up(start_two, tmp_path: Path):
    file = tmp_path / "ordertrack.toml"
    file.write_text("undo_window_s = 60.0\n")
    server = start_two("--config", str(file))
    file.write_text("undo_window_s = -1\n")
    for pid in workers(server):
        os.kill(pid, signal.SIGKILL)
    assert server.wait() == 1
    assert "giving up" in server.log
    assert not listens(server.url)
