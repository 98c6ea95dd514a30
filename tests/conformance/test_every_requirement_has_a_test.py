"""PROTOCOL.md and the tests name each other, and PROTOCOL.md has the transitions of the core."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

from ordertrack.core.transitions import TRANSITIONS
from support.protocol_page import ROOT, requirements, transitions

FOLDERS = ("conformance", "process", "access", "nodes")


def _marked(file: Path) -> list[tuple[str, str]]:
    """Return the requirements that a file names in `pytest.mark.protocol(...)`, each with its line."""
    found: list[tuple[str, str]] = []
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.protocol":
            found += [(ast.literal_eval(argument), f"{file.name}:{node.lineno}") for argument in node.args]
    return found


def _tests() -> list[Path]:
    return [file for folder in FOLDERS for file in sorted((ROOT / "tests" / folder).glob("test_*.py"))]


def _names() -> list[tuple[str, str]]:
    return [name for file in _tests() for name in _marked(file)]


def test_every_requirement_has_a_test():
    tested = {number for number, _ in _names()}
    assert [number for number in requirements() if number not in tested] == []


def test_no_test_names_an_unknown_requirement():
    known = set(requirements())
    assert [f"{where} names {number}" for number, where in _names() if number not in known] == []


def test_every_conformance_test_names_a_requirement():
    unmarked = []
    for file in sorted((ROOT / "tests" / "conformance").glob("test_*.py")):
        if file.name == Path(__file__).name:
            continue
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                decorators = [ast.unparse(decorator) for decorator in node.decorator_list]
                if not any(decorator.startswith("pytest.mark.protocol(") for decorator in decorators):
                    unmarked.append(f"{file.name}:{node.lineno} {node.name}")
    assert unmarked == []


def test_requirement_numbers_have_no_gaps_or_repeats():
    numbers = requirements()
    assert [number for number, count in Counter(numbers).items() if count > 1] == []
    sections: dict[int, list[int]] = {}
    for number in numbers:
        section, _, item = number.partition(".")
        sections.setdefault(int(section), []).append(int(item))
    assert set(sections) >= {1, 2, 3, 6}
    assert all(sorted(items) == list(range(1, len(items) + 1)) for items in sections.values()), sections


def test_the_page_has_the_36_transitions_of_the_core():
    core = {(start.value, to.value): move.value.replace("_", ", ", 1) for (start, to), move in TRANSITIONS.items()}
    page = {transition: move.replace(" a ", "_") for transition, move in transitions().items()}
    assert len(page) == 36
    assert page == core
