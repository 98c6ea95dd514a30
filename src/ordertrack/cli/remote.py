"""Commands that talk to a running server. Each says what it did and what to do next, or prints JSON."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import rich_click as click
from rich import box
from rich.table import Table
from rich.text import Text

from ordertrack.cli.numbers import Number, WholeNumber
from ordertrack.cli.output import (
    COLOURS,
    Remote,
    clock_time,
    connected,
    duration_words,
    remote_options,
    status_words,
)
from ordertrack.cli.terminal import show
from ordertrack.cli.watch import watch
from ordertrack.client import PROGRESSION, Applied, Item, Order, OrderPage, SimulationStep, Stats, Status

_ITEM = re.compile(r"(\d{1,4})\s*[x×]\s*(\S.*)")
_ORDER_ID = WholeNumber(1)
_STATUS = click.Choice([status.value for status in Status], case_sensitive=False)
_STEP = click.Choice([status.value for status in PROGRESSION[:-1]], case_sensitive=False)


@click.command()
@click.option("--customer-id", help="Only this customer's.")
@click.option("--restaurant-id", help="Only this restaurant's.")
@click.option("--courier-id", help="Only this courier's.")
@click.option("--status", "statuses", type=_STATUS, multiple=True, help="Only in this status; may be repeated.")
@click.option("--limit", type=WholeNumber(1, 100), default=20, show_default=True, help="How many at most.")
@click.option("--all", "everything", is_flag=True, help="All of them, however many.")
@remote_options
def orders(
    customer_id: str | None,
    restaurant_id: str | None,
    courier_id: str | None,
    statuses: tuple[str, ...],
    limit: int,
    everything: bool,
    url: str,
    as_json: bool,
) -> None:
    """List orders, newest first."""
    filters = {"customer_id": customer_id, "restaurant_id": restaurant_id, "courier_id": courier_id}
    with connected(url, as_json) as (client, remote):
        if everything:
            page = OrderPage(tuple(client.all_orders(**filters, status=statuses)))
            remote.print_pages("orders")
        else:
            page = client.orders(**filters, status=statuses, limit=limit)
            remote.print_answer()
        if as_json:
            return
        if not page.orders:
            remote.say("No orders here.", remote.hint("Make one:", "create --customer-id 1 --restaurant-id 1"))
            return
        show(_table(page.orders, datetime.now(UTC)))
        if page.next_cursor is not None:
            remote.say("There may be more: add --all.")
        remote.say(remote.hint("Watch one:", f"watch {page.orders[0].id}"))


def _table(found: tuple[Order, ...], now: datetime) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column("Order", no_wrap=True, justify="right")
    for name in ("Status", "Updated"):
        table.add_column(name, no_wrap=True)
    for name in ("Customer", "Restaurant", "Courier", "Reference"):
        table.add_column(name, overflow="ellipsis")
    for order in found:
        table.add_row(
            str(order.id),
            Text(status_words(order.status), COLOURS.get(order.status, "")),
            clock_time(order.updated_at, now),
            order.customer_id or "",
            order.restaurant_id or "",
            order.courier_id or "",
            order.reference or "",
        )
    return table


class _Item(click.ParamType[Item]):
    """`2x Margherita`, or a name alone for one of it."""

    name = "item"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Item:
        text = str(value).strip()
        match = _ITEM.fullmatch(text)
        if not text or (match and int(match[1]) == 0):
            self.fail(f'{value!r} is not an item: write "2x Margherita"', param, ctx)
        return Item(match[2], int(match[1])) if match else Item(text)


@click.command()
@click.option("--customer-id", required=True, help="Whose order it is.")
@click.option("--restaurant-id", required=True, help="Who makes it.")
@click.option("--reference", help="Your own id for it, unique per restaurant.")
@click.option("--item", "items", type=_Item(), multiple=True, metavar='"2x NAME"', help="What; may be repeated.")
@click.option("--total", type=Number(0), help="What it costs.")
@click.option("--currency", help="Three letters, such as EUR.")
@click.option("--address", help="Where it goes.")
@click.option("--note", help="Anything the kitchen should know.")
@click.option("--courier-id", help="Who brings it, if that is known.")
@remote_options
def create(
    customer_id: str,
    restaurant_id: str,
    reference: str | None,
    items: tuple[Item, ...],
    total: float | None,
    currency: str | None,
    address: str | None,
    note: str | None,
    courier_id: str | None,
    url: str,
    as_json: bool,
) -> None:
    """Create an order."""
    with connected(url, as_json, retries=2) as (client, remote):
        order = client.create(
            customer_id=customer_id,
            restaurant_id=restaurant_id,
            reference=reference,
            items=items,
            total=total,
            currency=currency and currency.upper(),
            address=address,
            note=note,
            courier_id=courier_id,
        )
        remote.print_answer()
        remote.say(f"Order {order.id} is {order.status}.", *_follow(order, remote))


@click.command()
@click.argument("order_id", type=_ORDER_ID)
@click.argument("status", type=_STATUS)
@click.option("--reason", help="Why; the customer sees it. Needed to cancel after pick-up.")
@click.option("--undo", is_flag=True, help="Go back to an earlier status, shortly after a wrong tap.")
@click.option("--expected-version", type=WholeNumber(1), help="Only if the order has this version.")
@remote_options
def status(
    order_id: int,
    status: str,
    reason: str | None,
    undo: bool,
    expected_version: int | None,
    url: str,
    as_json: bool,
) -> None:
    """Set the status of an order."""
    with connected(url, as_json) as (client, remote):
        applied = client.set_status(order_id, status, reason=reason, undo=undo, expected_version=expected_version)
        remote.print_answer()
        remote.say(_now(applied, _plain(applied.order.status)), *_follow(applied.order, remote))


@click.command()
@click.argument("order_id", type=_ORDER_ID)
@click.argument("courier_id")
@remote_options
def courier(order_id: int, courier_id: str, url: str, as_json: bool) -> None:
    """Assign a courier to an order, or replace the one it has."""
    with connected(url, as_json) as (client, remote):
        applied = client.assign_courier(order_id, courier_id)
        remote.print_answer()
        remote.say(_now(applied, f"with courier {applied.order.courier_id}"), *_follow(applied.order, remote))


def _now(applied: Applied, state: str) -> str:
    order = applied.order
    if not applied.changed:
        return f"Order {order.id} is {state} already: nothing changed."
    return f"Order {order.id} is {state} now (version {order.version})."


def _follow(order: Order, remote: Remote) -> list[str]:
    return [] if order.ended else [remote.hint("Watch it:", f"watch {order.id}")]


def _plain(status: str) -> str:
    return status.replace("_", " ")


class _Timing(click.ParamType[tuple[str, float]]):
    """`preparing=10`: seconds in a status."""

    name = "timing"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, float]:
        step, _, seconds = str(value).partition("=")
        try:
            return _STEP.convert(step.strip(), param, ctx), float(seconds)
        except ValueError:
            self.fail(f'{value!r} is not a timing: write "preparing=10", in seconds', param, ctx)


@click.command()
@click.argument("order_id", type=_ORDER_ID)
@click.option(
    "--speed", type=Number(), help="How many times faster than life: 60 makes minutes seconds. 1 if not given."
)
@click.option(
    "--timing",
    "timings",
    type=_Timing(),
    multiple=True,
    metavar="STATUS=SECONDS",
    help="Time in one status; repeatable.",
)
@click.option("--cancel-at", type=_STEP, help="Cancel the order at the end of this status.")
@click.option("--stop", is_flag=True, help="Stop the simulation that is running.")
@remote_options
def simulate(
    order_id: int,
    speed: float | None,
    timings: tuple[tuple[str, float], ...],
    cancel_at: str | None,
    stop: bool,
    url: str,
    as_json: bool,
) -> None:
    """Simulate a delivery: the order gets each status in turn, after a real restaurant's times."""
    if stop and (speed is not None or timings or cancel_at):
        raise click.UsageError("--stop goes alone: it only stops what is running.")
    with connected(url, as_json) as (client, remote):
        if stop:
            steps = client.stop_simulation(order_id)
            remote.print_answer()
            missed = ", ".join(_plain(step.status) for step in steps)
            remote.say(
                f"The simulation of order {order_id} has stopped. It will not become: {missed}.",
                remote.hint("Start it again:", f"simulate {order_id}"),
            )
            return
        steps = client.simulate(order_id, speed=speed, timings=dict(timings) or None, cancel_at=cancel_at)
        remote.print_answer()
        remote.say(
            f"Order {order_id} is on its way:",
            *_plan(steps),
            remote.hint("Watch it:", f"watch {order_id}"),
            remote.hint("Stop it: ", f"simulate {order_id} --stop"),
        )


