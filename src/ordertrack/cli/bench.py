"""`ordertrack bench`: put load on a server of this machine and report how it answered."""

from __future__ import annotations

from dataclasses import asdict

import rich_click as click
from rich.table import Table

from ordertrack.cli.numbers import WholeNumber
from ordertrack.cli.output import sent_token, token_options
from ordertrack.cli.terminal import EXIT_FAILED, EXIT_INTERRUPTED, end_refused, print_data, say, show
from ordertrack.load import CannotLoad, Report, run


@click.command()
@click.argument("url", default="http://127.0.0.1:5001")
@click.option("--polls", type=WholeNumber(1), default=1_000, show_default=True, help="Number of polls to hold.")
@click.option("--orders", type=WholeNumber(1), default=100, show_default=True, help="Number of orders to poll.")
@token_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
def bench(url: str, polls: int, orders: int, as_json: bool) -> None:
    """Put load on the server at URL: hold polls, wake each of them four times, and check every answer.

    The server must run on this machine. The command creates and delivers orders of customers, restaurants and couriers
    named `ordertrack-bench-...`, so use a server with a separate data folder, and an administrator's token if it
    requires tokens. Exits with status 1 when an answer was wrong, late or missing.
    """
    try:
        report = run(
            url,
            polls=polls,
            orders=orders,
            token=sent_token() or "",
            say=lambda text: say(f"{text} ...", err=True),
        )
    except (CannotLoad, ConnectionError) as error:
        end_refused("cannot_load", str(error), as_json)
    except KeyboardInterrupt:
        raise SystemExit(EXIT_INTERRUPTED) from None
    if as_json:
        print_data(asdict(report))
    else:
        _print(report)
    if not report.correct:
        raise SystemExit(EXIT_FAILED)


def _print(report: Report) -> None:
    table = Table.grid(padding=(0, 2, 0, 0))
    for name, value in _rows(report):
        table.add_row(name, value)
    show(table)


def _rows(report: Report) -> list[tuple[str, str]]:
    per_poll = report.bytes_per_held_poll
    failures = [
        *(f"{count} × {what}" for what, count in report.wrong.items()),
        *([f"{report.missing} missing"] if report.missing else []),
        *([f"{report.late} late"] if report.late else []),
        *([f"{report.server_lost_wakeups} counted as lost by the server"] if report.server_lost_wakeups else []),
    ]
    return [
        ("Server", f"{report.server}, {report.store}, {report.url}"),
        ("Polls", f"{report.polls:,} on {report.orders:,} orders, connected in {report.connected_s} s"),
        (
            "Memory per held poll",
            "unknown" if per_poll is None else f"{per_poll:,} bytes without cached orders, reported by the server",
        ),
        ("Single updates", f"{report.single_updates_per_s:,}/s, {report.single_wakeups_per_s:,} wake-ups/s"),
        ("Bulk updates", f"{report.bulk_updates_per_s:,}/s, {report.bulk_wakeups_per_s:,} wake-ups/s"),
        (
            "From an update to its last answer",
            f"p50 {report.update_to_all_p50_ms} ms, p99 {report.update_to_all_p99_ms} ms",
        ),
        ("Answers checked", f"{report.answers:,}: " + ("; ".join(failures) or "all correct")),
        ("CPU time of this program", f"{report.generator_cpu_s} s"),
    ]
