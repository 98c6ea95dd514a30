"""`ordertrack feed`: follow all orders of a customer, a restaurant or a courier, as lines of text or as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import rich_click as click

from ordertrack.cli.output import connected, remote_options
from ordertrack.cli.stepper import event_line
from ordertrack.cli.terminal import say
from ordertrack.cli.watch import PACE, ConnectionState
from ordertrack.client import Event, FeedUpdate, Order

PARTIES = ("customer", "restaurant", "courier")


@click.command()
@click.argument("party", type=click.Choice(PARTIES))
@click.argument("party_id", metavar="ID")
@remote_options
def feed(party: str, party_id: str, url: str, as_json: bool) -> None:
    """Follow all orders of a customer, a restaurant or a courier, until Ctrl-C.

    It prints a line for each order that has not ended, then one for each event; with `--json` one object per update. It
    reconnects as `watch` does.
    """
    with connected(url, as_json) as (client, remote):
        track = {"customer": client.track_customer, "restaurant": client.track_restaurant,
                 "courier": client.track_courier}[party]  # fmt: skip
        if as_json:
            for _ in track(party_id, pace=PACE):
                remote.print_answer()
            return
        state = ConnectionState()
        lines = FeedLines(f"{party} {party_id}")
        for update in track(party_id, on_connection=state.say_changes, pace=PACE):
            say(*lines.of(update, datetime.now(UTC)))


class FeedLines:
    """The lines of a feed. Remembers the version that it showed of each order that has not ended."""

    def __init__(self, subject: str) -> None:
        self._subject = subject
        self._shown: dict[int, int] = {}
        self._is_first = True

    def of(self, update: FeedUpdate, now: datetime) -> Iterator[str]:
        if update.reset:
            self._shown.clear()
            yield f"The server's history has been replaced. Orders of {self._subject} now:"
        if self._is_first and not update.orders:
            yield f"No orders of {self._subject} yet. Waiting for changes; Ctrl-C stops."
        self._is_first = False
        for order in update.orders:
            for event in self._new_events(order):
                yield event_line(order, event, now)
            self._shown[order.id] = order.version
            if order.ended:
                del self._shown[order.id]
        for order_id in update.left:
            self._shown.pop(order_id, None)
            yield f"order {order_id} is assigned to another courier"

    def _new_events(self, order: Order) -> tuple[Event, ...]:
        """Return the events since the version shown before; of an order not shown yet, the last one."""
        shown = self._shown.get(order.id)
        if shown is None:
            return order.timeline[-1:]
        return tuple(event for event in order.timeline if event.version > shown)