def _plan(steps: list[SimulationStep]) -> list[str]:
    now = datetime.now(UTC)
    return [
        f"  {clock_time(step.at, now)}  {_plain(step.status):<10} in {duration_words((step.at - now).total_seconds())}"
        for step in steps
    ]


@click.command()
@remote_options
def stats(url: str, as_json: bool) -> None:
    """Show what the server is doing."""
    with connected(url, as_json) as (client, remote):
        figures = client.stats()
        remote.print_answer()
        if as_json:
            return
        table = Table.grid(padding=(0, 2, 0, 0))
        for name, value in _figures(figures):
            table.add_row(Text(name, "dim"), Text(value))
        show(table)


def _figures(figures: Stats) -> list[tuple[str, str]]:
    latency = figures.wake_latency_ms
    lost = figures.lost_wakeups_total
    return [
        ("Server", f"ordertrack {figures.version}, node {figures.node}, up {duration_words(figures.uptime_s)}"),
        ("State", "draining: it is about to stop" if figures.draining else "taking polls"),
        ("Held polls", f"{figures.active_connections} on {figures.orders_watched} order{_s(figures.orders_watched)}"),
        ("Polls", _counts(figures.polls_total)),
        ("Updates", str(figures.updates_total)),
        ("News after", f"p50 {_ms(latency.p50)}, p99 {_ms(latency.p99)}, longest {_ms(latency.max)}"),
        ("Lost wake-ups", "0, as it must be" if lost == 0 else f"{lost}: a bug, please report it"),
        ("Orders", _counts(figures.orders_by_status)),
        ("Simulations", f"{figures.simulations_running} running"),
        ("Process", f"{figures.memory_mb:.1f} MB, {figures.cpu_percent:.1f} % of a core"),
        ("Store", figures.store),
    ]


def _counts(counts: dict[str, int]) -> str:
    some = [f"{count} {_plain(name)}" for name, count in counts.items() if count]
    return ", ".join(some) or "none"


def _s(count: int) -> str:
    return "" if count == 1 else "s"


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f} ms"


COMMANDS: list[click.Command] = [watch, orders, create, status, courier, simulate, stats]
"""What `cli/main.py` adds to its group."""
