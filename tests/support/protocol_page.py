"""PROTOCOL.md as data: its numbered requirements and its table of transitions."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
_REQUIREMENT = re.compile(r"^(?:\* |\| )\*\*(\d+\.\d+)\*\*", re.MULTILINE)
_ROW = re.compile(r"^\| \*\*(\w+)\*\* \| (.*) \|$", re.MULTILINE)


@cache
def _text() -> str:
    return (ROOT / "PROTOCOL.md").read_text(encoding="utf-8")


def requirements() -> list[str]:
    """Return the numbers, with repetitions."""
    return _REQUIREMENT.findall(_text())


def transitions() -> dict[tuple[str, str], str]:
    """Return the entry of PROTOCOL.md for each step: `same`, `next`, `cancel, with a reason` and so on."""
    header = next(line for line in _text().splitlines() if line.startswith("| from"))
    columns = [column.strip() for column in header.strip("|").split("|")][1:]
    return {
        (start, to): move.strip()
        for start, row in _ROW.findall(_text())
        for to, move in zip(columns, row.split("|"), strict=True)
    }
