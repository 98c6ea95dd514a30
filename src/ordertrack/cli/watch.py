"""`ordertrack watch`: an order as it moves, for people at a terminal, for logs, and for programs."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import UTC, datetime

import rich_click as click
from rich.console import Console, RenderableType
from rich.live import Live
from rich.text import Text

from ordertrack.cli.output import connected, remote_options, stdout_console, symbols_for, to_json
from ordertrack.cli.stepper import event_line, stepper
from ordertrack.client import Connection, ConnectionLost, Order, OrdertrackClient, ServerUnreachable

REDRAWS_PER_SECOND = 2


@click.command()
@click.argument("order_id", type=click.IntRange(min=1))
@remote_options
def watch(order_id: int, url: str, as_json: bool) -> None:
    """Follow an order until it has ended.

    In a terminal it shows the road from kitchen to door; in a pipe it prints one line per event, with `--json` one
    object per update. It survives restarts of the server and loss of the network.
    """
    with connected(url, as_json) as (client, _):
        console = stdout_console()
        if as_json:
            _as_json(client, order_id)
        elif sys.stdout.isatty() and not console.is_dumb_terminal:
            _in_terminal(client, order_id, console)
        else:
            _as_lines(client, order_id)


class _Line:
    """The state of the line, as `track` tells it. Before the first answer, a server that is not there is an error."""

    def __init__(self, changed: Callable[[bool], None] | None = None) -> None:
        self.connection = Connection(online=True)
        self.greeted = False
        self._changed = changed

    def __call__(self, connection: Connection) -> None:
        error = connection.error
        if not self.greeted and isinstance(error, ServerUnreachable) and not isinstance(error, ConnectionLost):
            raise error
        before, self.connection = self.connection, connection
        if self._changed is not None and before.online is not connection.online:
            self._changed(connection.online)


def _as_json(client: OrdertrackClient, order_id: int) -> None:
    line = _Line()
    for update in client.track(order_id, on_connection=line):
        line.greeted = True
        click.echo(to_json(update))


def _as_lines(client: OrdertrackClient, order_id: int) -> None:
    line = _Line(lambda online: click.echo("Back online." if online else "Reconnecting...", err=True))
    shown = 0
    for update in client.track(order_id, on_connection=line):
        line.greeted = True
        if update.reset:
            click.echo(f"The server has another history of order {order_id} now:", err=True)
            shown = 0
        for event in update.order.timeline or update.events:
            if event.version > shown:
                click.echo(event_line(update.order, event, datetime.now(UTC)))
        shown = update.order.version


def _in_terminal(client: OrdertrackClient, order_id: int, console: Console) -> None:
    symbols = symbols_for(console)
    line = _Line()
    order: Order | None = None

    def picture() -> RenderableType:
        if order is None:
            words = "Connecting..." if line.connection.online else f"Reconnecting... (try {line.connection.attempts})"
            return Text(words, "dim")
        return stepper(order, line.connection, datetime.now(UTC), symbols)

    options = {"console": console, "refresh_per_second": REDRAWS_PER_SECOND}
    with Live(get_renderable=picture, transient=True, **options) as live:  # type: ignore[arg-type]
        for update in client.track(order_id, on_connection=line):
            order, line.greeted, live.transient = update.order, True, False
            live.refresh()
