"""Measure what clients send while they follow an order, and calculate what that costs the battery of a phone.

`python -m bench.battery` prints the tables; `--write` also writes bench/results/battery.json, docs/battery.md and
its figure. The requests are real and recorded in front of the server; the energy is calculated by `bench/radio.py`.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import rich_click as click

from bench import svg
from bench.machine import Noise, machine
from bench.measures.battery import Followed, Strategy, follow_all
from bench.measures.load import Figures
from bench.progress import say
from bench.radio import BATTERY_J, RADIOS, energy
from bench.report import markdown_table
from bench.requirements import Requirement, rows
from bench.results_store import Results

RESULTS = Results(Path(__file__).parent / "results")
TEMPLATE = Path(__file__).with_name("battery_template.md")
DOCS = Path(__file__).parents[1] / "docs"
NAME = "battery"

ORIGINAL = "original client"
LIVE, LIVE_NEXT = "live, hold ≤ 120 s, first order", "live, hold ≤ 120 s, next order"
LONG, LONG_NEXT = "live, hold ≤ 240 s, first order", "live, hold ≤ 240 s, next order"
CUT, CUT_NEXT = "live, path cuts at 60 s, first order", "live, path cuts at 60 s, next order"
SAVER, AUTO, HIDDEN = "saver", "auto, battery below 20 % from minute 16", "live, page visible 20 % of the time"

STRATEGIES = (
    Strategy((ORIGINAL,), client="original"),
    Strategy((LIVE, LIVE_NEXT)),
    Strategy((LONG, LONG_NEXT), hold_limit_s=240),
    Strategy((SAVER,), options={"mode": "saver"}),
    Strategy((AUTO,), options={"mode": "auto"}, phone={"low_battery_after_s": 990}),
    Strategy((HIDDEN,), phone={"visible_s": (50, 250)}),
    Strategy((CUT, CUT_NEXT), path_forgets_after_s=60),
)
CELLULAR = [name for name, radio in RADIOS.items() if radio.cellular]


def figures_of(order: Followed) -> Figures:
    """Return the figures of an order; energies in joules."""
    figures: Figures = {
        "requests": len(order.exchanges),
        "unanswered": sum(exchange.is_unanswered for exchange in order.exchanges),
        "late_mean_s": round(sum(order.late_s) / len(order.late_s), 2),
        "late_max_s": round(max(order.late_s), 2),
        "sent_bytes": sum(exchange.sent_bytes for exchange in order.exchanges),
        "received_bytes": sum(exchange.received_bytes for exchange in order.exchanges),
        "statuses": {str(status): count for status, count in order.statuses.items()},
    }
    for name, radio in RADIOS.items():
        spent = energy(radio, order.transmissions)
        figures |= {f"{name}_wakes": spent.wakes, f"{name}_j": round(spent.joules, 3)}
    return figures


def _share_of_original(who: str) -> Requirement:
    keys = tuple((NAME, each, f"{radio}_j") for radio in CELLULAR for each in (who, ORIGINAL))

    def shares(*joules: float) -> list[float]:
        return [ours / original for ours, original in zip(joules[::2], joules[1::2], strict=True)]

    return Requirement(
        f"{who}: energy beside the original client's, every cellular profile",
        "≤ 40 %",
        keys,
        lambda *joules: max(shares(*joules)) <= 0.4,
        lambda *joules: f"{min(shares(*joules)):.1%} to {max(shares(*joules)):.1%}",
    )


def _most(title: str, bound: str, who: str, figure: str, most: float, shown: Callable[[float], str]) -> Requirement:
    return Requirement(f"{who}: {title}", bound, ((NAME, who, figure),), lambda ours: ours <= most, shown)


def _requests(who: str) -> Requirement:
    return _most("requests", "≤ 20", who, "requests", 20, str)


def _late(who: str) -> Requirement:
    return _most("news late", "≤ 1 s", who, "late_max_s", 1, lambda ours: f"{ours:.2f} s")


GOALS = (
    *(goal(who) for who in (LIVE, LIVE_NEXT, LONG, LONG_NEXT) for goal in (_share_of_original, _requests, _late)),
    _most("lost polls", "≤ 2", CUT, "unanswered", 2, str),
)


def _tables(results: Results) -> dict[str, str]:
    """Return the tables of the document, by their names in the template."""
    figures = {who: entry["figures"] for who, entry in results.entries(NAME).items()}
    head = ("", "requests", "unanswered", "bytes sent, received", "wakes, LTE 2012", "news late: mean", "max")
    traffic = [
        (
            who,
            f"{seen['requests']}",
            f"{seen['unanswered']}",
            f"{seen['sent_bytes']:,}, {seen['received_bytes']:,}",
            f"{seen['lte_2012_wakes']}",
            f"{seen['late_mean_s']:,.2f} s",
            f"{seen['late_max_s']:,.2f} s",
        )
        for who, seen in figures.items()
    ]
    titles = ("", *(radio.title for radio in RADIOS.values()))
    joules = [(who, *(_joules(seen[f"{name}_j"]) for name in RADIOS)) for who, seen in figures.items()]
    shares = [(who, *(f"{seen[f'{name}_j'] / BATTERY_J:.2%}" for name in RADIOS)) for who, seen in figures.items()]
    return {
        "traffic": markdown_table(head, traffic),
        "joules": markdown_table(titles, joules),
        "shares": markdown_table(titles, shares),
        "goals": markdown_table(("Wanted", "Bound", "Seen", "Met"), [tuple(row) for row in rows(GOALS, results)]),
    }


def _joules(joules: float) -> str:
    return f"{joules:,.0f} J" if joules >= 10 else f"{joules:.1f} J"


def _radios() -> str:
    parts = [
        (
            radio.title,
            f"{radio.promotion.watts:g} W for {radio.promotion.seconds:g} s" if radio.promotion.seconds else "-",
            f"{radio.active.watts:g} W, {radio.active.seconds:g} s more",
            ", then ".join(f"{tail.watts:g} W for {tail.seconds:g} s" for tail in radio.tails),
            radio.source,
        )
        for radio in RADIOS.values()
    ]
    return markdown_table(("", "promotion", "while it transmits", "tail", "source"), parts)


def _write_documents(results: Results) -> None:
    entries = results.entries(NAME)
    first = entries[ORIGINAL]
    place = "{date}, {cpu}, {cores} cores, {system}, ordertrack {ordertrack}, Node {node}"
    text = TEMPLATE.read_text(encoding="utf-8").format(
        **_tables(results),
        radios=_radios(),
        machine=place.format_map(first["machine"]),
        speed=first["figures"]["speed"],
        delay_ms=10 * first["figures"]["speed"],
    )
    (DOCS / f"{NAME}.md").write_text(text, encoding="utf-8")
    plotted = {who: entries[who]["figures"] for who in (ORIGINAL, SAVER, LIVE_NEXT, LONG_NEXT)}
    series = {who: {radio.title: seen[f"{name}_j"] for name, radio in RADIOS.items()} for who, seen in plotted.items()}
    title = "Energy of a phone's radio for one order of 33 minutes"
    figure = svg.dots(title, "joules above idle (logarithmic)", series)
    (DOCS / "figures" / f"{NAME}.svg").write_text(figure, encoding="utf-8")


def measure(results: Results, speed: float) -> None:
    """Measure all strategies and write the results. Raises: Skipped, Disagreement."""
    orders = max(len(strategy.names) for strategy in STRATEGIES)
    say(f"{len(STRATEGIES)} clients follow {orders} orders at speed {speed:g}: {33 * orders / speed:.1f} minutes")
    node = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout.strip()
    where = machine() | {"node": node}
    noise = Noise()
    followed = follow_all(STRATEGIES, speed)
    run: Figures = {"speed": speed, "others_cpu_percent": noise.percent()}
    names = [name for strategy in STRATEGIES for name in strategy.names]
    results.write(
        NAME,
        datetime.now(UTC).isoformat(timespec="milliseconds"),
        where,
        {name: figures_of(followed[name]) | run for name in names},
        keep=False,
    )


def _print(results: Results, *, as_json: bool) -> None:
    if as_json:
        figures = {who: entry["figures"] for who, entry in results.entries(NAME).items()}
        goals = [row._asdict() for row in rows(GOALS, results)]
        print(json.dumps({"figures": figures, "goals": goals}, indent=2, ensure_ascii=False))
        return
    speed = results.figure(NAME, ORIGINAL, "speed")
    print(f"One order of 33 minutes, run at speed {speed:g} and scaled back. Energy of the radio above idle.")
    for table in _tables(results).values():
        print(f"\n{table}", end="")


@click.command()
@click.option("--speed", type=click.FloatRange(1, 60), default=10.0, help="Factor by which orders run faster.")
@click.option("--write", is_flag=True, help="Write bench/results/battery.json, docs/battery.md and its figure.")
@click.option("--report-only", is_flag=True, help="Measure nothing; write the documents from existing results.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def main(speed: float, write: bool, report_only: bool, as_json: bool) -> None:
    """Follow simulated orders with the SDK and the original client; calculate the energy of a phone's radio."""
    with TemporaryDirectory() as folder:
        results = RESULTS if write or report_only else Results(Path(folder))
        if not report_only:
            measure(results, speed)
        if write or report_only:
            _write_documents(results)
        _print(results, as_json=as_json)


if __name__ == "__main__":
    main()
