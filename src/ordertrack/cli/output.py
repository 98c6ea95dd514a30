"""What the commands that talk to a server have in common: options, words, errors. Nothing here knows a command."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, NamedTuple

import msgspec
import rich_click as click
from rich.console import Console

from ordertrack.client import OrdertrackClient, OrdertrackClientError, ServerUnreachable, Status
from ordertrack.client.errors import ConnectionLost

DEFAULT_URL = "http://127.0.0.1:5001"
URL_VARIABLE = "ORDERTRACK_URL"
EXIT_FAILED, EXIT_INTERRUPTED = 1, 130

F = Callable[..., Any]


class Symbols(NamedTuple):
    """What stands beside a step, so that colour is never needed to read it."""

    done: str
    now: str
    open: str
    skipped: str
    cancelled: str
    dot: str
    dash: str


UNICODE = Symbols("✓", "●", "○", "-", "✗", "·", "–")
ASCII = Symbols("x", ">", " ", "-", "!", "|", "-")
COLOURS: dict[str, str] = {
    Status.CONFIRMED: "cyan",
    Status.PREPARING: "yellow",
    Status.READY: "magenta",
    Status.PICKED_UP: "blue",
    Status.DELIVERED: "green",
    Status.CANCELLED: "red",
}


class Remote(NamedTuple):
    """The server a command talks to, and how it speaks to the person."""

    url: str
    as_json: bool
    hint_url: str
    """What to add to a suggested command so that it reaches the same server."""

    def say(self, text: str, *hints: str) -> None:
        """What was done, then what to do next; nothing when the reader is a program."""
        if not self.as_json:
            click.echo("\n".join([text, *(hint + self.hint_url for hint in hints)]))

    def data(self, value: object) -> None:
        """One line of JSON, when the reader is a program."""
        if self.as_json:
            click.echo(to_json(value))


def remote_options(command: F) -> F:
    """`--url` and `--json`; the command gets them as its keywords `url` and `as_json`."""
    url = click.option(
        "--url",
        default=DEFAULT_URL,
        envvar=URL_VARIABLE,
        show_envvar=True,
        show_default=True,
        metavar="URL",
        help="The server to talk to.",
    )
    return url(click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")(command))


@contextmanager
def connected(url: str, as_json: bool, *, retries: int = 0) -> Iterator[tuple[OrdertrackClient, Remote]]:
    """A client for the command's body. Whatever goes wrong in it ends the command with one clear line.

    A person repeats a command sooner than `retries` would, save one that must not be done twice.
    """
    elsewhere = url not in (DEFAULT_URL, os.environ.get(URL_VARIABLE))
    remote = Remote(url, as_json, f" --url {url}" if elsewhere else "")
    try:
        client = OrdertrackClient(url, retries=retries)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--url") from None
    try:
        with client:
            yield client, remote
    except OrdertrackClientError as error:
        if as_json:
            click.echo(to_json(error.problem))
        else:
            click.echo(f"Error: {_words(error, remote)}", err=True)
        raise SystemExit(EXIT_FAILED) from None
    except KeyboardInterrupt:
        raise SystemExit(EXIT_INTERRUPTED) from None


def _words(error: OrdertrackClientError, remote: Remote) -> str:
    if isinstance(error, ServerUnreachable) and not isinstance(error, ConnectionLost):
        return f"No server answers at {remote.url}. Start one with `ordertrack serve`."
    return str(error).replace('send "undo": true', "add --undo")


def to_json(value: object) -> str:
    """Like the server writes it: times with milliseconds and `Z`."""
    plain = msgspec.to_builtins(value, builtin_types=(datetime,))
    return json.dumps(plain, default=_iso, ensure_ascii=False)


def _iso(value: datetime) -> str:
    return value.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def stdout_console() -> Console:
    """Made when it is needed, so that it sees the stdout, the width and the NO_COLOR of this moment."""
    return Console(highlight=False, markup=False, emoji=False)


def symbols_for(console: Console) -> Symbols:
    return ASCII if console.options.ascii_only else UNICODE


def status_words(status: str) -> str:
    """`picked_up` as people read it."""
    return status.replace("_", " ").capitalize()


def clock_time(moment: datetime, now: datetime) -> str:
    """Local time; with the day when that is not today."""
    local, today = moment.astimezone(), now.astimezone().date()
    return local.strftime("%H:%M:%S" if local.date() == today else "%d %b %H:%M:%S")


def duration_words(seconds: float) -> str:
    """Two units at most: `45 s`, `3 min 20 s`, `1 h 5 min`."""
    whole = max(0, int(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s" if whole % 60 else f"{whole // 60} min"
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"
