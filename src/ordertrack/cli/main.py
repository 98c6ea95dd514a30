"""The `ordertrack` command group."""

from __future__ import annotations

import rich_click as click

from ordertrack import __version__
from ordertrack.cli.bench import bench
from ordertrack.cli.link import link
from ordertrack.cli.remote import COMMANDS
from ordertrack.cli.server_command import ServerCommand
from ordertrack.cli.terminal import Program
from ordertrack.cli.watch import watch
from ordertrack.cli.watch_feed import feed


@click.group(cls=Program, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="ordertrack")
def main() -> None:
    """Live order tracking over plain HTTP: a request is held until the order changes."""


for command in (
    ServerCommand(
        "demo",
        "Start a server with a sample city and a lunch hour in which orders move.",
        "ordertrack.cli.demo",
        "demo",
    ),
    ServerCommand("serve", "Start the server.", "ordertrack.cli.serve", "serve"),
    ServerCommand("config", "Show every setting with its value and source.", "ordertrack.cli.serve", "config"),
    ServerCommand("secret", "Create a secret of 256 random bits that signs tokens.", "ordertrack.cli.tokens", "secret"),
    ServerCommand("token", "Create a token, signed with the secret.", "ordertrack.cli.tokens", "token"),
    watch,
    feed,
    *COMMANDS,
    link,
    bench,
    ServerCommand(
        "migrate",
        "Copy a SQLite database to PostgreSQL, with all orders, events, feeds, links and simulations.",
        "ordertrack.cli.db",
        "copy_store",
    ),
    ServerCommand("db", "Check and back up the database of a server.", "ordertrack.cli.db", "database"),
):
    main.add_command(command)


def loaded_commands() -> dict[str, click.Command]:
    """Return every command by its words, such as `db check`, without groups. Loads those of the server."""
    commands: dict[str, click.Command] = {}
    for name, command in main.commands.items():
        loaded = command.load() if isinstance(command, ServerCommand) else command
        if isinstance(loaded, click.Group):
            commands |= {f"{name} {inner}": each for inner, each in loaded.commands.items()}
        else:
            commands[name] = loaded
    return commands
