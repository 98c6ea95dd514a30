"""Documents name files that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = (ROOT, ROOT / "src/ordertrack", ROOT / "src/ordertrack/http")
_PATH = re.compile(r"`((?:[\w.-]+/)+[\w.-]*|\w+\.(?:py|sql))`")


@pytest.mark.parametrize("document", ["ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md"])
def test_named_paths_exist(document: str) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    named = {match[1] for match in _PATH.finditer(text)} - {"utils.py"}
    assert named
    assert [path for path in sorted(named) if not _exists(path)] == []


def _exists(path: str) -> bool:
    if "/" not in path:
        return any(True for folder in ("src/ordertrack", "tests") for _ in (ROOT / folder).rglob(path))
    return any((folder / path).exists() for folder in FOLDERS)
