"""Shared by the commands that call a server: options, formats, errors."""

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
    error_message,
    link_error_message,
    url_option_here,
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
from ordertrack.client import OrdertrackClient, OrdertrackClientError, Status, Window
from ordertrack.client.server_url import server_url

F = Callable[..., Any]
ENDING = (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
"""Signals that end a command besides SIGINT, which Python turns into KeyboardInterrupt."""
_CLIENT_LOG, _NO_LOG = logging.getLogger("ordertrack.client"), logging.NullHandler()
"""The client logs its retries; the commands report them themselves."""


class Symbols(NamedTuple):
    """The symbols beside the steps, so that the state is readable without colour."""

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
    """The server a command calls, and the output of the command as text or JSON."""

    def __init__(self, url: str, as_json: bool) -> None:
        self.url = url
        self.as_json = as_json
        self._answers: list[bytes] = []

    def say(self, text: str, *hints: str) -> None:
        """Print the result and hints for the next step; nothing with `--json`."""
        if not self.as_json:
            say(text, *hints)

    def hint(self, label: str, arguments: str) -> str:
        """Return a label and a command to paste that calls the same server."""
        return f"{label} {command()} {arguments}{url_option_here(self.url)}"

    def record_answer(self, body: bytes) -> None:
        if self.as_json:
            self._answers.append(body)

    def print_answer(self) -> None:
        """With `--json`, print the last answer of the server."""
        for answer in self._take_answers()[-1:]:
            print_json(answer)

    def print_pages(self, key: str) -> None:
        """With `--json`, print a list that took several answers as one."""
        if self.as_json:
            entries = [entry for answer in self._take_answers() for entry in answer["data"][key]]
            print_data({key: entries, "next_cursor": None})

    def _take_answers(self) -> list[dict[str, Any]]:
        answers, self._answers = self._answers, []
        return list(map(json.loads, answers))


def remote_options(command: F) -> F:
    """Add `--url` and `--json`, passed as `url` and `as_json`; and `--token` and `--token-file`, which `connected`
    reads itself."""
    command = token_options(command)
    url = click.option(
        "--url",
        default=DEFAULT_URL,
        envvar=URL_VARIABLE,
        show_envvar=True,
        show_default=True,
        metavar="URL",
        help="Address of the server.",
    )
    return url(click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")(command))


def token_options(command: F) -> F:
    """Add `--token` and `--token-file`, for `sent_token`."""
    for name, variable, what in (
        ("token-file", TOKEN_FILE_VARIABLE, "File with the token to send."),
        ("token", TOKEN_VARIABLE, "Token to send. Prefer the variable: other users can see command lines."),
    ):
        option = click.option(
            f"--{name}", envvar=variable, show_envvar=True, help=what, expose_value=False, callback=_store_value
        )
        command = option(command)
    return command


@contextmanager
def connected(
    url: str, as_json: bool, *, retries: int = 0, by_link: bool = False
) -> Iterator[tuple[OrdertrackClient, Remote]]:
    """Provide a client. An error ends the command with one line; a signal of ENDING ends it as Ctrl-C does, so that
    the terminal is restored.

    Set `retries` only where repeating the command by hand could do it twice. `by_link`: the command uses a tracking
    link, with which the client sends no token; errors are in the words of a link.
    """
    remote = Remote(url, as_json)
    token = sent_token()
    try:
        server_url(url)
    except ValueError as error:
        message = f"must be the address of a server, such as {DEFAULT_URL}; it is {url!r}, which {error}."
        raise click.BadParameter(message, param_hint="--url") from None
    client = OrdertrackClient(url, token=token, retries=retries, on_answer=remote.record_answer)
    _CLIENT_LOG.addHandler(_NO_LOG)
    try:
        with ended_by_signals(), client:
            yield client, remote
    except OrdertrackClientError as error:
        if as_json:
            print_json(error.problem)
        else:
            message = link_error_message(error, url) if by_link else error_message(error, url)
            say(f"Error: {message}", err=True)
        raise SystemExit(EXIT_FAILED) from None
    except KeyboardInterrupt:
        raise SystemExit(EXIT_INTERRUPTED) from None


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Handle the signals of ENDING, except ignored ones, such as SIGHUP under `nohup`."""

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


def _store_value(context: click.Context, parameter: click.Parameter, value: str | None) -> None:
    context.meta[f"ordertrack.{parameter.name}"] = value


def sent_token() -> str | None:
    """Return the token of `--token` or `--token-file`; None without them.

    Raises: click.UsageError, which never quotes the token.
    """
    context = click.get_current_context(silent=True)
    meta = {} if context is None else context.meta
    token, file = meta.get("ordertrack.token"), meta.get("ordertrack.token_file")
    if token and file:
        raise click.UsageError("Set --token or --token-file, not both (they may come from variables).")
    if file:
        try:
            token = Path(file).read_text(encoding="ascii").strip()
        except (OSError, ValueError) as error:
            raise click.BadParameter(f"{file} cannot be read: {error}", param_hint="--token-file") from None
    if token and not (token.isascii() and token.isprintable() and " " not in token):
        message = "must be one word of ASCII letters, digits and punctuation, without spaces and line breaks."
        raise click.BadParameter(message, param_hint="--token-file" if file else "--token")
    return token or None


def symbols_for(screen: Screen) -> Symbols:
    return ASCII if screen.options.ascii_only else UNICODE


def status_words(status: str) -> str:
    """Return a status as text: `Picked up`."""
    return status.replace("_", " ").capitalize()


def clock_time(moment: datetime, now: datetime) -> str:
    """Return the local time, with the date when that is not today."""
    local, today = moment.astimezone(), now.astimezone().date()
    return local.strftime("%H:%M:%S" if local.date() == today else "%Y-%m-%d %H:%M:%S")


def arrival_words(window: Window, now: datetime, *, late: bool = False) -> str:
    """Return `Arrives 12:40-12:55` in local time, with the date when that is not today."""
    start, end, today = window.start.astimezone(), window.end.astimezone(), now.astimezone().date()
    date = "" if start.date() == today else f"{start:%Y-%m-%d} "
    return f"Arrives {date}{start:%H:%M}-{end:%H:%M}{', later than planned' if late else ''}"


def duration_words(seconds: float) -> str:
    """Return a rounded duration in at most two units: `45 s`, `3 min 20 s`, `1 h 5 min`."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s" if whole % 60 else f"{whole // 60} min"
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"
