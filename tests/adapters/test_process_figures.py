"""The figures of this process, compared with what it knows itself."""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path

from ordertrack.adapters.system.process import PsutilProcess


def test_an_open_file_is_counted_until_it_is_closed(tmp_path: Path) -> None:
    process = PsutilProcess()
    before = process.view().open_files
    with ExitStack() as files:
        for number in range(20):
            files.enter_context((tmp_path / str(number)).open("w"))
        assert process.view().open_files == before + 20
    assert process.view().open_files == before


def test_figures_are_in_base_units() -> None:
    view = PsutilProcess().view()
    assert 5_000_000 < view.private_bytes <= view.resident_bytes
    assert 0 < view.started_at_s <= time.time()
    assert view.cpu_s > 0
    assert view.open_files < view.max_open_files
