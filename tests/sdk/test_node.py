"""The JavaScript SDK in Node.js: its own tests, with a server and a fault proxy, and its types."""

from __future__ import annotations

import gzip
import json
import shutil
import tarfile
from pathlib import Path

from sdk.conftest import SDK, node_modules, run
from support import missing

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


def test_package_has_what_its_entries_need(node: str, tmp_path: Path) -> None:
    missing.needs("npm")
    copy, package = tmp_path / "copy", tmp_path / "node_modules" / "ordertrack"
    shutil.copytree(SDK, copy, ignore=shutil.ignore_patterns("node_modules"))
    (packed,) = json.loads(run("npm", "pack", "--json", "--offline", folder=copy))
    with tarfile.open(copy / packed["filename"]) as tarball:
        tarball.extractall(tmp_path, filter="data")
    package.parent.mkdir()
    (tmp_path / "package").rename(package)

    files = {path.relative_to(package).as_posix() for path in package.rglob("*") if path.is_file()}
    expected = {path.relative_to(SDK).as_posix() for top in ("src", "types") for path in (SDK / top).rglob("*.*")}
    assert files == expected | {"package.json", "README.md", "LICENSE"}
    program = """
        import { existsSync } from 'node:fs';
        import { fileURLToPath } from 'node:url';
        import { OrderTracker, OrdersTracker, TrackerError } from 'ordertrack';
        const widget = fileURLToPath(import.meta.resolve('ordertrack/widget'));
        console.log(OrderTracker.name, OrdersTracker.name, TrackerError.name, existsSync(widget));"""
    output = run(node, "--input-type=module", "--eval", program, folder=tmp_path)
    assert output.split() == ["OrderTracker", "OrdersTracker", "TrackerError", "true"]
