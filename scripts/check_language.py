"""Check names and texts against the rules of plain English (CONTRIBUTING.md).

Prints `path:line: rule: message` and exits with 1 when there are findings. Each entry of an allow-list has its reason.
"""

from __future__ import annotations

import argparse
import ast
import re
import subprocess
import sys
import tokenize
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

CODE = ("src", "tests", "bench", "scripts", "deploy")
DOCUMENTS = ("README.md", "PROTOCOL.md", "ARCHITECTURE.md", "SECURITY.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs")
SUFFIXES = frozenset((".py", ".md", ".sql", ".sh", ".conf", ".cfg", ".vcl", ".toml", ""))
PACKAGE = "src/ordertrack"
MAX_TEST_NAME = 60

PRONOUNS = re.compile(
    r"\b(?:(?:any|every|no|some)body|(?:who|what|which)(?:so)?ever|(?:some|every)one|no one)\b", re.IGNORECASE
)
"""`anyone` is not among them: it is a role of the product (`Role.ANYONE`, the client without access control)."""
OPENINGS = re.compile(r"(What|Of|Who|Whom|Whose|How|Whether|Where|When)\b")
WORD_BREAKS = re.compile(r"_+|(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")

EMPTY_NAMES = frozenset(("utils", "util", "helpers", "helper", "common", "misc"))
"""Module names that say nothing of what is in the module."""

ALLOWED_TEXT: dict[str, str] = {
    "scripts/check_language.py": "names the words it looks for",
    "tests/lint/test_check_language.py": "has a bad sample for each rule",
}
"""Files in which pronouns are not looked for."""
ALLOWED_VENDORED = ("src/ordertrack/web/static/", "tests/generated_clients/node_modules/")
"""Folders of other authors' files."""
ALLOWED_MODULES: dict[str, str] = {
    "__init__.py": "Python's name for a package",
    "__main__.py": "Python's name for `python -m`",
    "errors.py": "the error classes of a layer, in each layer that has any",
    "links.py": "one feature through its layers: route, use case, SQL",
    "orders.py": "one feature through its layers: route and use case",
    "poll.py": "one feature through its layers: endpoint and rules",
    "store.py": "the port and its adapters",
    "signal.py": "the port and its adapters",
    "clock.py": "a port and its adapter",
    "process.py": "a port and its adapter",
    "tokens.py": "a port and its adapter",
}
"""Module names that may be in several folders."""
ALLOWED_NAMES: dict[str, str] = {
    "create": "a rule of the core, and the command `ordertrack create`, which click names after its function",
    "main": "the entry of a program",
}
"""Public names that may be in several modules."""
CLIENT = (f"{PACKAGE}/client/", f"{PACKAGE}/load/")
"""Programs that share no code with the server. They name what the protocol names by the same words (Order, Event,
errors), so names are compared within the client and within the server, not between them. (`load/` is where the load
generator moves to.)"""
MIRRORS = (frozenset((f"{PACKAGE}/client/sync.py", f"{PACKAGE}/client/asynchronous.py")),)
"""Modules that have the same names on purpose: the blocking and the asyncio client."""


class Finding(NamedTuple):
    path: str
    line: int
    rule: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.rule}: {self.message}"


def check_pronouns(path: str, text: str) -> Iterator[Finding]:
    """Look into comments, strings, documents and the words of identifiers."""
    for number, line in enumerate(text.splitlines(), 1):
        words = WORD_BREAKS.sub(" ", line)
        for word in PRONOUNS.findall(words):
            yield Finding(path, number, "pronoun", f'"{word}": name the client, server, request, poll or store')


def check_docstrings(path: str, tree: ast.Module) -> Iterator[Finding]:
    """Look at docstrings, and at the strings that describe a constant or an attribute below it."""
    for node in ast.walk(tree):
        for before, statement in _pairs(getattr(node, "body", None)):
            if not (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)):
                continue
            text = statement.value.value
            is_first = before is None and isinstance(
                node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
            )
            if not isinstance(text, str) or not (is_first or isinstance(before, ast.Assign | ast.AnnAssign)):
                continue
            if match := OPENINGS.match(text.lstrip()):
                message = f'a docstring starts with a verb or a noun, not with "{match[1]}"'
                yield Finding(path, statement.lineno, "docstring", message)


