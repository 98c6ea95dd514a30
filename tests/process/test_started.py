"""The start of a server: refused configurations, and the sources of settings."""

from __future__ import annotations

import json
import re
import socket
import sqlite3
import subprocess
from pathlib import Path

import pytest

from support.server import run


def said(ended: subprocess.CompletedProcess[str]) -> str:
    """Return standard error without its frame and line breaks."""
    return re.sub(r"[\s│╭╮╰╯─]+", " ", ended.stderr)


def test_second_process_on_a_data_folder_is_refused(start, api_of):
    server = start()
    api = api_of(server)
    held = api.hold(101)
    api.until_held(1)
    second = run("serve", "--port", "0", "--data-dir", str(server.data_dir))
    assert second.returncode == 1
    assert f"in use by another ordertrack (process {server.pid})" in said(second)
    assert "--data-dir" in said(second)
    assert second.stdout == ""
    assert "Traceback" not in second.stderr
    changed = api.made(101, "preparing")
    assert held.answer().json()["data"] == changed
    assert server.stop() == 0
    assert api_of(start()).order(101) == changed


@pytest.mark.parametrize("host", ["0.0.0.0", "example.com"])
def test_public_address_without_tokens_is_refused(tmp_path: Path, host: str):
    ended = run("serve", "--host", host, "--port", "0", "--data-dir", str(tmp_path / "data"))
    assert ended.returncode == 2
    assert "no access control" in said(ended)
    assert "127.0.0.1" in said(ended)
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("host", ["localhost", "127.0.0.2"])
def test_loopback_addresses_are_listened_on(start, api_of, host: str):
    assert api_of(start("--host", host)).http.get("/healthz").status_code == 200


def test_port_in_use_is_reported_before_the_store_opens(tmp_path: Path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = run("serve", "--port", str(port), "--data-dir", str(tmp_path / "data"))
    assert ended.returncode == 1
    assert f"127.0.0.1:{port}" in said(ended)
    assert "--port" in said(ended)
    assert not (tmp_path / "data").exists()


def test_json_refusal_of_a_used_port_or_folder(start, tmp_path: Path):
    server = start()
    port = server.url.rpartition(":")[2]
    for code, words in (
        ("cannot_listen", ("--port", port, "--data-dir", str(tmp_path / "other"))),
        ("store_cannot_open", ("--port", "0", "--data-dir", str(server.data_dir))),
    ):
        ended = run("serve", "--json", *words)
        (line,) = ended.stdout.splitlines()
        refusal = json.loads(line)
        assert (ended.returncode, refusal["success"], refusal["error"]) == (1, False, code)
        assert refusal["message"].endswith(".")


def test_data_folder_that_cannot_be_created_is_reported(tmp_path: Path):
    file = tmp_path / "file"
    file.write_text("not a folder")
    ended = run("serve", "--port", "0", "--data-dir", str(file / "data"))
    assert ended.returncode == 1
    assert "cannot be opened" in said(ended)
    assert "Traceback" not in ended.stderr


def test_data_folder_that_cannot_be_written_is_reported(tmp_path: Path):
    """In /proc even root cannot create files."""
    ended = run("serve", "--port", "0", "--data-dir", "/proc/self/task")
    assert ended.returncode == 1
    assert "cannot be opened" in said(ended)
    assert "Traceback" not in ended.stderr


def test_file_that_is_not_a_database_is_refused_unchanged(tmp_path: Path):
    data = tmp_path / "data"
    data.mkdir()
    (data / "ordertrack.sqlite3").write_bytes(b"my diary, volume 3. " * 1000)
    ended = run("serve", "--port", "0", "--data-dir", str(data))
    assert ended.returncode == 1
    assert "cannot be opened" in said(ended)
    assert (data / "ordertrack.sqlite3").read_bytes() == b"my diary, volume 3. " * 1000


def test_a_database_of_a_newer_version_is_refused(start):
    server = start()
    server.stop()
    with sqlite3.connect(server.data_dir / "ordertrack.sqlite3") as database:
        database.execute("INSERT INTO schema_migrations VALUES (9999, 'from_the_future', '', 0)")
    database.close()
    ended = run("serve", "--port", "0", "--data-dir", str(server.data_dir))
    assert ended.returncode == 1
    assert "newer ordertrack" in said(ended)


def test_damaged_order_does_not_affect_others(start, api_of):
    server = start()
    server.stop()
    with sqlite3.connect(server.data_dir / "ordertrack.sqlite3") as database:
        database.execute("PRAGMA ignore_check_constraints = ON")
        database.execute("UPDATE events SET type = 'eaten' WHERE order_id = 101")
    database.close()
    server = start()
    assert api_of(server).order(102)["status"] == "preparing"
    server.stop()
    assert "damaged order" in server.log


@pytest.mark.parametrize(("flag", "value"), [("--max-timeout-s", "0"), ("--edge-timeout-s", "2"), ("--port", "65536")])
def test_a_setting_out_of_bounds_is_refused_by_its_name(tmp_path: Path, flag: str, value: str):
    ended = run("serve", "--data-dir", str(tmp_path / "data"), flag, value)
    assert ended.returncode == 2
    assert flag in said(ended)
    assert not (tmp_path / "data").exists()


def test_settings_reach_the_server_from_all_three_places(start, api_of, tmp_path: Path):
    file = tmp_path / "ordertrack.toml"
    file.write_text('max_timeout_s = 11.5\nnode_name = "file"\nmax_connections_per_order = 3\n')
    env = {"ORDERTRACK_MAX_CONNECTIONS_PER_ORDER": "4", "ORDERTRACK_NODE_NAME": "environment"}
    api = api_of(start("--config", str(file), "--node-name", "flag", env=env))
    assert api.poll(101).json()["max_timeout"] == 11.5
    stats = api.stats()
    assert (stats["node"], stats["max_connections_per_order"]) == ("flag", 4)


def test_no_sample_orders_is_an_empty_store(start, api_of):
    api = api_of(start("--no-sample-orders"))
    assert api.http.get("/api/v1/orders").json()["data"]["orders"] == []
    assert api.http.get("/api/v1/orders/101").status_code == 404


def test_memory_store_writes_no_files(start, api_of, tmp_path: Path):
    server = start("--database-url", "memory:")
    api = api_of(server)
    held = api.hold(101)
    api.until_held(1)
    changed = api.made(101, "preparing")
    assert held.answer().json()["data"] == changed
    assert api.stats()["store"] == "memory"
    assert server.stop() == 0
    assert not (tmp_path / "data").exists()


def test_only_the_owner_can_read_the_data_folder(start):
    server = start()
    modes = {path.name: oct(path.stat().st_mode & 0o077) for path in server.data_dir.iterdir()}
    assert modes
    assert set(modes.values()) == {"0o0"}
    assert oct(server.data_dir.stat().st_mode & 0o077) == "0o0"
