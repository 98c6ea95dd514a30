"""`ordertrack migrate` and `ordertrack db`: move, check and back up the database of a server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import rich_click as click

from ordertrack.cli.hints import command
from ordertrack.cli.options import settings_of, settings_options
from ordertrack.cli.output import ended_by_signals
from ordertrack.cli.progress import reported_progress
from ordertrack.cli.terminal import EXIT_FAILED, EXIT_INTERRUPTED, end_refused, print_data, say
from ordertrack.database_url import DatabaseKind, DatabaseUrl, InvalidDatabaseUrl, parse_database_url
from ordertrack.ports.records import RecordProgress, RecordsUnusable
from ordertrack.settings import variable

as_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")


class _Url(click.ParamType[DatabaseUrl]):
    """The URL of a database of one kind."""

    name = "url"

    def __init__(self, kind: DatabaseKind, example: str) -> None:
        self._kind = kind
        self._example = example

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> DatabaseUrl:
        try:
            url = parse_database_url(str(value))
        except InvalidDatabaseUrl:
            url = None
        if url is None or url.kind is not self._kind or (url.kind is DatabaseKind.SQLITE and url.path is None):
            self.fail(f"must be {self._example}.", param, ctx)
        return url


@click.command("migrate")
@click.option(
    "--from",
    "source",
    type=_Url(DatabaseKind.SQLITE, "sqlite:///absolute/folder, the data folder of a stopped server"),
    required=True,
    metavar="URL",
    help="`sqlite:///absolute/folder`: the data folder of a stopped server, or a backup file.",
)
@click.option(
    "--to",
    "target",
    type=_Url(DatabaseKind.POSTGRESQL, "postgresql://user:password@host:port/database"),
    required=True,
    metavar="URL",
    envvar=variable("database_url"),
    show_envvar=True,
    help="`postgresql://user:password@host:port/database`: an empty database. Prefer the variable: other users can "
    "see command lines.",
)
@click.option("--skip-damaged", is_flag=True, help="Leave out damaged orders; without it they prevent the copy.")
@as_json_option
def copy_store(source: DatabaseUrl, target: DatabaseUrl, skip_damaged: bool, as_json: bool) -> None:
    """Copy a SQLite database to PostgreSQL, with all orders, events, feeds, links and simulations.

    Cursors, tracking links and `Idempotency-Key`s of clients stay valid. The source is not changed. The target gets
    everything or nothing.
    """
    from ordertrack.app.maintenance import move  # here: the other commands start faster without the drivers

    path = source.path
    assert path is not None
    with _maintained(as_json) as progress:
        copied = asyncio.run(move(path, target, progress, skip_damaged=skip_damaged))
    if as_json:
        skipped = [order._asdict() for order in copied.skipped]
        print_data({**copied.totals._asdict(), "compared": copied.compared, "skipped": skipped})
        return
    for order in copied.skipped:
        say(f"Left out order {order.id}: {order.why}", err=True)
    totals = copied.totals
    say(
        f"Copied {totals.orders:,} orders with {totals.events:,} events, {totals.links:,} tracking links and "
        f"{totals.keys:,} idempotency keys to {target.shown}.",
        f"Totals are equal, and so are {copied.compared:,} orders that were compared one by one.",
        f"Start the server on it: set {variable('database_url')}, or {command()} serve --database-url.",
    )


@click.group("db")
def database() -> None:
    """Check and back up the database of a server."""


def _database_options(function: Callable[..., Any]) -> Callable[..., Any]:
    return partial(settings_options, prefix="data")(as_json_option(function))


@database.command("check")
@_database_options
def check(as_json: bool, **values: Any) -> None:
    """Read everything in the database and report what is wrong. A server may use it meanwhile.

    Exits with status 1 when something is wrong.
    """
    from ordertrack.app.maintenance import check_database

    url, data_dir = _database(values)
    findings: list[str] = []

    async def collect(progress: RecordProgress) -> None:
        async for finding in check_database(url, data_dir, progress):
            findings.append(finding)
            if not as_json:
                say(finding)

    with _maintained(as_json) as progress:
        asyncio.run(collect(progress))
    if as_json:
        print_data({"findings": findings})
    else:
        say(f"{len(findings):,} findings." if findings else "Nothing is wrong.")
    if findings:
        raise SystemExit(EXIT_FAILED)


@database.command("backup")
@click.option("--to", "copy", type=click.Path(path_type=Path), required=True, metavar="FILE", help="A new file.")
@_database_options
def backup(copy: Path, as_json: bool, **values: Any) -> None:
    """Copy the database into a new file that only its owner can read. A server may use it meanwhile.

    A backup of a SQLite database replaces its file. One of a PostgreSQL database is for `pg_restore`, and needs
    `pg_dump`.
    """
    from ordertrack.app.maintenance import copy_to_file

    url, data_dir = _database(values)
    with _maintained(as_json) as progress:
        asyncio.run(copy_to_file(url, data_dir, copy, progress))
    size = copy.stat().st_size
    if as_json:
        print_data({"file": str(copy), "bytes": size})
    else:
        say(f"Copied the database to {copy} ({size:,} bytes).")


@database.command("new-epoch")
@_database_options
def new_epoch(as_json: bool, **values: Any) -> None:
    """Make all cursors unknown: for a database that was restored from a backup, while no server uses it.

    Clients get a reset with their next poll, instead of waiting for versions that no longer exist.
    """
    from ordertrack.app.maintenance import replace_epoch

    url, data_dir = _database(values)
    with _maintained(as_json):
        epoch = asyncio.run(replace_epoch(url, data_dir))
    if as_json:
        print_data({"epoch": epoch})
        return
    say(f"The epoch is {epoch}.")
    if url.kind is DatabaseKind.POSTGRESQL:
        say("Restart every node that uses this database: a node reads the epoch when it starts, and would go on with "
            "the former one.")  # fmt: skip


def _database(values: dict[str, Any]) -> tuple[DatabaseUrl, Path]:
    settings = settings_of(values)
    return settings.database, settings.data_dir


@contextmanager
def _maintained(as_json: bool) -> Iterator[RecordProgress]:
    """Show progress. An error ends the command with one line, and Ctrl-C with status 130."""
    try:
        with ended_by_signals(), reported_progress() as progress:
            yield progress
    except RecordsUnusable as error:
        end_refused("database_unusable", str(error), as_json)
    except KeyboardInterrupt:
        say("Interrupted. Nothing was changed.", err=True)
        raise SystemExit(EXIT_INTERRUPTED) from None
