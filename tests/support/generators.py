"""The generators and linters of OpenAPI documents that `make generators` installs, as commands to run."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

from support.server import environment

HERE = Path(__file__).parents[1] / "generated_clients"
MODULES = HERE / "node_modules"
PYTHON = HERE / ".venv" / "bin" / "python"
BOUND_S = 120.0
"""No tool runs longer; each takes a few seconds."""


class Tools:
    """Run tools in a separate folder, which has the document as `openapi.json` and the clients' sources."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def node(self, script: str, *arguments: str, env: Mapping[str, str] | None = None) -> str:
        """Run a script of Node.js: a file of the folder, or a package's command such as `redocly`."""
        command = MODULES / ".bin" / script
        return self._run("node", str(command if command.exists() else script), *arguments, env=env)

    def python(self, *arguments: str, env: Mapping[str, str] | None = None) -> str:
        """Run the Python that has the generator."""
        return self._run(str(PYTHON), *arguments, env=env)

    def _run(self, *command: str, env: Mapping[str, str] | None = None) -> str:
        """Return the standard output; fail with all output if the command fails."""
        done = subprocess.run(
            command, cwd=self.folder, env=environment(env), capture_output=True, text=True, timeout=BOUND_S, check=False
        )
        assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"
        return done.stdout
