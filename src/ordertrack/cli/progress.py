"""Progress of a long command on standard error: bars on a terminal, lines elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from ordertrack.cli.terminal import Screen, say
from ordertrack.ports.records import RecordProgress

LINES_PER_KIND = 10


@contextmanager
def reported_progress() -> Iterator[RecordProgress]:
    screen = Screen(stderr=True)
    if screen.is_terminal and not screen.is_dumb_terminal:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=screen) as bars:
            yield _bars(bars)
    else:
        yield _lines()


def _bars(progress: Progress) -> RecordProgress:
    tasks: dict[str, TaskID] = {}

    def report(kind: str, done: int, total: int) -> None:
        if kind not in tasks:
            tasks[kind] = progress.add_task(kind.capitalize())
        progress.update(tasks[kind], completed=done, total=total)

    return report


def _lines() -> RecordProgress:
    shown: dict[str, int] = {}

    def report(kind: str, done: int, total: int) -> None:
        tenth = LINES_PER_KIND * done // total if total else LINES_PER_KIND
        if shown.get(kind) != tenth:
            shown[kind] = tenth
            say(f"{kind}: {done:,} of {total:,}", err=True)

    return report
