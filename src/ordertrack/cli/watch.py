"""`ordertrack watch`: follow an order, as a live view in a terminal, as lines of text, or as JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import NamedTuple

import rich_click as click
from rich.console import RenderableType
from rich.live import Live

from ordertrack.cli.numbers import WholeNumber
from ordertrack.cli.output import Remote, connected, remote_options, symbols_for
from ordertrack.cli.stepper import connecting, event_line, reconnecting, stepper
from ordertrack.cli.terminal import Screen, is_interactive, say
from ordertrack.client import Connection, Order, Pace, Update
from ordertrack.client.link_url import split_link

REDRAWS_PER_SECOND = 2
PACE = Pace(backoff_cap_s=5.0)
"""A shorter backoff than the default, so that the view is current soon after the server is back."""


class _Link(NamedTuple):
    """A tracking link. `server` is empty when only its token was given."""

    server: str
    token: str


class _OrderOrLink(click.ParamType[int | _Link]):
    """The number of an order, or a tracking link."""

    name = "order"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int | _Link:
        text = str(value)
        if not text.startswith("otl_") and "/" not in text:
            return int(WholeNumber(1).convert(text, param, ctx))
        try:
            return _Link(*split_link(text))
        except ValueError as error:
            self.fail(f"is not a tracking link: it {error}.", param, ctx)


@click.command()
@click.argument("order", type=_OrderOrLink(), metavar="ORDER_ID|LINK")
@remote_options
def watch(order: int | _Link, url: str, as_json: bool) -> None:
    """Follow an order until it has ended. LINK is the URL of a tracking link, which needs no token.

    In a terminal it shows the steps of the order; in a pipe it prints one line per event, with `--json` one object per
    update. It reconnects after restarts of the server and loss of the network.
    """
    link = order if isinstance(order, _Link) else None
    with connected((link and link.server) or url, as_json, by_link=link is not None) as (client, remote):
        track = partial(client.track, order) if isinstance(order, int) else partial(client.track_link, order.token)
        if as_json:
            _as_json(track, remote)
        elif is_interactive():
            _in_terminal(track, Screen())
        else:
            _as_lines(track)


class ConnectionState:
    """The state of the connection, as reported by `track`."""

    def __init__(self) -> None:
        self.connection = Connection(online=True)
        self.next_try_at: datetime | None = None

    def __call__(self, connection: Connection) -> None:
        self.connection = connection
        self.next_try_at = datetime.now(UTC) + timedelta(seconds=connection.wait_s)

    def say_changes(self, connection: Connection) -> None:
        """Print a line on standard error when the connection is lost, and when it is back."""
        before = self.connection
        self(connection)
        if before.online is connection.online:
            return
        words = reconnecting(connection, datetime.now(UTC), self.next_try_at)
        say("Back online." if connection.online else f"{connection.error}. {words}", err=True)


Track = Callable[..., Iterator[Update]]


def _as_json(track: Track, remote: Remote) -> None:
    for _ in track(pace=PACE):
        remote.print_answer()


def _as_lines(track: Track) -> None:
    shown = 0
    for update in track(on_connection=ConnectionState().say_changes, pace=PACE):
        if update.reset:
            say(f"The server's history of order {update.order.id} has been replaced:", err=True)
            shown = 0
        for event in update.order.timeline or update.events:
            if event.version > shown:
                say(event_line(update.order, event, datetime.now(UTC)))
        shown = update.order.version


def _in_terminal(track: Track, screen: Screen) -> None:
    symbols = symbols_for(screen)
    state = ConnectionState()
    order: Order | None = None

    def picture() -> RenderableType:
        now = datetime.now(UTC)
        if order is None:
            return connecting(state.connection, now, state.next_try_at)
        return stepper(order, state.connection, now, symbols, state.next_try_at)

    options = {"console": screen, "refresh_per_second": REDRAWS_PER_SECOND}
    with Live(get_renderable=picture, transient=True, **options) as live:  # type: ignore[arg-type]
        for update in track(on_connection=state, pace=PACE):
            order, live.transient = update.order, False
            live.refresh()
