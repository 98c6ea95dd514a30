"""Each rule of scripts/check_language.py finds a bad sample and passes a good one."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "check_language.py"
SOURCE = "src/ordertrack/core/sample.py"
TEST = "tests/core/test_sample.py"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("check_language", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules["check_language"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def rules(script: ModuleType, root: Path, **texts: str) -> list[str]:
    """Return the rules that files break. `texts` are by path."""
    for path, text in texts.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return [finding.rule for finding in script.check(root, list(texts))]


@pytest.mark.parametrize(
    "text",
    [
        "# for whoever asks",
        'x = "Somebody else"',
        "NOBODY = 1",
        "told_everybody = 1",
        "class AskAnybody: ...",
        "x = 1  # whatever it is",
        "x = 1  # no one waits",
    ],
)
def test_pronoun_is_found(script: ModuleType, tmp_path: Path, text: str) -> None:
    assert rules(script, tmp_path, **{SOURCE: text}) == ["pronoun"]


def test_pronoun_in_a_document_is_found(script: ModuleType, tmp_path: Path) -> None:
    assert rules(script, tmp_path, **{"README.md": "Nobody waits."}) == ["pronoun"]


@pytest.mark.parametrize(
    "text",
    [
        '"""What it is."""',
        'def f():\n    """Whether it is."""',
        'class C:\n    x: int = 1\n    """When it is."""',
    ],
)
def test_riddle_docstring_is_found(script: ModuleType, tmp_path: Path, text: str) -> None:
    assert rules(script, tmp_path, **{SOURCE: text}) == ["docstring"]


def test_long_test_name_is_found(script: ModuleType, tmp_path: Path) -> None:
    longest = "test_" + "a" * 55
    assert rules(script, tmp_path, **{TEST: f"def {longest}(): ..."}) == []
    assert rules(script, tmp_path, **{TEST: f"async def {longest}a(): ..."}) == ["test-name"]


def test_empty_module_name_is_found(script: ModuleType, tmp_path: Path) -> None:
    assert rules(script, tmp_path, **{"bench/helpers.py": ""}) == ["module-name"]


def test_module_name_used_twice_is_found(script: ModuleType, tmp_path: Path) -> None:
    same = {SOURCE: "", "src/ordertrack/http/sample.py": ""}
    assert rules(script, tmp_path, **same) == ["module-twice"] * 2


def test_public_name_used_twice_is_found(script: ModuleType, tmp_path: Path) -> None:
    same = {SOURCE: "class Sample: ...", "src/ordertrack/http/other.py": "def Sample(): ..."}
    assert rules(script, tmp_path, **same) == ["name-twice"] * 2


def test_plain_sample_is_accepted(script: ModuleType, tmp_path: Path) -> None:
    plain = '"""Hold polls."""\n\nANYONE = 1\n\n\ndef _sample() -> int:\n    """Return the number of polls."""\n'
    other = {"src/ordertrack/http/other.py": "def _sample(): ...", "src/ordertrack/client/sample.py": "ANYONE = 2"}
    assert rules(script, tmp_path, **{SOURCE: plain}, **other) == []
