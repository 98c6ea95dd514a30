"""Files of the SDK and of the page: listed once, and in the wheel."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from ordertrack.core.languages import LANGUAGES
from ordertrack.web.static_files import MEDIA_TYPES, SDK_FOLDER, list_static_files
from support.server import environment

ROOT = Path(__file__).parents[2]
SDK = ROOT / "sdk" / "js" / "src"
BOUND_S = 60


def test_every_file_of_the_sdk_is_listed() -> None:
    assert SDK_FOLDER == SDK
    files = {path.relative_to(SDK).as_posix() for path in SDK.rglob("*") if path.suffix in MEDIA_TYPES}
    listed = list_static_files()
    assert {name.removeprefix("/sdk/") for name in listed if name.startswith("/sdk/")} == files
    assert {f"words/{language}.js" for language in LANGUAGES} <= files
    assert {"/service-worker.js", "/pages/page.js", "/pages/manifest.webmanifest"} <= listed.keys()
    assert all(len(file.compressed.body) < len(file.plain.body) for file in listed.values() if file.compressed)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the unpacked wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    done = subprocess.run(build, cwd=ROOT, capture_output=True, text=True, timeout=BOUND_S, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = folder.glob("*.whl")
    with zipfile.ZipFile(built) as archive:
        archive.extractall(folder / "unpacked")
    return folder / "unpacked"


def test_the_wheel_serves_the_same_files(wheel: Path) -> None:
    script = (
        "import json; from ordertrack.web.static_files import SDK_FOLDER, list_static_files; "
        "print(json.dumps([str(SDK_FOLDER), {path: f.plain.headers for path, f in list_static_files().items()}]))"
    )
    env = environment({"PYTHONPATH": str(wheel)})
    run = [sys.executable, "-c", script]
    done = subprocess.run(run, cwd=wheel, env=env, capture_output=True, text=True, timeout=BOUND_S, check=False)
    assert done.returncode == 0, done.stderr
    folder, files = json.loads(done.stdout)
    assert Path(folder) == wheel / "ordertrack" / "web" / "static" / "sdk"
    assert files == {path: file.plain.headers for path, file in list_static_files().items()}
