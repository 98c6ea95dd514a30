"""The `ordertrack` command group."""

from __future__ import annotations

import rich_click as click

from ordertrack import __version__
from ordertrack.cli.bench import bench
from ordertrack.cli.db import copy_store, database
from ordertrack.cli.demo import demo
from ordertrack.cli.remote import COMMANDS
from ordertrack.cli.serve import config, serve
from ordertrack.cli.terminal import Program
from ordertrack.cli.tokens import secret, token


@click.group(cls=Program, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="ordertrack")
def main() -> None:
    """Live order tracking over plain HTTP: a request is held until the order changes."""


for command in (demo, serve, config, secret, token, *COMMANDS, bench, copy_store, database):
    main.add_command(command)
