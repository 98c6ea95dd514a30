"""A QR code as text for a terminal."""

from __future__ import annotations

from importlib.util import find_spec

import rich_click as click
from rich.text import Text

from ordertrack.cli.extras import missing_extra
from ordertrack.cli.terminal import Screen

QUIET_ZONE = 2
STYLE = "#ffffff on #000000"
"""Light modules are drawn, dark ones left out, so that the code is also right without colours on a dark terminal."""
_BLOCKS = {(0, 0): "█", (0, 1): "▀", (1, 0): "▄", (1, 1): " "}
"""Two modules above each other in one character; 1 is dark."""


def check_can_draw() -> None:
    """Raises: click.UsageError."""
    if find_spec("segno") is None:
        raise click.UsageError(missing_extra("--qr", "server"))
    if Screen().options.ascii_only:
        raise click.UsageError("--qr needs an output in UTF-8.")


def qr_code(text: str) -> list[Text]:
    """Return the lines of the QR code of `text`: about 17 of 33 columns for a link."""
    import segno  # here: the commands work without it

    rows = [list(row) for row in segno.make(text, error="l", micro=False).matrix_iter(border=QUIET_ZONE)]
    if len(rows) % 2:
        rows.append([0] * len(rows[0]))
    return [
        Text("".join(_BLOCKS[pair] for pair in zip(upper, lower, strict=True)), STYLE, no_wrap=True)
        for upper, lower in zip(rows[::2], rows[1::2], strict=True)
    ]
