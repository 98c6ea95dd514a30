"""`ordertrack migrate` and `ordertrack db`: arguments, output, exit codes."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from ordertrack.adapters.sqlite.store import SqliteStore
from ordertrack.adapters.system.clock import SystemClock
from ordertrack.cli.main import main
from ordertrack.core.order import NewOrder

SECRET = "hunter2"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    async def fill() -> None:
        store = SqliteStore(tmp_path, SystemClock())
        await store.open()
        await store.create(NewOrder("c1", "r1"), 1_795_342_530_000)
        await store.close()

    asyncio.run(fill())
    return tmp_path


def run(*arguments: object, **environment: str) -> Result:
    return CliRunner().invoke(main, list(map(str, arguments)), env={"ORDERTRACK_DATABASE_URL": None, **environment})


def printed(result: Result) -> Any:
    return json.loads(result.stdout)


def test_check_of_a_sound_database(folder: Path) -> None:
    result = run("db", "check", "--data-dir", folder)
    assert (result.exit_code, result.stdout) == (0, "Nothing is wrong.\n")
    assert "orders: 1 of 1" in result.stderr


def test_check_exits_with_1_and_lists_findings(folder: Path) -> None:
    with sqlite3.connect(folder / "ordertrack.sqlite3") as database:
        database.execute("DELETE FROM feed_entries")
    database.close()
    result = run("db", "check", "--data-dir", folder, "--json")
    assert result.exit_code == 1
    assert printed(result)["data"]["findings"] == [
        "order 1: its last event is not in the feed of its customer",
        "order 1: its last event is not in the feed of its restaurant",
    ]


def test_missing_database_is_one_error(tmp_path: Path) -> None:
    result = run("db", "check", "--data-dir", tmp_path / "none", "--json")
    assert result.exit_code == 1
    assert printed(result)["error"] == "database_unusable"
    assert "There is no database at" in printed(result)["message"]


def test_backup_is_written_once(folder: Path) -> None:
    first, second = (run("db", "backup", "--data-dir", folder, "--to", folder / "copy", "--json") for _ in range(2))
    assert printed(first)["data"] == {"file": str(folder / "copy"), "bytes": (folder / "copy").stat().st_size}
    assert (second.exit_code, printed(second)["error"]) == (1, "database_unusable")


def test_backup_can_be_checked_by_its_url(folder: Path) -> None:
    run("db", "backup", "--data-dir", folder, "--to", folder / "copy.sqlite3")
    assert run("db", "check", ORDERTRACK_DATABASE_URL=f"sqlite://{folder}/copy.sqlite3").exit_code == 0


def test_new_epoch_is_printed(folder: Path) -> None:
    epoch = printed(run("db", "new-epoch", "--data-dir", folder, "--json"))["data"]["epoch"]
    with sqlite3.connect(folder / "ordertrack.sqlite3") as database:
        assert database.execute("SELECT value FROM meta WHERE key = 'epoch'").fetchone() == (epoch,)
    database.close()


def test_memory_store_has_nothing_to_check() -> None:
    result = run("db", "check", "--database-url", "memory:")
    assert result.exit_code == 1
    assert "memory: keeps nothing" in result.stderr


@pytest.mark.parametrize(
    ("source", "target", "option"),
    [
        ("sqlite:", "postgresql://db/orders", "--from"),
        (f"postgresql://shop:{SECRET}@db/orders", "postgresql://db/orders", "--from"),
        ("sqlite:///data", "sqlite:///other", "--to"),
        ("sqlite:///data", f"postgresql://shop:{SECRET}#@db/orders", "--to"),
    ],
)
def test_migrate_refuses_other_urls(source: str, target: str, option: str) -> None:
    result = run("migrate", "--from", source, "--to", target)
    assert result.exit_code == 2
    assert f"Invalid value for '{option}'" in result.stderr
    assert SECRET not in result.output


def test_migrate_names_an_unreachable_target(folder: Path) -> None:
    target = f"postgresql://shop:{SECRET}@127.0.0.1:1/orders"
    result = run("migrate", "--from", f"sqlite://{folder}", "--json", ORDERTRACK_DATABASE_URL=target)
    assert result.exit_code == 1
    assert "127.0.0.1:1 cannot be reached" in printed(result)["message"]
    assert SECRET not in result.output
