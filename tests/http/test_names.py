"""`http/names.py`: each name of the wire is declared once, and the server writes it nowhere else."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from ordertrack.http.wire import names

FILE = Path(names.__file__)


def _literals(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str | bytes):
            yield node.value if isinstance(node.value, str) else node.value.decode("latin-1")


def test_each_name_is_declared_once() -> None:
    declared = [node for node in ast.parse(FILE.read_text(encoding="utf-8")).body if isinstance(node, ast.Assign)]
    constants = Counter(ast.unparse(target) for node in declared for target in node.targets)
    values = Counter(getattr(names, constant) for constant in constants)
    assert [constant for constant, count in constants.items() if count > 1] == []
    assert [value for value, count in values.items() if count > 1] == []
    assert len(values) > 40, "the declarations were read"


def test_no_other_module_writes_a_header_name() -> None:
    """Only names with a hyphen: `date` and `host` have other meanings too."""
    headers = {value for name, value in vars(names).items() if name.isupper() and "-" in value and value.islower()}
    headers -= {names.NO_STORE}
    assert headers >= {"retry-after", "preference-applied"}
    found = {
        f"{file.relative_to(FILE.parent)}: {literal}"
        for file in FILE.parent.rglob("*.py")
        if file != FILE
        for literal in _literals(file)
        if literal in headers
    }
    assert found == set()
