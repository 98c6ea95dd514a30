"""One update runs through a bounded number of files and functions."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "scripts" / "trace_request.py"
LIMITS = ("--max-files", "41", "--max-functions", "92", "--max-moves", "66")


def test_an_update_stays_within_the_limits() -> None:
    run = subprocess.run([sys.executable, SCRIPT, *LIMITS], capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
