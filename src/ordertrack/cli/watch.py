"""`ordertrack watch`: follow an order, as a live view in a terminal, as lines of text, or as JSON."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import rich_click as click
from rich.console import RenderableType
from rich.live import Live

from ordertrack.cli.numbers import WholeNumber
from ordertrack.cli.output import Remote, connected, remote_options, symbols_for
from ordertrack.cli.stepper import connecting, event_line, reconnecting, stepper
from ordertrack.cli.terminal import Screen, is_interactive, say
from ordertrack.client import Connection, Order, OrdertrackClient, Pace

REDRAWS_PER_SECOND = 2
PACE = Pace(backoff_cap_s=5.0)
"""A shorter backoff than the default, so that the view is current soon after the server is back."""


@click.command()
@click.argument("order_id", type=WholeNumber(1))
@remote_options
def watch(order_id: int, url: str, as_json: bool) -> None:
    """Follow an order until it has ended.

    In a terminal it shows the steps of the order; in a pipe it prints one line per event, with `--json` one object per
    update. It reconnects after restarts of the server and loss of the network.
    """
    with connected(url, as_json) as (client, remote):
        if as_json:
            _as_json(client, order_id, remote)
        elif is_interactive():
            _in_terminal(client, order_id, Screen())
        else:
            _as_lines(client, order_id)


class _ConnectionState:
    """The state of the connection, as reported by `track`."""

    def __init__(self, changed: Callable[[], None] = lambda: None) -> None:
        self.connection = Connection(online=True)
        self.next_try_at: datetime | None = None
        self._changed = changed

    def __call__(self, connection: Connection) -> None:
        before, self.connection = self.connection, connection
        self.next_try_at = datetime.now(UTC) + timedelta(seconds=connection.wait_s)
        if before.online is not connection.online:
            self._changed()


def _as_json(client: OrdertrackClient, order_id: int, remote: Remote) -> None:
    for _ in client.track(order_id, pace=PACE):
        remote.print_answer()


def _as_lines(client: OrdertrackClient, order_id: int) -> None:
    def changed() -> None:
        words = reconnecting(state.connection, datetime.now(UTC), state.next_try_at)
        say("Back online." if state.connection.online else f"{state.connection.error}. {words}", err=True)

    state = _ConnectionState(changed)
    shown = 0
    for update in client.track(order_id, on_connection=state, pace=PACE):
        if update.reset:
            say(f"The server's history of order {order_id} has been replaced:", err=True)
            shown = 0
        for event in update.order.timeline or update.events:
            if event.version > shown:
                say(event_line(update.order, event, datetime.now(UTC)))
        shown = update.order.version


def _in_terminal(client: OrdertrackClient, order_id: int, screen: Screen) -> None:
    symbols = symbols_for(screen)
    state = _ConnectionState()
    order: Order | None = None

    def picture() -> RenderableType:
        now = datetime.now(UTC)
        if order is None:
            return connecting(state.connection, now, state.next_try_at)
        return stepper(order, state.connection, now, symbols, state.next_try_at)

    options = {"console": screen, "refresh_per_second": REDRAWS_PER_SECOND}
    with Live(get_renderable=picture, transient=True, **options) as live:  # type: ignore[arg-type]
        for update in client.track(order_id, on_connection=state, pace=PACE):
            order, live.transient = update.order, False
            live.refresh()
