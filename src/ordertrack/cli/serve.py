"""`ordertrack serve` and `ordertrack config`."""

from __future__ import annotations

import asyncio
import errno
import gc
import os
import resource
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import Field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import rich_click as click
import structlog
from rich.table import Table

from ordertrack.cli.banner import banner, orders_to_try
from ordertrack.cli.hints import command
from ordertrack.cli.logs import configure_logging
from ordertrack.cli.options import origin, settings_of, settings_options, usage_errors, value_words, warn_of_misspelt
from ordertrack.cli.terminal import end_refused, print_data, say, show
from ordertrack.cli.workers import Ready, Supervisor, send_ready
from ordertrack.core.errors import StoreUnavailable
from ordertrack.core.order import Order
from ordertrack.database_url import DatabaseKind
from ordertrack.http.listener import listen
from ordertrack.ports.signal import SignalCannotOpen
from ordertrack.ports.store import StoreCannotOpen
from ordertrack.settings import Settings, declared

if TYPE_CHECKING:
    from ordertrack.app.service import Service

EXIT_LIMIT_S = 1.8
"""Time from SIGTERM to the end of the process, beyond the drain window and the grace period: 2 s, less the time the
operating system needs."""
EXIT_UNFINISHED = 70
"""EX_SOFTWARE: a part did not close in time."""


@click.command()
@settings_options
@click.option("--json", "as_json", is_flag=True, help="Print the ready message as JSON.")
@click.option("--as-worker", nargs=3, type=int, hidden=True, help="Number, listening socket, channel.")
def serve(as_json: bool, as_worker: tuple[int, int, int] | None, **values: Any) -> None:
    """Start the server.

    Every setting can also be set by a variable (`--port` is `ORDERTRACK_PORT`) or in a TOML file (`port = 5001`).
    """
    settings = settings_of(values)
    configure_logging(settings.log_level, settings.log_format)
    if as_worker is not None:
        _work(settings, *as_worker, as_json)
        return
    warn_of_misspelt()
    _raise_file_limit()
    if settings.workers > 1:
        _supervise(settings, as_json)
        return
    with refusing_to_listen(settings.host, settings.port, as_json):
        listener = listen(settings.host, settings.port)
    _run(settings, listener, partial(_announce, as_json=as_json), as_json)
    if not as_json:
        say(f"Stopped. {_saved_text(settings)}")


def _supervise(settings: Settings, as_json: bool) -> None:
    with refusing_to_listen(settings.host, settings.port, as_json):
        supervisor = Supervisor(settings.host, settings.port, settings.workers)
    code = asyncio.run(supervisor.run(partial(_announce, as_json=as_json)))
    if code == 0 and not as_json:
        say(f"Stopped. {_saved_text(settings)}")
    raise SystemExit(code)


def _work(settings: Settings, number: int, listener_fd: int, channel_fd: int, as_json: bool) -> None:
    """Serve as a worker: the supervisor prints the ready message."""
    listener, channel = socket.socket(fileno=listener_fd), socket.socket(fileno=channel_fd)
    name = settings.node_name or f"{socket.gethostname()}:{listener.getsockname()[1]}"
    settings = replace(settings, node_name=f"{name}-{number}")
    structlog.contextvars.bind_contextvars(node=settings.node_name)
    with channel:
        _run(settings, listener, partial(send_ready, channel), as_json, channel)


@contextmanager
def refusing_to_listen(host: str, port: int, as_json: bool) -> Iterator[None]:
    """End the command with a message when it cannot listen."""
    try:
        yield
    except OSError as error:
        why = f"Cannot listen on {host}:{port}: {error.strerror or error}."
        if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
            todo = "Choose an address of this machine with --host."
        else:
            todo = "If another server uses the port, choose another one with --port."
        end_refused("cannot_listen", f"{why} {todo}", as_json)


def _run(
    settings: Settings,
    listener: socket.socket,
    announce: Callable[[Ready], None],
    as_json: bool,
    supervisor: socket.socket | None = None,
) -> None:
    """Serve until the end. `announce` gets the ready message."""
    with listener, refusing_to_start(as_json):
        asyncio.run(run_server(settings, listener, announce, supervisor))


@contextmanager
def refusing_to_start(as_json: bool) -> Iterator[None]:
    """End the command with a message when `run_server` raises."""
    try:
        with usage_errors():
            yield
    except StoreCannotOpen as error:
        end_refused("store_cannot_open", str(error), as_json)
    except SignalCannotOpen as error:
        end_refused("signal_cannot_open", str(error), as_json)
    except StoreUnavailable:
        end_refused("store_unavailable", "The orders cannot be read: see the log above.", as_json)


