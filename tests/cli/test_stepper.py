"""The view of a watched order, without colour and in 80 columns."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta

import pytest
from rich.console import Console

from ordertrack.cli.output import ASCII, UNICODE, Symbols, duration_words
from ordertrack.cli.stepper import event_line, stepper
from ordertrack.client import Connection, Eta, Event, Item, Order, ServerUnreachable, Window

NOW = datetime(2026, 11, 22, 10, 30, tzinfo=UTC)
ONLINE = Connection(online=True)
LUNCH = Window(*(NOW.astimezone().replace(hour=12, minute=minute) for minute in (40, 55)))


def event(version: int, status: str, **fields: object) -> Event:
    at = NOW - timedelta(minutes=10 - version)
    return Event(**{"version": version, "type": "status_changed", "status": status, "at": at, **fields})  # type: ignore[arg-type]


def order(*events: Event, **fields: object) -> Order:
    created = event(1, "confirmed", type="created")
    timeline = (created, *events)
    return Order(**{"id": 101, "status": timeline[-1].status, "version": len(timeline), "updated_at": timeline[-1].at,
                    "created_at": created.at, "timeline": timeline, **fields})  # type: ignore[arg-type]  # fmt: skip


def picture(
    of: Order, connection: Connection = ONLINE, symbols: Symbols = UNICODE, next_try_at: datetime | None = None
) -> list[str]:
    console = Console(file=io.StringIO(), width=80, color_system=None)
    with console.capture() as captured:
        console.print(stepper(of, connection, NOW, symbols, next_try_at))
    lines = captured.get().splitlines()
    assert all(len(line) <= 80 for line in lines)
    return [" ".join(line.split()) for line in lines if line.strip()]


def steps(of: Order, symbols: Symbols = UNICODE) -> list[str]:
    """Return symbol and name of every step."""
    names = ("Confirmed", "Preparing", "Ready", "Picked up", "Delivered", "Cancelled")
    found = []
    for line in picture(of, symbols=symbols)[1:]:
        found += [f"{line.split(name)[0].strip()} {name}".strip() for name in names if name in line.split(" after")[0]]
    return [step for step in found if not step.startswith("Nothing")][: 6 if "!" in found else 5]


def test_every_step_shows_its_state() -> None:
    assert steps(order(event(2, "preparing"))) == [
        "✓ Confirmed",
        "● Preparing",
        "○ Ready",
        "○ Picked up",
        "○ Delivered",
    ]


def test_a_terminal_without_these_symbols_gets_others() -> None:
    assert steps(order(event(2, "preparing")), ASCII) == [
        "x Confirmed",
        "> Preparing",
        "Ready",
        "Picked up",
        "Delivered",
    ]


def test_skipped_steps_are_marked() -> None:
    lines = picture(order(event(2, "picked_up")))
    assert [line for line in lines if "skipped" in line] == ["- Preparing skipped", "- Ready skipped"]


def test_current_step_shows_duration_and_actor() -> None:
    line = picture(order(event(2, "ready", actor="kitchen", reason="hurry")))[3]
    assert line.endswith("for 8 min, by kitchen: hurry")


def test_undone_step_is_open_again() -> None:
    back = order(event(2, "preparing"), event(3, "ready"), event(4, "preparing", type="reverted"))
    assert steps(back)[:3] == ["✓ Confirmed", "● Preparing", "○ Ready"]


def test_cancelled_order_shows_its_progress_and_reason() -> None:
    lines = picture(order(event(2, "preparing"), event(3, "cancelled", actor="shop", reason="no dough")))
    assert not any("Ready" in line for line in lines)
    assert [line.split()[0] for line in lines[1:4]] == ["✓", "✓", "✗"]
    assert lines[3].endswith("by shop: no dough")
    assert lines[-1] == "Cancelled after 2 min. The order has ended."


def test_delivered_order_shows_its_duration() -> None:
    assert picture(order(event(5, "delivered")))[-1] == "Delivered after 4 min. The order has ended."


def test_a_courier_does_not_move_the_stepper() -> None:
    shown = order(event(2, "preparing"), event(3, "preparing", type="courier_assigned", courier_id="7"), courier_id="7")
    assert steps(shown)[:2] == ["✓ Confirmed", "● Preparing"]
    assert "courier 7" in picture(shown)


@pytest.mark.parametrize(
    ("eta", "line"),
    [
        (Eta(LUNCH, LUNCH), "Arrives 12:40-12:55"),
        (Eta(LUNCH, LUNCH, late=True), "Arrives 12:40-12:55, later than planned"),
        (Eta(LUNCH, None, late=True), "Later than planned"),
        (Eta(LUNCH, None), "delivered"),
        (None, "delivered"),
    ],
)
def test_the_expected_arrival_is_one_line(eta: Eta | None, line: str) -> None:
    status = "delivered" if eta is None or eta.current is None else "preparing"
    lines = picture(order(event(2, status), eta=eta))
    assert [each for each in lines if "rrives" in each or "planned" in each] == ([] if line == "delivered" else [line])


def test_items_fit_on_one_line() -> None:
    lines = picture(order(items=(Item("Margherita", 2), Item("Quattro stagioni " * 9)), total=23.5, currency="EUR"))
    assert lines[-2].startswith("2x Margherita, 1x Quattro")


def test_lost_connection_shows_a_countdown() -> None:
    lost = Connection(online=False, attempts=30, wait_s=4, error=ServerUnreachable("gone"))
    for in_s, words in [(3.2, "next try in 4 s"), (0, "trying again"), (-2, "trying again")]:
        last_line = picture(order(), lost, next_try_at=NOW + timedelta(seconds=in_s))[-1]
        assert last_line == f"Reconnecting... (try 30 failed, {words}). The view may be outdated."


def test_long_words_do_not_break_the_layout() -> None:
    assert len(picture(order(event(2, "ready", reason="very " * 60), reference="R" * 64, restaurant_id="S" * 64))) == 7


def test_unknown_status_is_displayed() -> None:
    assert "○ Preparing" in picture(order(event(2, "on_the_roof")))


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"status": "ready"}, "ready"),
        ({"status": "ready", "actor": "anonymous"}, "ready"),
        ({"status": "ready", "actor": "cook", "skipped": ("preparing",)}, "ready (skipped: preparing), by cook"),
        ({"status": "ready", "type": "reverted", "reason": "oops"}, "back to ready: oops"),
        ({"status": "ready", "type": "courier_assigned", "courier_id": "7"}, "courier 7 assigned"),
        ({"status": "ready", "type": "eta_changed", "eta": LUNCH, "actor": "server"}, "arrives 12:40-12:55, by server"),
    ],
)
def test_an_event_is_one_line(fields: dict[str, object], words: str) -> None:
    assert event_line(order(), event(2, **fields), NOW).split("order 101  ")[1] == words  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-3, "0 s"),
        (59.4, "59 s"),
        (59.9, "1 min"),
        (359.98, "6 min"),
        (60, "1 min"),
        (200, "3 min 20 s"),
        (3600, "1 h"),
        (3900, "1 h 5 min"),
    ],
)
def test_durations_have_at_most_two_units(seconds: float, words: str) -> None:
    assert duration_words(seconds) == words
