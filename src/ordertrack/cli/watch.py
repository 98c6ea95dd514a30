"""`ordertrack watch`: an order as it moves, for people at a terminal, for logs, and for programs."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import rich_click as click
from rich.console import Console, RenderableType
from rich.live import Live

from ordertrack.cli.numbers import WholeNumber
from ordertrack.cli.output import Remote, connected, remote_options, stdout_console, symbols_for
from ordertrack.cli.stepper import connecting, event_line, reconnecting, stepper
from ordertrack.client import (
    Connection,
    ConnectionLost,
    Order,
    OrdertrackClient,
    Pace,
    ServerUnreachable,
)

REDRAWS_PER_SECOND = 2
PACE = Pace(backoff_cap_s=5.0)
"""A person looks at it: they are not kept for half a minute after the server is back."""

FIRST_TRIES = 3


@click.command()
@click.argument("order_id", type=WholeNumber(1))
@remote_options
def watch(order_id: int, url: str, as_json: bool) -> None:
    """Follow an order until it has ended.

    In a terminal it shows the road from kitchen to door; in a pipe it prints one line per event, with `--json` one
    object per update. It survives restarts of the server and loss of the network.
    """
    with connected(url, as_json) as (client, remote):
        console = stdout_console()
        if as_json:
            _as_json(client, order_id, remote)
        elif sys.stdout.isatty() and not console.is_dumb_terminal:
            _in_terminal(client, order_id, console)
        else:
            _as_lines(client, order_id)


class _Line:
    """The state of the line, as `track` tells it. Before the first answer, a server that is not there is an error, and
    so is one that takes connections but never answers: something else has that port."""

    def __init__(self, changed: Callable[[], None] = lambda: None) -> None:
        self.connection = Connection(online=True)
        self.next_try_at: datetime | None = None
        self.greeted = False
        self._changed = changed

    def __call__(self, connection: Connection) -> None:
        error = connection.error
        if isinstance(error, ServerUnreachable) and not self.greeted:
            accepted = isinstance(error, ConnectionLost)
            if not accepted or connection.attempts >= FIRST_TRIES:
                raise error
        before, self.connection = self.connection, connection
        self.next_try_at = datetime.now(UTC) + timedelta(seconds=connection.wait_s)
        if before.online is not connection.online:
            self._changed()


def _as_json(client: OrdertrackClient, order_id: int, remote: Remote) -> None:
    line = _Line()
    for _ in client.track(order_id, on_connection=line, pace=PACE):
        line.greeted = True
        remote.print_answer()


def _as_lines(client: OrdertrackClient, order_id: int) -> None:
    def changed() -> None:
        words = reconnecting(line.connection, datetime.now(UTC), line.next_try_at)
        click.echo("Back online." if line.connection.online else f"{line.connection.error}. {words}", err=True)

    line = _Line(changed)
    shown = 0
    for update in client.track(order_id, on_connection=line, pace=PACE):
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
        now = datetime.now(UTC)
        if order is None:
            return connecting(line.connection, now, line.next_try_at)
        return stepper(order, line.connection, now, symbols, line.next_try_at)

    options = {"console": console, "refresh_per_second": REDRAWS_PER_SECOND}
    with Live(get_renderable=picture, transient=True, **options) as live:  # type: ignore[arg-type]
        for update in client.track(order_id, on_connection=line, pace=PACE):
            order, line.greeted, live.transient = update.order, True, False
            live.refresh()