async def run_server(
    settings: Settings,
    listener: socket.socket,
    announce: Callable[[Ready], None],
    supervisor: socket.socket | None,
) -> None:
    """Serve until a signal, or until the other end of `supervisor` is closed. `announce` gets the ready message.

    Raises: InvalidSetting, StoreCannotOpen, SignalCannotOpen, StoreUnavailable.
    """
    from ordertrack.app.build import build
    from ordertrack.http.server import run_gate, run_uvicorn

    service = build(settings)
    try:
        await service.open()
        _tune_garbage_collection()
        message = _ready_message(service, listener, await orders_to_try(service.store))
        ready = partial(announce, message)
        drain = partial(_drain, service)
        grace_s = settings.shutdown_grace_s
        if gate := service.gate(listener):
            await run_gate(gate, ready=ready, drain=drain, shutdown_grace_s=grace_s, supervisor=supervisor)
        else:
            await run_uvicorn(
                service.asgi,
                listener,
                ready=ready,
                drain=drain,
                timeouts=service.timeouts,
                shutdown_grace_s=grace_s,
                supervisor=supervisor,
            )
    finally:
        await service.close()


async def _drain(service: Service) -> None:
    """Drain the service, and start a watchdog that ends the process in time: a thread that waits for the disk or for
    name resolution must not prevent the exit."""
    settings = service.settings
    watchdog = threading.Timer(_stop_limit_s(settings), _exit_now, (_saved_text(settings),))
    watchdog.daemon = True
    watchdog.start()
    await service.drain()


def _stop_limit_s(settings: Settings) -> float:
    return settings.drain_window_s + settings.shutdown_grace_s + EXIT_LIMIT_S


def _saved_text(settings: Settings) -> str:
    in_memory = settings.database.kind is DatabaseKind.MEMORY
    return "Changes were kept in memory only." if in_memory else "All acknowledged changes are saved."


def _exit_now(saved: str) -> None:
    os.write(2, f"ordertrack did not stop in time and exits now. {saved}\n".encode())
    os._exit(EXIT_UNFINISHED)


def _ready_message(service: Service, listener: socket.socket, orders: Sequence[Order]) -> Ready:
    host, port = listener.getsockname()[:2]
    url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    settings = service.settings
    match settings.database.kind:
        case DatabaseKind.MEMORY:
            kept = "in memory, until the server ends"
        case DatabaseKind.SQLITE:
            kept = str(settings.database.data_dir(settings.data_dir).resolve())
        case DatabaseKind.POSTGRESQL:
            kept = settings.database.shown
    in_memory = settings.database.kind is DatabaseKind.MEMORY
    text = banner(
        url,
        kept if in_memory else f"in {kept}",
        orders,
        samples_loaded=service.samples_loaded,
        command=command(),
        has_access_control=settings.has_access_control,
    )
    data = {"url": url, "pid": os.getpid(), "data": kept, "samples": service.samples_loaded}
    return Ready(data, text, _stop_limit_s(settings))


def _announce(message: Ready, *, as_json: bool) -> None:
    if as_json:
        print_data(message.data)
    else:
        say(*message.text.split("\n"))


def _tune_garbage_collection() -> None:
    """Exclude the objects that exist now, and collect less often and less at a time, so that no collection delays
    answers: few new objects are cycles."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(5_000, 20, 100)


def _raise_file_limit() -> None:
    """Raise the soft limit of open files to the hard one: every held poll is an open file."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


@click.command()
@settings_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
@click.pass_context
def config(context: click.RichContext, /, as_json: bool, **values: Any) -> None:
    """Show every setting with its value and source."""
    settings = settings_of(values)
    warn_of_misspelt()
    rows = [
        {
            "name": setting.name,
            "value": _shown(setting, getattr(settings, setting.name)),
            "origin": origin(context, setting.name),
            "doc": setting.metadata["doc"],
        }
        for setting in declared()
    ]
    if as_json:
        print_data({"settings": rows})
        return
    table = Table("Setting", "Value", "Source", box=None, pad_edge=False)
    for row in rows:
        table.add_row(row["name"], value_words(row["value"]), row["origin"])
    show(table)


def _shown(setting: Field[Any], value: Any) -> Any:
    if setting.metadata["secret"] and value:
        return "(set)"
    if setting.metadata["shown"] is not None and value:
        return setting.metadata["shown"](value)
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)
