"""Commands that call a running server. Each prints its result and a next step, or JSON."""

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
from ordertrack.cli.stepper import what_happened
from ordertrack.cli.terminal import show
from ordertrack.client import PROGRESSION, Applied, Item, NodeStats, Order, OrderPage, SimulationStep, Stats, Status

_ITEM = re.compile(r"(\d{1,4})\s*[x×]\s*(\S.*)")
_ORDER_ID = WholeNumber(1)
_STATUS = click.Choice([status.value for status in Status], case_sensitive=False)
_STEP = click.Choice([status.value for status in PROGRESSION[:-1]], case_sensitive=False)


@click.command()
@click.option("--customer-id", help="Only orders of this customer.")
@click.option("--restaurant-id", help="Only orders of this restaurant.")
@click.option("--courier-id", help="Only orders of this courier.")
@click.option("--status", "statuses", type=_STATUS, multiple=True, help="Only orders in this status; repeatable.")
@click.option("--limit", type=WholeNumber(1, 100), default=20, show_default=True, help="Maximum number of orders.")
@click.option("--all", "everything", is_flag=True, help="List all orders, without a limit.")
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
            remote.say("No orders.", remote.hint("Create one:", "create --customer-id 1 --restaurant-id 1"))
            return
        show(_table(page.orders, datetime.now(UTC)))
        if page.next_cursor is not None:
            remote.say("There may be more orders: add --all.")
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
    """An item such as `2x Margherita`; without a number the quantity is 1."""

    name = "item"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Item:
        text = str(value).strip()
        match = _ITEM.fullmatch(text)
        if not text or (match and int(match[1]) == 0):
            self.fail(f'{value!r} is not an item: write "2x Margherita"', param, ctx)
        return Item(match[2], int(match[1])) if match else Item(text)


@click.command()
@click.option("--customer-id", required=True, help="Id of the customer.")
@click.option("--restaurant-id", required=True, help="Id of the restaurant.")
@click.option("--reference", help="Your own id of the order, unique per restaurant.")
@click.option("--item", "items", type=_Item(), multiple=True, metavar='"2x NAME"', help="Item; repeatable.")
@click.option("--total", type=Number(0), help="Total price.")
@click.option("--currency", help="Currency code of three letters, such as EUR.")
@click.option("--address", help="Delivery address.")
@click.option("--note", help="Note for the restaurant.")
@click.option("--restaurant-name", help="Name of the restaurant, shown to the customer.")
@click.option("--courier-id", help="Id of the courier.")
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
    restaurant_name: str | None,
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
            restaurant_name=restaurant_name,
            courier_id=courier_id,
        )
        remote.print_answer()
        remote.say(f"Order {order.id} is {order.status}.", *_follow(order, remote))


@click.command()
@click.argument("order_id", type=_ORDER_ID)
@click.argument("status", type=_STATUS)
@click.option("--reason", help="Reason, shown to the customer. Required to cancel after pick-up.")
@click.option("--undo", is_flag=True, help="Go back to an earlier status, within the undo window.")
@click.option("--expected-version", type=WholeNumber(1), help="Change the order only if it has this version.")
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
        return f"Order {order.id} is already {state}: nothing changed."
    return f"Order {order.id} is now {state} (version {order.version})."


def _follow(order: Order, remote: Remote) -> list[str]:
    return [] if order.ended else [remote.hint("Watch it:", f"watch {order.id}")]


def _plain(status: str) -> str:
    return status.replace("_", " ")


class _Timing(click.ParamType[tuple[str, float]]):
    """Seconds in a status, such as `preparing=10`."""

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
    "--speed", type=Number(), help="Speed relative to real time: with 60, a minute takes a second. Default 1."
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
    """Simulate a delivery: set each status in turn, at the times of a real restaurant."""
    if stop and (speed is not None or timings or cancel_at):
        raise click.UsageError("--stop cannot be combined with other options of a simulation.")
    with connected(url, as_json) as (client, remote):
        if stop:
            steps = client.stop_simulation(order_id)
            remote.print_answer()
            missed = ", ".join(_plain(step.status) for step in steps)
            remote.say(
                f"The simulation of order {order_id} has stopped. Cancelled steps: {missed}.",
                remote.hint("Start it again:", f"simulate {order_id}"),
            )
            return
        steps = client.simulate(order_id, speed=speed, timings=dict(timings) or None, cancel_at=cancel_at)
        remote.print_answer()
        remote.say(
            f"The simulation of order {order_id} has started:",
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
    """Show the statistics of the server."""
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
        ("State", "draining: it is about to stop" if figures.draining else "accepting polls"),
        ("Held polls", f"{figures.active_connections} on {figures.orders_watched} order{_s(figures.orders_watched)}"),
        ("Polls", _counts(figures.polls_total)),
        ("Updates", str(figures.updates_total)),
        ("Wake latency", f"p50 {_ms(latency.p50)}, p99 {_ms(latency.p99)}, longest {_ms(latency.max)}"),
        ("Lost wake-ups", "0" if lost == 0 else f"{lost}: this is a bug, please report it"),
        ("Orders", _counts(figures.orders_by_status)),
        ("Simulations", f"{figures.simulations_running} running"),
        ("Process", f"{figures.memory_mb:.1f} MB, {figures.cpu_percent:.1f} % of a core"),
        ("Store", figures.store),
        *_node_figures(figures),
    ]


def _node_figures(figures: Stats) -> list[tuple[str, str]]:
    """Return a line for each node of a cluster."""
    if len(figures.by_node) < 2 and figures.signal == "in-process":
        return []
    return [
        ("Signals", figures.signal),
        *((f"Node {node.node}", _node_words(node)) for node in figures.by_node),
    ]


def _node_words(node: NodeStats) -> str:
    words = f"{node.active_connections} held polls, {node.updates_total} updates, up {duration_words(node.uptime_s)}"
    return f"{words}, draining" if node.draining else words


def _counts(counts: dict[str, int]) -> str:
    some = [f"{count} {_plain(name)}" for name, count in counts.items() if count]
    return ", ".join(some) or "none"


def _s(count: int) -> str:
    return "" if count == 1 else "s"


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f} ms"


@click.command()
@click.argument("order_id", type=_ORDER_ID)
@remote_options
def audit(order_id: int, url: str, as_json: bool) -> None:
    """Show every change of an order with its author and network address. For administrators."""
    with connected(url, as_json) as (client, remote):
        entries = client.audit(order_id)
        remote.print_answer()
        if as_json:
            return
        table, now = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False), datetime.now(UTC)
        for name in ("Version", "Recorded", "Event", "By", "Address", "Reason"):
            table.add_column(name, overflow="fold")
        for entry in entries:
            recorded = clock_time(entry.recorded_at or entry.at, now)
            by, address, reason = entry.actor or "", entry.origin or "", entry.reason or ""
            table.add_row(str(entry.version), recorded, what_happened(entry, now), by, address, reason)
        show(table)


COMMANDS: list[click.Command] = [orders, create, status, courier, simulate, stats, audit]
"""The commands of this module, for the group in `cli/main.py`."""
