"""The commands of the server in the list of all commands. Their modules are loaded when one is used, so the others
start faster, and work without the server's dependencies.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any

import rich_click as click

from ordertrack.cli.extras import missing_extra
from ordertrack.cli.terminal import end_refused

SERVER_PACKAGE = "litestar"
"""A package that only the extra `server` installs."""


class ServerCommand(click.RichCommand):
    """Stands for the command `name` of a module until it is used. `help` is its first sentence."""

    def __init__(self, name: str, help: str, module: str, attribute: str) -> None:
        super().__init__(name=name, help=help)
        self._module, self._attribute = module, attribute

    def load(self) -> click.Command:
        """Raises: ModuleNotFoundError."""
        command: click.Command = getattr(import_module(self._module), self._attribute)
        return command

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """Return the context of the command itself, which the group then invokes."""
        if find_spec(SERVER_PACKAGE) is None:
            message = missing_extra(f"`ordertrack {info_name}`", "server")
            end_refused("server_not_installed", message, "--json" in args)
        return self.load().make_context(info_name, args, parent, **extra)
