"""Nothing is left of a run that was killed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from cluster.guard import VARIABLE, marked
from support.api import eventually
from support.server import environment

RUN = """
import sys
from pathlib import Path
from cluster.run import Plan, run_in
plan = Plan(seed=1, seconds=600, signal="sqlite", faults=(), followers={"cursor": 20})
run_in(Path(sys.argv[1]), plan, lambda text: print(text, flush=True))
"""


def test_killed_run_leaves_no_process_and_no_folder(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    env = environment({"PYTHONPATH": os.pathsep.join(sys.path)})
    run = subprocess.Popen([sys.executable, "-c", RUN, str(folder)], stdout=subprocess.PIPE, text=True, env=env)
    with run:
        assert run.stdout is not None
        for line in run.stdout:
            if line.startswith("started"):
                break
        children = [int(pid) for pid in Path(f"/proc/{run.pid}/task/{run.pid}/children").read_text().split()]
        (marker,) = {found for pid in children for found in _markers(pid)}
        assert list(marked(marker))
        run.kill()
    eventually(lambda: not list(marked(marker)) and not folder.exists(), "the processes ended")


def _markers(pid: int) -> set[str]:
    entries = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    return {entry.decode().partition("=")[2] for entry in entries if entry.startswith(VARIABLE.encode())}
