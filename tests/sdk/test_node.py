"""The JavaScript SDK in Node.js: its own tests, with a server and a fault proxy, and its types."""

from __future__ import annotations

import gzip
from pathlib import Path

from sdk.conftest import SDK, node_modules, run

MAX_SIZE = 8_600
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
