"""`make bench`, or `python -m bench --only held`: measure, print a table, write bench/results/NAME.json."""

from __future__ import annotations

import asyncio
import json
import resource
from dataclasses import asdict
from pathlib import Path
from typing import Any

import rich_click as click
from rich.console import Console
from rich.table import Table

from bench import held, updates
from bench.machine import machine

MEASUREMENTS = {"held": held.measure, "updates": updates.measure}
RESULTS = Path(__file__).parent / "results"


@click.command()
@click.option(
    "--only", type=click.Choice(list(MEASUREMENTS)), multiple=True, help="Measure just this; may be repeated."
)
def main(only: tuple[str, ...]) -> None:
    """Measure the server on this machine."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    console = Console()
    where = machine()
    console.print(" · ".join(f"{name} {value}" for name, value in where.items()))
    RESULTS.mkdir(exist_ok=True)
    for name in only or MEASUREMENTS:
        console.print(f"measuring {name} ...")
        measure: Any = MEASUREMENTS[name]
        figures = asdict(asyncio.run(measure()))
        table = Table("Figure", "Value", title=name, title_justify="left")
        for figure, value in figures.items():
            table.add_row(figure, f"{value:,}")
        console.print(table)
        path = RESULTS / f"{name}.json"
        path.write_text(json.dumps({"machine": where, "figures": figures}, indent=2) + "\n", encoding="utf-8")
        console.print(f"written to {path}")


if __name__ == "__main__":
    main()