def _pairs(body: object) -> Iterator[tuple[ast.stmt | None, ast.stmt]]:
    """Yield each statement of a body with the one before it."""
    before: ast.stmt | None = None
    for statement in body if isinstance(body, list) else ():
        yield before, statement
        before = statement


def check_test_names(path: str, tree: ast.Module) -> Iterator[Finding]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or not node.name.startswith("test_"):
            continue
        if len(node.name) > MAX_TEST_NAME:
            message = f"{node.name} has {len(node.name)} characters, at most {MAX_TEST_NAME} are allowed"
            yield Finding(path, node.lineno, "test-name", message)


def check_module_names(paths: Iterable[str]) -> Iterator[Finding]:
    by_name: defaultdict[tuple[bool, str], list[str]] = defaultdict(list)
    for path in paths:
        name = path.rpartition("/")[2]
        if name.removesuffix(".py") in EMPTY_NAMES:
            yield Finding(path, 1, "module-name", f"{name} says nothing of what is in it")
        if path.startswith(f"{PACKAGE}/"):
            by_name[path.startswith(CLIENT), name].append(path)
    for (_, name), same in by_name.items():
        if len(same) > 1 and name not in ALLOWED_MODULES:
            for path in same:
                others = ", ".join(other for other in same if other != path)
                yield Finding(path, 1, "module-twice", f"{name} is also {others}")


def check_public_names(trees: dict[str, ast.Module]) -> Iterator[Finding]:
    """Look at the public classes and functions of the package's modules, not at methods."""
    places: defaultdict[tuple[bool, str], list[tuple[str, int]]] = defaultdict(list)
    for path, tree in trees.items():
        for node in tree.body:
            if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and node.name[0] != "_":
                places[path.startswith(CLIENT), node.name].append((path, node.lineno))
    for (_, name), found in places.items():
        paths = {path for path, _ in found}
        if len(paths) < 2 or name in ALLOWED_NAMES or any(paths <= mirror for mirror in MIRRORS):
            continue
        for path, line in found:
            others = ", ".join(sorted(paths - {path}))
            yield Finding(path, line, "name-twice", f"{name} is also in {others}")


def check(root: Path, paths: Iterable[str]) -> list[Finding]:
    """Check files given by their paths below `root`."""
    findings: list[Finding] = []
    sources = [path for path in paths if not path.startswith(ALLOWED_VENDORED)]
    trees: dict[str, ast.Module] = {}
    for path in sources:
        with tokenize.open(root / path) if path.endswith(".py") else (root / path).open(encoding="utf-8") as file:
            text = file.read()
        if path not in ALLOWED_TEXT:
            findings += check_pronouns(path, text)
        if not path.endswith(".py"):
            continue
        tree = ast.parse(text)
        findings += check_docstrings(path, tree)
        if path.startswith("tests/"):
            findings += check_test_names(path, tree)
        if path.startswith(f"{PACKAGE}/"):
            trees[path] = tree
    findings += check_module_names(path for path in sources if path.endswith(".py"))
    findings += check_public_names(trees)
    return sorted(findings)


def tracked_files(root: Path) -> list[str]:
    """Return the files of the repository that are checked, with those that are not committed yet."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *CODE, *DOCUMENTS]
    listed = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout.splitlines()
    return [path for path in listed if Path(path).suffix in SUFFIXES and (root / path).is_file()]


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--count", action="store_true", help="print only how many findings each rule has")
    arguments = parser.parse_args()
    root = Path(__file__).resolve().parent.parent
    paths = tracked_files(root)
    findings = check(root, paths)
    if arguments.count:
        for rule, count in sorted(Counter(finding.rule for finding in findings).items()):
            print(f"{count:5} {rule}")
    elif findings:
        print(*findings, sep="\n")
    else:
        print(f"Language: {len(paths)} files checked, no findings.")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
