"""Write docs/figures.md and its plots from bench/results."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench import requirements, svg
from bench.plan import MEASUREMENTS
from bench.results_store import Entries, Results

DOCS = Path(__file__).parents[1] / "docs"
PLOTS = {
    "held": ("Private memory of a held poll", "B", "bytes_per_held_poll"),
    "wakes-single": ("Wake-ups a second on one core, single updates", "/s", "wakeups_per_s"),
    "latency": ("One update until all ten polls are answered, p99", "ms", "p99_ms"),
}
HEAD = """# Figures

Written by `make bench` from `bench/results/*.json`; `make bench` measures them again, here or on your machine
(about half an hour, ten minutes of it for the soak test). Peers run one after another on the same core as ordertrack,
under the same load.

"""
HOW = """## How it is measured

* The load generator is `ordertrack.load`, the same as `ordertrack bench URL`: one process, one epoll, no
  threads. It checks every answer while it measures: the right order, exactly the next version, no poll answered twice
  or without an update, no poll missing. `wrong`, `missing` and `late` (more than 2 s after the update was sent) must
  be 0.
* Server and generator have a core each. `generator_cpu_us` is the CPU time of the generator per wake-up: where
  `server_busy_percent` is well below 100, the round trip between the two is the limit, not the server.
* Memory is the growth of private memory (USS) of the server process per poll, from warm and idle to all polls held;
  for nginx, of its worker with its part of the shared zone. No figure includes the kernel memory of sockets or the
  memory that nginx reserves for connections at its start.
* "Wake-ups, single updates": one PUT (nchan: POST) after another on one connection, each for another order, until
  every poll was answered once; then all are sent again, which the figure excludes. "Wake-ups, and every poll is sent
  again" includes it.
* nchan gets a message of 1,300 bytes per update, about as long as an answer of ordertrack, and keeps it in memory. It
  has no orders, no history beyond its buffer, and nothing on disk. Only the `durable` contender survives a power cut.
* CPU time is what the kernel accounts to the process. It excludes the interrupts of loopback traffic, for all alike.
* `others_cpu_percent` is the CPU use of other programs during the measurement. Above 5 the figures of that column are
  unreliable.
* FastAPI and Flask are small servers (`bench/peers`) that do the same in memory with what the framework offers.

## Your own server

Start a server with a separate data folder, then hold a thousand polls and wake each of them four times:

```bash
ordertrack bench http://127.0.0.1:5001 --polls 1000 --orders 100 --json
```

It exits with status 1 when an answer was wrong, late or missing. `python -m bench --only latency` makes one of the
measurements, `--contender nchan` measures one server, `--quick` tries all with small numbers and writes nothing.
`ORDERTRACK_BENCH_COMMAND` selects another version of ordertrack.

## Not measured

More than one machine, TLS, a proxy in front, real networks, more than 18,000 polls (the limit here is 20,000 open
files), nchan with Redis. Other load on the host of a virtual machine affects every figure.
"""


def write(results: Results, console: Console) -> None:
    rows = requirements.rows(results)
    table = Table("Requirement", "Bound", "Measured", "Met", title="Requirements", title_justify="left")
    for row in rows:
        table.add_row(*row, style="" if row.verdict == "yes" else "bold red")
    console.print(table)
    parts = [HEAD, _table(("Requirement", "Bound", "Measured", "Met"), [tuple(row) for row in rows])]
    for name, measurement in MEASUREMENTS.items():
        if entries := results.entries(name):
            parts.append(f"\n## {measurement.title}\n\n{_plot(name, entries)}{_figures(entries)}")
    parts.append("\n" + HOW)
    (DOCS / "figures.md").write_text("".join(parts), encoding="utf-8")
    console.print("written to docs/figures.md")


def _plot(name: str, entries: Entries) -> str:
    if name not in PLOTS:
        return ""
    title, unit, key = PLOTS[name]
    values = {who: entry["figures"][key] for who, entry in entries.items() if entry["figures"].get(key) is not None}
    folder = DOCS / "figures"
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.svg").write_text(svg.bars(title, unit, values, ours="ordertrack"), encoding="utf-8")
    return f"![{title}](figures/{name}.svg)\n\n"


def _figures(entries: Entries) -> str:
    """Return a table with a column per contender, then the place and date of each measurement."""
    keys = list(dict.fromkeys(key for entry in entries.values() for key in entry["figures"]))
    rows = [(key, *(_shown(entry["figures"].get(key)) for entry in entries.values())) for key in keys]
    places = dict.fromkeys(_place(entry["machine"]) for entry in entries.values())
    return _table(("", *entries), rows) + "\n" + "\n".join(places) + "\n"


def _place(machine: dict[str, Any]) -> str:
    return (
        f"{machine['date']}, {machine['cpu']}, {machine['cores']} cores, {machine['system']}, TCP {machine['tcp']}, "
        f"Python {machine['python']}, ordertrack {machine['ordertrack']}, {machine['peers']}; "
        f"load average before: {machine['load_before']}."
    )


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _shown(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, dict):
        return "; ".join(f"{count} × {what}" for what, count in value.items()) or "0"
    return f"{value:,}"
