"""What the commands that talk to a server have in common: options, words, errors. Nothing here knows a command."""

from __future__ import annotations

import json
import logging
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import rich_click as click

from ordertrack.cli.hints import (
    DEFAULT_URL,
    TOKEN_FILE_VARIABLE,
    TOKEN_VARIABLE,
    URL_VARIABLE,
    command,
    error_words,
    here,
)
from ordertrack.cli.terminal import (
    EXIT_FAILED,
    EXIT_INTERRUPTED,
    EXIT_SIGNAL,
    Screen,
    print_data,
    print_json,
    say,
)
from ordertrack.client import OrdertrackClient, OrdertrackClientError, Status
from ordertrack.client.server_url import server_url

F = Callable[..., Any]
ENDING = (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
"""Signals that end a command besides SIGINT, which Python turns into KeyboardInterrupt."""
_SILENCED, _NO_LOG = logging.getLogger("ordertrack.client"), logging.NullHandler()
"""The client's retries: the commands say them in their own words."""


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


class Remote:
    """The server a command talks to, and how it speaks to the person."""

    def __init__(self, url: str, as_json: bool) -> None:
        self.url = url
        self.as_json = as_json
        self._answers: list[bytes] = []

    def say(self, text: str, *hints: str) -> None:
        """What was done, then what to do next; nothing when the reader is a program."""
        if not self.as_json:
            say(text, *hints)

    def hint(self, label: str, arguments: str) -> str:
        """A command to paste that reaches the same server."""
        return f"{label} {command()} {arguments}{here(self.url)}"

    def answered(self, body: bytes) -> None:
        if self.as_json:
            self._answers.append(body)

    def print_answer(self) -> None:
        """Print what the server answered last, when the reader is a program."""
        for answer in self._taken()[-1:]:
            print_json(answer)

    def print_pages(self, key: str) -> None:
        """Print a list that took several answers as one answer, when the reader is a program."""
        if self.as_json:
            entries = [entry for answer in self._taken() for entry in answer["data"][key]]
            print_data({key: entries, "next_cursor": None})

    def _taken(self) -> list[dict[str, Any]]:
        answers, self._answers = self._answers, []
        return list(map(json.loads, answers))


def remote_options(command: F) -> F:
    """`--url` and `--json`, which the command gets as its keywords `url` and `as_json`; `--token` and `--token-file`,
    which `connected` asks for by itself."""
    command = token_options(command)
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


def token_options(command: F) -> F:
    """`--token` and `--token-file`, for `sent_token`."""
    for name, variable, what in (
        ("token-file", TOKEN_FILE_VARIABLE, "File with the token to send."),
        ("token", TOKEN_VARIABLE, "Token to send. Give it as the variable: what is typed here, others can see."),
    ):
        option = click.option(
            f"--{name}", envvar=variable, show_envvar=True, help=what, expose_value=False, callback=_keep
        )
        command = option(command)
    return command


@contextmanager
def connected(url: str, as_json: bool, *, retries: int = 0) -> Iterator[tuple[OrdertrackClient, Remote]]:
    """A client for the command's body. An error in it ends the command with one clear line; a signal of ENDING ends it
    as Ctrl-C does, so that a picture on the terminal is put away.

    A person repeats a command sooner than `retries` would, save one that must not be done twice.
    """
    remote = Remote(url, as_json)
    token = sent_token()
    try:
        server_url(url)
    except ValueError as error:
        wanted = f"must be the address of a server, such as {DEFAULT_URL}; it is {url!r}, which {error}."
        raise click.BadParameter(wanted, param_hint="--url") from None
    client = OrdertrackClient(url, token=token, retries=retries, on_answer=remote.answered)
    _SILENCED.addHandler(_NO_LOG)
    try:
        with _ended_by_signals(), client:
            yield client, remote
    except OrdertrackClientError as error:
        if as_json:
            print_json(error.problem)
        else:
            say(f"Error: {error_words(error, url)}", err=True)
        raise SystemExit(EXIT_FAILED) from None
    except KeyboardInterrupt:
        raise SystemExit(EXIT_INTERRUPTED) from None


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Leave out signals that are ignored, as SIGHUP is under `nohup`."""

    def end(number: int, frame: object) -> None:
        raise SystemExit(EXIT_SIGNAL + number)

    in_main_thread = threading.current_thread() is threading.main_thread()
    handled = [number for number in ENDING if in_main_thread and signal.getsignal(number) is signal.SIG_DFL]
    for number in handled:
        signal.signal(number, end)
    try:
        yield
    finally:
        for number in handled:
            signal.signal(number, signal.SIG_DFL)


def _keep(context: click.Context, parameter: click.Parameter, value: str | None) -> None:
    context.meta[f"ordertrack.{parameter.name}"] = value


def sent_token() -> str | None:
    """What `--token` or `--token-file` gave. Raises click.UsageError, which never quotes it."""
    context = click.get_current_context(silent=True)
    meta = {} if context is None else context.meta
    token, file = meta.get("ordertrack.token"), meta.get("ordertrack.token_file")
    if token and file:
        raise click.UsageError("Give --token or --token-file, not both (they may come from variables).")
    if file:
        try:
            token = Path(file).read_text(encoding="ascii").strip()
        except (OSError, ValueError) as error:
            raise click.BadParameter(f"{file} cannot be read: {error}", param_hint="--token-file") from None
    if token and not (token.isascii() and token.isprintable() and " " not in token):
        wanted = "must be one word of ASCII letters, digits and punctuation, without spaces and line breaks."
        raise click.BadParameter(wanted, param_hint="--token-file" if file else "--token")
    return token or None


def symbols_for(screen: Screen) -> Symbols:
    return ASCII if screen.options.ascii_only else UNICODE


def status_words(status: str) -> str:
    """`picked_up` as people read it."""
    return status.replace("_", " ").capitalize()


def clock_time(moment: datetime, now: datetime) -> str:
    """Return the local time, with the date when that is not today."""
    local, today = moment.astimezone(), now.astimezone().date()
    return local.strftime("%H:%M:%S" if local.date() == today else "%Y-%m-%d %H:%M:%S")


def duration_words(seconds: float) -> str:
    """Return a rounded duration in at most two units: `45 s`, `3 min 20 s`, `1 h 5 min`."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s" if whole % 60 else f"{whole // 60} min"
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"
