"""Standard output and standard error: the only module of the command line that writes to them.

All output passes `escape`, so text of a server, a file or a user cannot send control sequences or line breaks to a
terminal. The linter forbids `print`, `click.echo` and rich's `Console` elsewhere in `cli`.
"""

from __future__ import annotations

import errno
import json
import os
import stat
import sys
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, NoReturn, TextIO

import rich_click as click
from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from ordertrack.client.escape import escape

EXIT_FAILED, EXIT_USAGE, EXIT_INTERRUPTED = 1, 2, 130
EXIT_SIGNAL = 128
"""Added to the number of the signal that ended a command."""
UNBOUNDED_WIDTH = 100_000
"""Columns of a line that is not for a terminal, so that it is never wrapped or cut."""
_OUTPUT_FAILED = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})


def say(*lines: str, err: bool = False) -> None:
    """Print each text on a line of its own, to standard output or (`err`) standard error."""
    stream = sys.stderr if err else sys.stdout
    if stream is not None:
        stream.write("".join(f"{escape(line)}\n" for line in lines))
        stream.flush()


def print_json(value: object) -> None:
    """Print one line of JSON in ASCII, which every encoding has; control characters are written as `\\u001b`."""
    say(json.dumps(value))


def print_data(data: object) -> None:
    """Print the result of a command that calls no server, in the shape of a server's answer."""
    print_json({"success": True, "data": data})


def end_refused(code: str, message: str, as_json: bool) -> NoReturn:
    """End the command with status 1 and the reason, as text or as JSON in the shape of a server's error."""
    if as_json:
        print_json({"success": False, "error": code, "message": message})
    else:
        say(f"Error: {message}", err=True)
    raise SystemExit(EXIT_FAILED) from None


def show(renderable: RenderableType) -> None:
    """Print a table or other rich object to standard output: as wide as the terminal or COLUMNS, else as needed."""
    as_needed = sys.stdout is not None and not sys.stdout.isatty() and "COLUMNS" not in os.environ
    Screen(width=UNBOUNDED_WIDTH if as_needed else None).print(renderable)


def is_interactive() -> bool:
    """Return True if standard output is a terminal that can move its cursor."""
    return sys.stdout is not None and sys.stdout.isatty() and not Screen().is_dumb_terminal


def make_private() -> None:
    """If standard output is a file, make it readable by its owner only."""
    with suppress(OSError, AttributeError):
        if stat.S_ISREG(os.fstat(sys.stdout.fileno()).st_mode):
            os.fchmod(sys.stdout.fileno(), 0o600)


class Screen(Console):
    """A console that escapes every text before layout and has no markup: `[bold]` is printed unchanged.

    Create it when it is needed, because it reads stdout, the width and NO_COLOR at that moment.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(highlight=False, markup=False, emoji=False, **options)

    def render_str(self, text: str, **options: Any) -> Text:
        return super().render_str(escape(text), **options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        options = options or self.options
        if options.ascii_only and options.overflow == "ellipsis":
            options = options.update(overflow="crop")
        if isinstance(renderable, str):
            renderable = self.render_str(renderable)
        if isinstance(renderable, Text):
            renderable = _printable(renderable, options)
        return super().render(renderable, options)


def _printable(text: Text, options: ConsoleOptions) -> Text:
    plain = escape(text.plain)
    if options.ascii_only:
        plain = plain.encode(options.encoding, "backslashreplace").decode(options.encoding)
    ellipsis = options.ascii_only and text.overflow == "ellipsis"
    if plain == text.plain and not ellipsis:
        return text
    printable = text.copy()
    printable.plain = plain
    if ellipsis:
        printable.overflow = "crop"
    return printable


class Program(click.RichGroup):
    """A command group that reports unusable arguments or output as a message, not as a traceback."""

    def main(self, args: Any = None, *rest: Any, **more: Any) -> Any:
        for stream in (sys.stdout, sys.stderr):
            _replace_what_cannot_be_encoded(stream)
        if (unreadable := _unreadable(sys.argv[1:] if args is None else args)) is not None:
            say(f"Error: {unreadable} is not text in {sys.getfilesystemencoding().upper()}.", err=True)
            raise SystemExit(EXIT_USAGE)
        try:
            return super().main(args, *rest, **more)
        except OSError as error:
            if error.errno not in _OUTPUT_FAILED:
                raise
            _discard_output()
            with suppress(OSError):
                say(f"Error: The output cannot be written: {error.strerror}.", err=True)
            raise SystemExit(EXIT_FAILED) from None

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except click.ClickException as error:
            error.message = escape(error.message)  # type: ignore[misc]  # a message is set once, by its class
            raise


def _replace_what_cannot_be_encoded(stream: TextIO | Any) -> None:
    if hasattr(stream, "reconfigure"):
        stream.reconfigure(errors="backslashreplace")


def _unreadable(arguments: Iterable[str]) -> str | None:
    """Return the argument that cannot be decoded, by its position, or the variable, by its name; not the value, which
    may be a secret."""
    for place, argument in enumerate(arguments, 1):
        if not _is_text(argument):
            return f"Argument {place}"
    for name, value in os.environ.items():
        if name.startswith("ORDERTRACK_") and not _is_text(value):
            return f"The variable {name}"
    return None


def _is_text(value: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in value)


def _discard_output() -> None:
    """Send standard output to /dev/null, so that the exit of the process does not write the rest again."""
    with suppress(OSError, AttributeError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
