"""Measure an installation of the client without the server: its size, by distribution.

Builds the wheel of this repository and puts it into an empty folder, with the distributions that it requires: those of
the running environment, which has the versions of the lock file. The bytes are those that pip leaves there, compiled
modules included. Needs no network.

    python scripts/client_size.py [--extra cli] [--into FOLDER] [--json]
"""

from __future__ import annotations

import argparse
import compileall
import json
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from importlib.metadata import Distribution, distribution, distributions
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
OWN = "ordertrack"


def build_wheel(folder: Path) -> Path:
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    return wheel


def required(found: Distribution, extras: frozenset[str]) -> Iterator[Requirement]:
    """Yield the requirements that hold on this machine, with these extras."""
    for text in found.requires or ():
        requirement = Requirement(text)
        markers = ({"extra": extra} for extra in extras | {""})
        if requirement.marker is None or any(map(requirement.marker.evaluate, markers)):
            yield requirement


def install(wheel: Path, extras: frozenset[str], site: Path) -> dict[str, int]:
    """Fill the folder `site`. Return the bytes of each distribution."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    compileall.compile_dir(site, quiet=1)
    sizes = {OWN: sum(file.stat().st_size for file in site.rglob("*") if file.is_file())}
    (own,) = distributions(path=[str(site)])
    waiting = [(own, extras)]
    while waiting:
        found, wanted = waiting.pop()
        for requirement in required(found, wanted):
            name = canonicalize_name(requirement.name)
            if name == OWN:  # an extra that contains another one
                waiting.append((own, frozenset(requirement.extras)))
            elif name not in sizes:
                needed = distribution(name)
                sizes[name] = _copy(needed, site)
                waiting.append((needed, frozenset(requirement.extras)))
    return sizes


def _copy(found: Distribution, site: Path) -> int:
    """Copy what a distribution has in the folder of packages, not its programs."""
    size = 0
    for file in found.files or ():
        source = Path(str(file.locate()))
        if ".." in file.parts or not source.is_file():
            continue
        target = site / file
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
        size += source.stat().st_size
    return size


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--extra", action="append", default=[], help="an extra to install, such as cli")
    parser.add_argument("--into", type=Path, help="keep the installation in this empty folder")
    parser.add_argument("--json", action="store_true", dest="as_json")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        site = options.into or Path(temporary) / "site"
        sizes = install(build_wheel(Path(temporary)), frozenset(options.extra), site)
    if options.as_json:
        print(json.dumps(sizes))
        return
    for name, size in sorted(sizes.items(), key=lambda entry: entry[1]):
        print(f"{name:20} {size / 1e6:6.2f} MB")
    print(f"{'all':20} {sum(sizes.values()) / 1e6:6.2f} MB")


if __name__ == "__main__":
    main()
