"""The JavaScript SDK in Node.js: its own tests, with a server and a fault proxy, and its types."""

from __future__ import annotations

import gzip
import json
import re
import shutil
import tarfile
from pathlib import Path

import pytest

from sdk.conftest import SDK, node_modules, run
from support import missing

CONSUMERS = Path(__file__).parent / "consumers"
COMMENT = re.compile(r"/\*\*(.*?)\*/", re.DOTALL)
COMMENTED_TYPE = re.compile(r"^/\*\*((?:(?!\*/).)*)\*/\nexport type (\w+)", re.DOTALL | re.MULTILINE)
MAX_SIZE = 7_000
"""The limit of what a page loads to follow one order, in bytes after gzip."""


def test_sdk_passes_its_tests_in_node(node: str, world: dict[str, str]) -> None:
    output = run(node, "--test", "--test-reporter=spec", "test/", env=world)
    assert "\u2139 skipped 0\n" in output, output


def test_types_are_strict_and_committed(node: str, tmp_path: Path) -> None:
    compiler = str(node_modules() / "typescript" / "bin" / "tsc")
    run(node, compiler, "--project", "tsconfig.types.json", "--outDir", str(tmp_path))
    made = {path.relative_to(tmp_path): path.read_text() for path in tmp_path.rglob("*.d.ts")}
    committed = {path.relative_to(SDK / "types"): path.read_text() for path in (SDK / "types").rglob("*.d.ts")}
    assert committed == made, "run `npm run types` in sdk/js"


def test_tracker_is_small() -> None:
    sizes = {name: len(gzip.compress((SDK / "src" / name).read_bytes())) for name in ("machine.js", "tracker.js")}
    assert sum(sizes.values()) < MAX_SIZE, sizes


def plain(text: str) -> str:
    """Return the text of a comment, without line breaks and their asterisks."""
    return " ".join(re.sub(r"\n *\*(?!/)", "\n", text).split())


def test_types_have_the_comments_of_their_sources() -> None:
    for name in ("types", "view-types"):
        source = (SDK / "src" / f"{name}.js").read_text()
        made = (SDK / "types" / f"{name}.d.ts").read_text()
        found = {type_: plain(comment) for comment, type_ in COMMENTED_TYPE.findall(made)}
        blocks = [plain(re.sub(r"(^|\n \*) @.*", "", block, flags=re.DOTALL)) for block in COMMENT.findall(source)]
        assert sorted(found.values()) == sorted(filter(None, blocks[1:])), "one type for each comment"  # 0: of the file
        for type_, comment in found.items():
            assert re.search(rf"{re.escape(comment)} @(?:(?!\*/).)*\b{type_}\b", plain(source)), type_


@pytest.fixture(scope="module")
def project(node: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the packed package is installed."""
    missing.needs("npm")
    folder = tmp_path_factory.mktemp("project")
    copy, package = folder / "copy", folder / "node_modules" / "ordertrack"
    shutil.copytree(SDK, copy, ignore=shutil.ignore_patterns("node_modules"))
    (packed,) = json.loads(run("npm", "pack", "--json", "--offline", folder=copy))
    with tarfile.open(copy / packed["filename"]) as tarball:
        tarball.extractall(folder, filter="data")
    package.parent.mkdir()
    (folder / "package").rename(package)
    for program in CONSUMERS.iterdir():
        shutil.copy(program, folder)
    return folder


def test_package_has_what_its_entries_need(node: str, project: Path) -> None:
    package = project / "node_modules" / "ordertrack"
    files = {path.relative_to(package).as_posix() for path in package.rglob("*") if path.is_file()}
    expected = {path.relative_to(SDK).as_posix() for top in ("src", "types") for path in (SDK / top).rglob("*.*")}
    assert files == expected | {"package.json", "README.md", "LICENSE", "widget.d.ts"}
    program = """
        import { OrderTracker, OrdersTracker, TrackerError } from 'ordertrack';
        import { OrderTrackerElement } from 'ordertrack/widget'; // as a server does that renders pages
        const classes = [OrderTracker, OrdersTracker, TrackerError, OrderTrackerElement];
        console.log(classes.map(({ name }) => name).join(' '));"""
    output = run(node, "--input-type=module", "--eval", program, folder=project)
    assert output.split() == ["OrderTracker", "OrdersTracker", "TrackerError", "OrderTrackerElement"]


@pytest.mark.parametrize(
    ("libraries", "programs"),
    [
        pytest.param("ES2022", ("node.mts",), id="without-dom"),
        pytest.param("ES2022,DOM", ("node.mts", "browser.mts"), id="with-dom"),
    ],
)
def test_programs_compile(node: str, project: Path, libraries: str, programs: tuple[str, ...]) -> None:
    compiler = str(node_modules() / "typescript" / "bin" / "tsc")
    options = ("--noEmit", "--strict", "--module", "NodeNext", "--target", "ES2022", "--lib", libraries)
    run(node, compiler, *options, *programs, folder=project)
