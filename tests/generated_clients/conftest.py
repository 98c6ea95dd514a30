"""The generators and linters of OpenAPI documents, and a server for the generated clients. `make generators`."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator

import httpx
import pytest

from support import missing
from support.callers import AUDIENCE, SECRET
from support.generators import BOUND_S, HERE, MODULES, PYTHON, Tools
from support.server import Server

LEAST_NODE = (20, 19)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with access control."""
    folder = tmp_path_factory.mktemp("generated")
    secret = folder / "secret"
    secret.write_text(SECRET + "\n")
    server = Server(folder / "data", "--token-secret-file", str(secret), "--token-audience", AUDIENCE)
    yield server
    code = server.stop()
    server.close()
    assert code == 0, server.log


@pytest.fixture(scope="session")
def tools(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Tools:
    folder = tmp_path_factory.mktemp("tools")
    shutil.copytree(HERE / "clients", folder, dirs_exist_ok=True)
    (folder / "openapi.json").write_bytes(httpx.get(f"{server.url}/openapi.json").raise_for_status().content)
    (folder / "package.json").write_text('{"type": "module"}\n')
    return Tools(folder)


@pytest.fixture(scope="session")
def node_tools(tools: Tools) -> Tools:
    """Skip where Node.js or its packages are missing."""
    node = shutil.which("node")
    if node is None:
        missing.skip("needs Node.js 20.19 or newer with npm, then `make generators`")
    version = subprocess.run([node, "--version"], capture_output=True, text=True, timeout=BOUND_S, check=True).stdout
    if tuple(map(int, re.findall(r"\d+", version)[:2])) < LEAST_NODE:
        missing.skip(f"needs Node.js 20.19 or newer; this one is {version.strip()}")
    if not (MODULES / ".installed").exists():
        missing.skip("needs `make generators`, which needs npm")
    (tools.folder / "node_modules").symlink_to(MODULES)
    return tools


@pytest.fixture(scope="session")
def python_tools(tools: Tools) -> Tools:
    if not (PYTHON.parents[1] / ".installed").exists():
        missing.skip("needs `make generators`")
    return tools
