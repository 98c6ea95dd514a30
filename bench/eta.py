"""Back-test the windows of arrival on simulated histories: `python -m bench.eta`, or `make eta`.

Orders come in order of time. A window is asked for with what was delivered before it: at creation, at each change of
status, and for the row "while waiting" every ten minutes after it. `--write` writes docs/eta.md, its plot and
bench/results.
"""

from __future__ import annotations

import json
import time
import tracemalloc
from collections.abc import Sequence
from datetime import UTC, datetime
from operator import attrgetter
from pathlib import Path
from statistics import fmean
from typing import Any

import msgspec
import rich_click as click

from bench import svg
from bench.back_test import MINUTE_MS, Case, back_test, equal_tails, narrowest, score
from bench.histories import DAYS, KINDS, ORDERS_PER_DAY, Kind, simulate
from bench.machine import Noise, machine
from bench.measures.load import Figures
from bench.plan import ETA, GATE
from bench.progress import say
from bench.report import markdown_table
from bench.results_store import Results
from ordertrack.core.eta.estimator import STAGES, ArrivalEstimator, Tuning
from ordertrack.core.event import Status
from ordertrack.core.order import Order

RESULTS = Results(Path(__file__).parent / "results")
TEMPLATE = Path(__file__).with_name("eta_template.md")
DOCS = Path(__file__).parents[1] / "docs"
SEEDS = (11, 12, 13, 14, 15)
TUNING_SEEDS = (1, 2, 3)
"""The constants of the estimator were chosen with these."""
FIRST_ORDERS = 20
RESTAURANTS_IN_MEMORY = 20
KIND_ROW = "restaurants: "
PARTS = {
    "without the factor of the hour": Tuning(hour_effect=(0.0,) * len(STAGES)),
    "without correction by results": Tuning(gain=0),
    "all kept orders of equal weight": Tuning(memory_orders=1e9),
}
"""Estimators without one of the parts."""


def groups(cases: Sequence[Case]) -> dict[str, list[Case]]:
    """Return the cases of each row of the table; the windows that are asked for again are in one row only."""
    changes = [case for case in cases if not case.is_again]
    return {
        "all": changes,
        **{f"{KIND_ROW}{kind}": [case for case in changes if case.kind == kind] for kind in KINDS},
        **{f"window at: {status}": [case for case in changes if case.status is status] for status in STAGES},
        **{
            f"with {first} to {last - 1} orders delivered before": [
                case for case in changes if first <= case.known < last
            ]
            for first, last in ((0, 2), (2, 5), (5, FIRST_ORDERS))
        },
        f"with {FIRST_ORDERS} or more": [case for case in changes if case.known >= FIRST_ORDERS],
        "while waiting, every ten minutes": [case for case in cases if case.is_again],
    }


def group_rows(cases: Sequence[Case]) -> list[dict[str, object]]:
    """Return the rows: the windows, beside (a) fixed times with factors from hindsight and (b) as configured."""
    rows: list[dict[str, object]] = []
    by_group = groups(cases)
    factors = equal_tails(by_group["all"], score(by_group["all"]).covered)
    for name, group in by_group.items():
        ours, fixed, plain = score(group), factors.apply(group), score(group, attrgetter("configured"))
        rows.append(
            {"group": name, **ours._asdict(), "fixed_covered": fixed.covered, "fixed_width": fixed.width}
            | {"configured_covered": plain.covered, "configured_width": plain.width}
        )
    return rows


def summary_row(cases: Sequence[Case]) -> dict[str, Any]:
    """Return the scores of all restaurants together, and how much narrower the windows are than those from fixed times
    of the same coverage: (a) with equal shares before and after, as ours, and (a') the narrowest of any shares."""
    changes = [case for case in cases if not case.is_again]
    ours = score(changes)
    by_kind = [score([case for case in changes if case.kind == kind]).covered for kind in KINDS]
    fixed, least = (fit(changes, ours.covered).apply(changes).width for fit in (equal_tails, narrowest))
    return {
        **ours._asdict(),
        "least_covered_kind": min(by_kind),
        "most_covered_kind": max(by_kind),
        "fixed_width": fixed,
        "narrower": 100 * (1 - ours.width / fixed),
        "narrowest_fixed_width": least,
        "narrower_than_narrowest": 100 * (1 - ours.width / least),
        "rush_width": score([case for case in changes if case.kind == "rush hours"]).width,
    }


def call_times(orders: Sequence[Order]) -> dict[str, float]:
    """Return microseconds of CPU per call, with full histories."""
    by_delivery = sorted(
        (order for order in orders if order.status is Status.DELIVERED), key=lambda order: order.updated_at_ms
    )
    estimator = ArrivalEstimator()
    half = len(by_delivery) // 2
    for order in by_delivery[:half]:
        estimator.learn(order)
    started_s = time.process_time()
    for order in by_delivery[half:]:
        estimator.learn(order)
    learned_s = time.process_time()
    for order in by_delivery:
        estimator.window(order.restaurant_id, Status.PREPARING, order.created_at_ms, order.created_at_ms + MINUTE_MS)
    asked_s = time.process_time()
    return {
        "learn_us": 1e6 * (learned_s - started_s) / (len(by_delivery) - half),
        "window_us": 1e6 * (asked_s - learned_s) / len(by_delivery),
    }


