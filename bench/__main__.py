"""Measure and write bench/results, docs/figures.md and its plots: `make bench`, or `python -m bench --only held`."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path

import rich_click as click
from rich.console import Console

from bench import nchan367, report
from bench.contenders import Skipped, cores_apart, pin_generator
from bench.machine import QUIET_PERCENT, Noise, machine
from bench.measures.load import QUICK, Figures, Size
from bench.plan import MEASUREMENTS, contenders
from bench.progress import say
from bench.results_store import Results
from ordertrack.load import CannotLoad

RESULTS = Results(Path(__file__).parent / "results")
ISSUE = nchan367.NAME


@click.command()
@click.option("--only", type=click.Choice([*MEASUREMENTS, ISSUE]), multiple=True, help="Measurement; repeatable.")
@click.option("--contender", "chosen", type=click.Choice(list(contenders())), multiple=True, help="Server; repeatable.")
@click.option("--quick", is_flag=True, help="Small sizes, to try the measurements; write no results.")
@click.option("--report-only", is_flag=True, help="Measure nothing; write the documents from existing results.")
def main(only: tuple[str, ...], chosen: tuple[str, ...], quick: bool, report_only: bool) -> None:
    """Measure ordertrack and its peers on this machine, one after another, under the same load."""
    console = Console(highlight=False)
    if not report_only:
        _measure_all(console, only or (*MEASUREMENTS, ISSUE), chosen, QUICK if quick else Size())
    if not quick:
        report.write(RESULTS, console)
        nchan367.write(RESULTS)


def _measure_all(console: Console, names: tuple[str, ...], chosen: tuple[str, ...], size: Size) -> None:
    where, run = machine(), datetime.now(UTC).isoformat(timespec="milliseconds")
    console.print(" · ".join(f"{name} {value}" for name, value in where.items()))
    if not cores_apart():
        console.print("[bold red]Server and generator cannot have a core each: the figures will be noisy.")
    pin_generator()
    skipped: dict[str, str] = {}
    for at, name in enumerate(names, start=1):
        started_s = time.monotonic()
        if name == ISSUE:
            console.print(f"[bold][{at}/{len(names)}] nchan's issue #367")
            results = nchan367.measure(size, lambda text: console.print(f"  {text}"))
        else:
            console.print(f"[bold][{at}/{len(names)}] {MEASUREMENTS[name].title}")
            results = _measure(console, name, chosen, size, skipped)
        console.print(f"  took {time.monotonic() - started_s:.0f} s")
        if not size.quick and results:
            RESULTS.write(name, run, where, results, keep=bool(chosen) and name != ISSUE)
    for who, why in skipped.items():
        console.print(f"[bold red]SKIPPED {who}: {why}")


def _measure(
    console: Console, name: str, chosen: tuple[str, ...], size: Size, skipped: dict[str, str]
) -> dict[str, Figures]:
    measurement, servers = MEASUREMENTS[name], contenders()
    results: dict[str, Figures] = {}
    for who in measurement.who:
        if (chosen and who not in chosen) or who in skipped:
            continue
        say(who)
        noise = Noise()
        try:
            results[who] = measurement.measure(servers[who], size) | {"others_cpu_percent": noise.percent()}
        except Skipped as reason:
            skipped[who] = str(reason)
            console.print(f"  [bold red]SKIPPED {who}: {reason}")
            continue
        except (CannotLoad, OSError) as error:
            console.print(f"  [bold red]FAILED {who}: {error}")
            continue
        console.print(f"  {who}: " + ", ".join(f"{key} {_shown(value)}" for key, value in results[who].items()))
        if noise.percent() > QUIET_PERCENT:
            console.print(f"  [bold red]NOT QUIET: other programs used {noise.percent()} % of this machine")
    return results


def _shown(value: object) -> str:
    return f"{value:,}" if isinstance(value, int | float) else str(value)


if __name__ == "__main__":
    main()
