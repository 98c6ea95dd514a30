"""`make cluster`: `python -m servers`."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import psutil

from support import missing
from support.server import BOUND_S, environment

ROOT = Path(__file__).parents[2]


def test_interrupt_ends_all_processes_and_removes_the_folder():
    if shutil.which("nginx", path="/usr/sbin:/usr/bin") is None:
        missing.skip("nginx is not installed: make packages")
    folder = tempfile.mkdtemp(prefix="ordertrack-test-")  # not in that of pytest, which PostgreSQL may not read
    process = subprocess.Popen(
        [sys.executable, "-m", "servers"],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=environment({"TMPDIR": folder}),
    )
    try:
        text = ""
        assert process.stdout is not None
        while "held polls node1:" not in text:
            line = process.stdout.readline()
            assert line, text
            text += line
        started = psutil.Process(process.pid).children(recursive=True)
        assert re.search(r"node1: \d+ node2: \d+ node3: \d+", text)
        process.send_signal(signal.SIGINT)
        assert process.wait(BOUND_S) == 0
    finally:
        process.send_signal(signal.SIGINT)  # when killed it would leave its processes
        process.communicate(timeout=BOUND_S)
    assert len(started) > 5
    assert not [child for child in started if child.is_running() and child.status() != psutil.STATUS_ZOMBIE]
    Path(folder).rmdir()
