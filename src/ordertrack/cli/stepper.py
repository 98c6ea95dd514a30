"""The views of a watched order: its steps for a terminal, one line per event otherwise.

Pure functions of the order, the state of the connection and the time.
"""

from __future__ import annotations

import math
from datetime import datetime

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ordertrack.cli.output import COLOURS, Symbols, arrival_words, clock_time, duration_words, status_words
from ordertrack.client import PROGRESSION, Connection, Event, Order, Status

_STEP_NAMES = frozenset({"created", "status_changed", "reverted"})


def stepper(
    order: Order, connection: Connection, now: datetime, symbols: Symbols, next_try_at: datetime | None = None
) -> RenderableType:
    """Return the view for a terminal, at most 80 columns wide and about 12 lines high."""
    return Group(_title(order, symbols), Text(), _steps(order, now, symbols), *_details(order, symbols),
                 *_arrival(order, now), Text(), _line(order, connection, now, symbols, next_try_at))  # fmt: skip


def connecting(connection: Connection, now: datetime, next_try_at: datetime | None) -> RenderableType:
    """Return the view before the first answer."""
    if connection.online:
        return Text("Connecting...", "dim")
    return Text(f"{connection.error}. {reconnecting(connection, now, next_try_at)}.", "yellow")


def reconnecting(connection: Connection, now: datetime, next_try_at: datetime | None) -> str:
    wait_s = 0 if next_try_at is None else math.ceil((next_try_at - now).total_seconds())
    soon = f"next try in {wait_s} s" if wait_s > 0 else "trying again"
    return f"Reconnecting... (try {connection.attempts} failed, {soon})"


def event_line(order: Order, event: Event, now: datetime) -> str:
    """Return one line: time, order, event, actor, reason."""
    return f"{clock_time(event.at, now)}  order {order.id}  {what_happened(event, now)}{_by(event)}"


def what_happened(event: Event, now: datetime) -> str:
    match event.type:
        case "courier_assigned":
            return f"courier {event.courier_id} assigned"
        case "reverted":
            return f"back to {event.status}"
        case "eta_changed" if event.eta is not None:
            return arrival_words(event.eta, now).lower()
        case _:
            skipped = f" (skipped: {', '.join(event.skipped)})" if event.skipped else ""
            return f"{event.status}{skipped}"


def _by(event: Event) -> str:
    by = f", by {event.actor}" if event.actor and event.actor != "anonymous" else ""
    return by + (f": {event.reason}" if event.reason else "")


def _title(order: Order, symbols: Symbols) -> Text:
    parts = [f"Order {order.id}"]
    if order.reference:
        parts.append(order.reference)
    if order.restaurant_id:
        parts.append(f"restaurant {order.restaurant_id}")
    title = Text(f" {symbols.dot} ".join(parts), no_wrap=True, overflow="ellipsis")
    title.stylize("bold", 0, len(parts[0]))
    return title


def _steps(order: Order, now: datetime, symbols: Symbols) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True, width=2, justify="right")
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="ellipsis", no_wrap=True)
    reached = _reached(order)
    cancelled = order.status == Status.CANCELLED
    furthest = max((PROGRESSION.index(status) for status in reached), default=-1)
    for index, status in enumerate(PROGRESSION):
        event = reached.get(status)
        if status == order.status:
            symbol, style = (symbols.done if order.ended else symbols.now), f"bold {COLOURS[status]}"
            note = "" if event is None or order.ended else f"for {duration_words((now - event.at).total_seconds())}"
        elif event is not None:
            symbol, style, note = symbols.done, "", ""
        elif index < furthest:
            symbol, style, note = symbols.skipped, "dim", "skipped"
        elif cancelled:
            continue
        else:
            symbol, style, note = symbols.open, "dim", ""
        table.add_row(*_row(symbol, status, style, event, note, now))
    if cancelled:
        last = _last_step(order)
        table.add_row(*_row(symbols.cancelled, Status.CANCELLED, f"bold {COLOURS[Status.CANCELLED]}", last, "", now))
    return table


def _row(symbol: str, status: str, style: str, event: Event | None, note: str, now: datetime) -> tuple[Text, ...]:
    time = clock_time(event.at, now) if event else ""
    by = _by(event).removeprefix(", ").removeprefix(": ") if event else ""
    return (
        Text(symbol, style),
        Text(status_words(status), style),
        Text(time),
        Text(", ".join(part for part in (note, by) if part), "dim"),
    )


def _reached(order: Order) -> dict[str, Event]:
    """Return the event that set each status, without undone ones."""
    reached: dict[str, Event] = {}
    for event in order.timeline:
        if event.type not in _STEP_NAMES or event.status not in PROGRESSION:
            continue
        if event.type == "reverted":
            for status in PROGRESSION[PROGRESSION.index(Status(event.status)) + 1 :]:
                reached.pop(status, None)
            reached.setdefault(event.status, event)
        else:
            reached[event.status] = event
    return reached


def _last_step(order: Order) -> Event | None:
    return next((event for event in reversed(order.timeline) if event.type in _STEP_NAMES), None)


def _details(order: Order, symbols: Symbols) -> list[Text]:
    parts = []
    if order.items:
        parts.append(", ".join(f"{item.quantity}x {item.name}" for item in order.items))
    if order.total is not None:
        parts.append(f"{order.total:.2f} {order.currency or ''}".rstrip())
    if order.courier_id:
        parts.append(f"courier {order.courier_id}")
    if not parts:
        return []
    return [Text(), Text(f" {symbols.dot} ".join(parts), no_wrap=True, overflow="ellipsis")]


def _arrival(order: Order, now: datetime) -> list[Text]:
    """Return the expected arrival; whether the order was late, once it has ended."""
    if order.eta is None:
        return []
    if order.eta.current is not None:
        words = arrival_words(order.eta.current, now, late=order.eta.late)
    elif order.eta.late:
        words = "Later than planned"
    else:
        return []
    return [Text(), Text(words, "yellow" if order.eta.late else "")]


def _line(order: Order, connection: Connection, now: datetime, symbols: Symbols, next_try_at: datetime | None) -> Text:
    if order.ended:
        took = ""
        if order.created_at is not None:
            took = f" after {duration_words((order.updated_at - order.created_at).total_seconds())}"
        return Text(f"{status_words(order.status)}{took}. The order has ended.")
    if not connection.online:
        return Text(f"{reconnecting(connection, now, next_try_at)}. The view may be outdated.", "yellow")
    return Text(f"Live {symbols.dash} last change {clock_time(order.updated_at, now)}. Ctrl-C stops watching.", "dim")