GROUP_HEAD = {
    "group": "",
    "cases": "windows",
    "covered": "covered %",
    "before": "arrived before %",
    "after": "after %",
    "width": "width, min",
    "fixed_covered": "(a) covered %",
    "fixed_width": "(a) width",
    "configured_covered": "(b) covered %",
    "configured_width": "(b) width",
}
SUMMARY_HEAD = {
    "name": "",
    "covered": "covered %",
    "least_covered_kind": "least of a kind",
    "most_covered_kind": "most of a kind",
    "width": "width, min",
    "fixed_width": "(a) width",
    "narrower": "narrower than (a) by %",
    "narrowest_fixed_width": "(a') width",
    "narrower_than_narrowest": "than (a') by %",
    "rush_width": "width of rush hours",
}


def bytes_per_restaurant(orders: Sequence[Order]) -> float:
    """Return the memory of a restaurant with a full history."""
    name = f"usual/{max(ORDERS_PER_DAY)}"
    history = [order for order in orders if order.restaurant_id == name and order.status is Status.DELIVERED][:100]
    estimator = ArrivalEstimator()
    tracemalloc.start()
    for number in range(RESTAURANTS_IN_MEMORY):
        for order in history:
            estimator.learn(msgspec.structs.replace(order, restaurant_id=f"{number}"))
    used, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return used / RESTAURANTS_IN_MEMORY


def _markdown(rows: Sequence[dict[str, Any]], head: dict[str, str]) -> str:
    return markdown_table(tuple(head.values()), [tuple(_shown(row[key]) for key in head) for row in rows])


def _shown(value: object) -> str:
    return f"{value:.1f}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)


def figures_of(seeds: Sequence[int]) -> dict[str, Any]:
    """Return the tables, and the figures of all seeds together."""
    cases: list[Case] = []
    by_seed: list[dict[str, Any]] = []
    for seed in seeds:
        orders = simulate(seed)
        of_seed = back_test(orders, ArrivalEstimator())
        by_seed.append({"name": f"seed {seed}", **summary_row(of_seed)})
        cases += of_seed
        say(f"seed {seed}: {len(orders):,} orders, {by_seed[-1]['covered']:.1f} % covered")
    by_part: list[dict[str, Any]] = []
    for name, tuning in PARTS.items():
        by_part.append({"name": name, **summary_row(back_test(orders, ArrivalEstimator(tuning=tuning)))})
        say(f"seed {seed}, {name}: {by_part[-1]['covered']:.1f} % covered")
    return {
        "by_group": group_rows(cases),
        "by_seed": by_seed,
        "by_part": [{**by_seed[-1], "name": "the estimator"}, *by_part],
        "summary": {
            "orders_per_seed": len(orders),
            "covered_percent": score(groups(cases)["all"]).covered,
            "least_covered_percent": min(row["covered"] for row in by_seed),
            "most_covered_percent": max(row["covered"] for row in by_seed),
            "narrower_percent": fmean(row["narrower"] for row in by_seed),
            "narrower_than_narrowest_percent": fmean(row["narrower_than_narrowest"] for row in by_seed),
            **call_times(orders),
            "restaurant_kb": bytes_per_restaurant(orders) / 1000,
        },
    }


def tables(found: dict[str, Any]) -> dict[str, str]:
    """Return the tables in Markdown."""
    heads = {"by_group": GROUP_HEAD, "by_seed": SUMMARY_HEAD, "by_part": SUMMARY_HEAD}
    return {name: _markdown(found[name], head) for name, head in heads.items()}


def write(found: dict[str, Any], others_cpu_percent: float) -> None:
    """Write the document, its plot and the results."""
    where = machine()
    figures: Figures = {name: round(value, 1) for name, value in found["summary"].items()} | {
        "others_cpu_percent": others_cpu_percent
    }
    RESULTS.write(ETA, datetime.now(UTC).isoformat(timespec="milliseconds"), where, {GATE: figures}, keep=False)
    covered = {
        f"{who}: {row['group'].removeprefix(KIND_ROW)}": round(row[key], 1)
        for row in found["by_group"]
        if row["group"].startswith(KIND_ROW)
        for who, key in (("history", "covered"), ("fixed times (a)", "fixed_covered"))
    }
    plot = svg.bars("Orders that arrive in their window, by kind of restaurant", "%", covered, ours="history")
    (DOCS / "figures" / "eta.svg").write_text(plot, encoding="utf-8")
    text = TEMPLATE.read_text(encoding="utf-8").format(
        **tables(found),
        **found["summary"],
        seeds=", ".join(row["name"].removeprefix("seed ") for row in found["by_seed"]),
        tuning_seeds=", ".join(map(str, TUNING_SEEDS)),
        kinds=markdown_table(
            ("", *Kind._fields), [(name, *(f"{value:g}" for value in kind)) for name, kind in KINDS.items()]
        ),
        days=DAYS,
        per_day=", ".join(map(str, ORDERS_PER_DAY)),
        place=f"{where['date']}, {where['cpu']}, {where['cores']} cores, Python {where['python']}",
        others=others_cpu_percent,
    )
    (DOCS / "eta.md").write_text(text, encoding="utf-8")


@click.command()
@click.option("--seed", "seeds", type=int, multiple=True, default=SEEDS, help="Of a simulated history; repeatable.")
@click.option("--tuning", is_flag=True, help="Use the seeds with which the constants of the estimator were chosen.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
@click.option("--write", "is_written", is_flag=True, help="Write docs/eta.md, its plot and bench/results.")
def main(seeds: tuple[int, ...], tuning: bool, as_json: bool, is_written: bool) -> None:
    """Back-test the windows of arrival on simulated histories."""
    noise = Noise()
    found = figures_of(TUNING_SEEDS if tuning else seeds)
    if as_json:
        print(json.dumps(found, indent=2))
    else:
        print("\n".join(tables(found).values()))
        print("\n".join(f"{name}: {_shown(value)}" for name, value in found["summary"].items()))
    if is_written:
        write(found, noise.percent())


if __name__ == "__main__":
    main()
