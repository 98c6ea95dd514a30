"""`ordertrack serve` and `ordertrack config`."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import shutil
import socket
import sys
from pathlib import Path
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

DEFAULT_PORT = next(setting.default for setting in declared() if setting.name == "port")


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
        await run(
            service.http,
            listener,
            ready=lambda: _announce(service, listener, as_json),
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
    api = f"{url}/api/v1/orders"
    at = "" if port == DEFAULT_PORT else f" --url {url}"
    if not settings.sample_orders:
        click.echo(f"Make an order: {_command()} create --customer-id 1 --restaurant-id 1{at}\nThe API: {url}/apidocs/")
        return
    click.echo(
        f"""
Try it. In one terminal, wait for news of order 101:
  curl "{api}/101/track?timeout=30"
In another, be the kitchen; the first one answers at once:
  curl -X PUT "{api}/101/status" -H "Content-Type: application/json" -d '{{"status": "preparing"}}'
Let an order go its way by itself, a minute a second, and watch it:
  {_command()} simulate 102 --speed 60{at}
  {_command()} watch 102{at}
The same in real time, and how the server is doing:
  curl -X POST "{api}/103/simulate-workflow"
  curl "{api}/system/stats"
The API, with a button for everything:
  {url}/apidocs/

Stop with Ctrl-C."""
    )


def _command() -> str:
    """How to call this program from where the server was started."""
    if shutil.which("ordertrack"):
        return "ordertrack"
    script = Path(sys.argv[0])
    return os.path.relpath(script) if script.name == "ordertrack" else f"{sys.executable} -m ordertrack"


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
