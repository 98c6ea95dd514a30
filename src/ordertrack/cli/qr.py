"""A QR code in a terminal: two modules in each character, dark on light in every terminal with colours."""

from __future__ import annotations

from importlib.util import find_spec
from itertools import zip_longest

import rich_click as click
from rich.console import Group
from rich.text import Text

from ordertrack.cli.terminal import Screen

_HALVES = {(False, False): " ", (True, False): "▀", (False, True): "▄", (True, True): "█"}
QUIET_ZONE = 4
"""Light modules around the code (ISO/IEC 18004)."""


def check_can_draw() -> None:
    """Raises: click.UsageError."""
    if find_spec("segno") is None:
        raise click.UsageError("--qr needs a library: pip install segno")
    if Screen().options.ascii_only:
        raise click.UsageError("--qr needs an output in UTF-8.")


def qr_code(text: str) -> Group:
    """Return the code, to be shown on a screen. Check `check_can_draw` first."""
    import segno  # here: the command line does not require it

    rows = [[bool(dark) for dark in row] for row in segno.make(text, micro=False).matrix_iter(border=QUIET_ZONE)]
    lines = ("".join(map(_HALVES.__getitem__, zip(upper, lower, strict=True)))
             for upper, lower in zip_longest(rows[::2], rows[1::2], fillvalue=[False] * len(rows[0])))  # fmt: skip
    return Group(*(Text(line, "black on bright_white", no_wrap=True, overflow="ignore") for line in lines))
