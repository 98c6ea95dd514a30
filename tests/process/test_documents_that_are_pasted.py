"""The commands in the documents work as described."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from support import missing
from support.server import BOUND_S, environment

ROOT = Path(__file__).parents[2]


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", (ROOT / page).read_text(), re.MULTILINE | re.DOTALL)


@contextmanager
def running(*command: str | Path, **options: Any) -> Iterator[subprocess.Popen[str]]:
    """Run a program and end it after the test."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment(), **options)
    try:
        yield process
    finally:
        process.kill()
        process.communicate(timeout=BOUND_S)


def pasted(script: str, folder: Path) -> None:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    env = environment({"HOME": str(folder), "PATH": path})
    subprocess.run(["bash", "-euc", script], cwd=folder, env=env, check=True, timeout=BOUND_S)


def test_a_backup_can_be_restored_after_a_crash(start, api_of, tmp_path: Path):
    backup, restore = (script for script in blocks("docs/operating.md", "bash") if "ordertrack-backups" in script)
    server = start()
    first = api_of(server).create()
    pasted(backup, tmp_path)
    (copy,) = (tmp_path / "ordertrack-backups").iterdir()
    assert oct(copy.stat().st_mode & 0o077) == "0o0"
    assert oct(copy.parent.stat().st_mode & 0o077) == "0o0"
    cursor = api_of(server).cursor(first["id"])
    api_of(server).made(first["id"], "ready")
    later = api_of(server).create()
    server.kill()
    assert (tmp_path / "data" / "ordertrack.sqlite3-wal").stat().st_size > 0, "nothing that could damage the backup"
    pasted(restore, tmp_path)
    api = api_of(start())
    assert api.order(first["id"]) == first
    assert api.http.get(f"/api/v1/orders/{later['id']}").status_code == 404
    assert api.poll(first["id"], cursor=cursor, timeout=30).json()["reason"] == "reset"


def test_the_program_of_the_readme_follows_an_order_to_its_end(start, api_of, tmp_path: Path):
    server = start()
    api = api_of(server)
    (program,) = blocks("README.md", "python")
    file = tmp_path / "follow.py"
    file.write_text(program.replace("http://127.0.0.1:5001", server.url))
    with running(sys.executable, file) as following:
        api.until_held(1)
        api.made(103, "picked_up")
        api.made(103, "delivered")
        out, _ = following.communicate(timeout=BOUND_S)
        assert following.returncode == 0
    assert [line.split()[0] for line in out.splitlines()][-1] == "delivered"


def test_the_program_of_the_readme_ends_quietly_on_ctrl_c(start, api_of, tmp_path: Path):
    server = start()
    (program,) = blocks("README.md", "python")
    file = tmp_path / "follow.py"
    file.write_text(program.replace("http://127.0.0.1:5001", server.url))
    with running(sys.executable, file, stderr=subprocess.STDOUT) as following:
        api_of(server).until_held(1)
        following.send_signal(signal.SIGINT)
        out, _ = following.communicate(timeout=BOUND_S)
        assert following.returncode == 0
    assert out.splitlines() == ["ready ['created', 'status_changed', 'status_changed']"]


def test_the_demo_of_the_readme_can_be_repeated(start, api_of, tmp_path: Path):
    missing.needs("curl")
    server = start()
    wait, change = (script.replace("http://127.0.0.1:5001", server.url) for script in blocks("README.md", "bash")
                    if "timeout=30" in script or "-X PUT" in script)  # fmt: skip
    for number, status in ((101, "preparing"), (101, "ready"), (api_of(server).create()["id"], "preparing")):
        waiting = subprocess.Popen(["bash", "-euc", wait.replace("101", str(number))], stdout=subprocess.PIPE,
                                   stderr=subprocess.DEVNULL, env=environment())  # fmt: skip
        api_of(server).until_held(1)
        pasted(change.replace("101", str(number)).replace("preparing", status), tmp_path)
        answer, _ = waiting.communicate(timeout=BOUND_S)
        assert f'"status":"{status}"'.encode() in answer
        assert b'"reason":"changed"' in answer


def test_commands_of_the_readme_continue_from_a_cursor(start, api_of, tmp_path: Path):
    missing.needs("curl")
    server = start()
    api_of(server).made(101, "delivered")  # an ended order is not held
    (script,) = (script for script in blocks("README.md", "bash") if "cursor=$" in script)
    script = script.rstrip().replace("http://127.0.0.1:5001", server.url)
    pasted(f"{script} > answer", tmp_path)
    assert '"reason":"terminal"' in (tmp_path / "answer").read_text()
