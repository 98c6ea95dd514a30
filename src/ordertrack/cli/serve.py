"""`ordertrack serve` and `ordertrack config`."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import socket
from typing import Any

import rich_click as click
from rich.console import Console
from rich.table import Table

from ordertrack.app import Service, build
from ordertrack.cli.logs import configure_logging
from ordertrack.cli.options import origin, settings_of, settings_options
from ordertrack.http.server import listen, run
from ordertrack.ports.store import StoreCannotOpen
from ordertrack.settings import Settings, declared

EXIT_CANNOT_START = 1


@click.command()
@settings_options
@click.option("--json", "as_json", is_flag=True, help="Say that the server is ready as one line of JSON.")
def serve(as_json: bool, **values: Any) -> None:
    """Start the server.

    Every setting can also be given as a variable (`--port` is `ORDERTRACK_PORT`) or in a TOML file (`port = 5001`).
    """
    settings = settings_of(values)
    configure_logging(settings.log_level, settings.log_format)
    _raise_file_limit()
    try:
        listener = listen(settings.host, settings.port)
    except OSError as error:
        raise click.ClickException(
            f"Cannot listen on {settings.host}:{settings.port}: {error.strerror or error}. "
            "Is another server running there? Choose another port with --port."
        ) from None
    with listener:
        try:
            asyncio.run(_serve(settings, listener, as_json))
        except StoreCannotOpen as error:
            raise click.ClickException(str(error)) from None
    if not as_json:
        click.echo("Stopped. Nothing that was acknowledged is lost.")


async def _serve(settings: Settings, listener: socket.socket, as_json: bool) -> None:
    service = build(settings)
    try:
        await service.open()
        _announce(service, listener, as_json)
        await run(
            service.http,
            listener,
            drain=service.tracking.drain,
            keep_alive_s=settings.keep_alive_s,
            shutdown_grace_s=settings.shutdown_grace_s,
        )
    finally:
        await service.close()


def _announce(service: Service, listener: socket.socket, as_json: bool) -> None:
    host, port = listener.getsockname()[:2]
    url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    settings = service.settings
    kept = (
        "in memory, until the server ends" if settings.database_url == "memory:" else f"{settings.data_dir.resolve()}"
    )
    if as_json:
        click.echo(json.dumps({"url": url, "pid": os.getpid(), "data": kept, "samples": service.samples_loaded}))
        return
    click.echo(
        f"ordertrack is ready at {url}\nOrders are kept {'in ' if settings.database_url == 'sqlite:' else ''}{kept}."
    )
    if service.samples_loaded:
        click.echo("Sample orders were loaded: 101 (confirmed), 102 (preparing), 103 (ready).")
    click.echo(
        f"""
Try it. In one terminal, wait for news of order 101:
  curl "{url}/api/v1/orders/101/track?timeout=30"
In another, make some:
  curl -X PUT "{url}/api/v1/orders/101/status" -H "Content-Type: application/json" -d '{{"status": "preparing"}}'
Or let the whole evening pass by in half a minute, and watch it:
  curl -X POST "{url}/api/v1/orders/102/simulate-workflow" -H "Content-Type: application/json" -d '{{"speed": 60}}'
  ordertrack watch 102{"" if port == 5001 else f" --url {url}"}
The API, with a button for everything: {url}/apidocs/
Stop with Ctrl-C."""
    )


def _raise_file_limit() -> None:
    """Every held poll is an open file; the usual soft limit of 1,024 is for other programs."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


@click.command()
@settings_options
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@click.pass_context
def config(context: click.RichContext, /, as_json: bool, **values: Any) -> None:
    """Show every setting, its value and where it came from."""
    settings = settings_of(values)
    rows = [
        {
            "name": setting.name,
            "value": _plain(getattr(settings, setting.name)),
            "origin": origin(context, setting.name),
            "doc": setting.metadata["doc"],
        }
        for setting in declared()
    ]
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    table = Table("Setting", "Value", "From", box=None, pad_edge=False)
    for row in rows:
        table.add_row(row["name"], str(row["value"]), row["origin"])
    Console().print(table)


def _plain(value: Any) -> Any:
    return value if isinstance(value, bool | int | float | str) else str(value)
