"""docs/figures.md and its plots, written from bench/results: nothing in it that was not measured."""

from __future__ import annotations

from collections.abc import Sequence
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
(80 minutes by estimate, ten of them the soak: the whole has not been timed). Peers run one after another on
the same core as ours, under the same load. A row beside a peer is judged only by figures of the same run.

## The usual case

One phone per order, orders spread over 10,000 customers, 1,000 restaurants and 2,000 couriers.

"""
SEVERAL_NODES = """
## Several nodes

Nodes on PostgreSQL (fsync on) and Redis. The peer is the same job built with FastAPI, SQLAlchemy, PostgreSQL and Redis
pub/sub. `docs/scale.md` calculates from these figures what more customers would need.

"""
HOW = """## How it is measured

* The load generator is `ordertrack.load`, the same as `ordertrack bench URL`: one process, one epoll, no
  threads. It checks every answer while it measures: the right order, exactly the next version, no poll answered
  twice or without a change, no poll left unanswered. `wrong`, `missing` and `late` (more than 2 s after the update was
  sent) must be 0.
* Orders are spread over customers, restaurants and couriers in every measurement, and updated in a random order, the
  same in each run.
* Server and generator have a core each. `generator_cpu_us` is the generator's own CPU per wake-up. Where
  `server_busy_percent` is well below 100, the limit is the round trip between the two, not the server.
* `bytes_per_held_poll` is the growth of private memory (USS) of the server process, nginx's worker with its part of
  the shared zone, from warm and idle to all polls held, a poll. `bytes_per_poll_and_order` is the growth from the
  server as started, with no orders: it includes the orders it caches. No figure includes the memory of the kernel's
  sockets or the memory that nginx reserves for connections at startup.
* `cpu_us_to_park` includes accepting the connection. `cpu_us_to_repoll` is the CPU of the re-polls alone: first all
  polls are woken, then all are sent again. With tokens, each phone has one of its own, which the server has seen once;
  `cpu_us_of_first_poll` is that of a poll, answered at once, whose token it has not seen.
* "Wake-ups, single updates": one PUT (nchan: POST) after another on one connection, each for another order, until
  every poll was answered once; then all poll again, which this figure does not include. "Wake-ups with
  re-polls" includes it.
* "Updates at fixed times" is an open loop: updates are sent at fixed times over 32 connections and do not wait for
  answers, and the time of one is counted from its scheduled time until the last of its ten polls is answered. The
  highest rate, of 200 to 3,000 updates/s, is found by bisection, in steps of 100 and five seconds each. Orders that end
  are replaced by new ones. `server_says_...` is `wake_latency_ms` of the server's statistics, which starts when
  the server has read the update: the time that the update waits to be read is missing in it.
* `written_bytes_per_update` is `write_bytes` of `/proc/PID/io`: what the server wrote to its files, checkpoints
  included.
* Lists and the snapshot read a database that the measurement writes with the store's own schema: each order has two
  events. The lists' restaurant has a fifth of the ended orders. `..._among_few_ms` is the same list
  among 10,000 ended orders instead of a million.
* "Phones come back": the server is killed with SIGKILL while it holds all polls and its WAL is large; `ready_s` is the
  time from starting it again until it listens, which includes recovery, then all phones connect as fast as the
  generator can. The time until all are held starts when it listens.
* nchan gets a message of 1,300 bytes per update, about as long as an answer of ordertrack, and keeps it in memory. It
  has no orders, no history beyond its buffer, and nothing on disk: only the `durable` rows of ordertrack survive a
  power failure.
* The C loop only reads requests and writes answers of the same length: it is the floor of what a server of one thread
  needs. "C loop, fdatasync" also writes to a file and syncs it once per update.
* CPU is the time that the kernel accounts to the process. Interrupts of loopback traffic are not accounted to any
  process, for all servers alike.
* `others_cpu_percent` is the CPU that other programs used meanwhile. Above 5 the machine was not idle, and the figures
  of that column are unreliable.
* FastAPI and Flask are small servers in `bench/peers` that do the same in memory with the framework's own means. "SSE
  on uvicorn" and "SSE on granian" are one FastAPI server with Starlette's `StreamingResponse`, at most 10,000 streams:
  each client holds a stream that stays open, so nothing is sent again. granian's figures include its main process.
* Nodes of a cluster share the first core; PostgreSQL and Redis run on both cores, beside the generator. "FastAPI and
  SQLAlchemy, Redis" is one node of `bench/peers/fastapi_cluster_server.py`: an update is one transaction, the new state
  is published to the channel of the order, and a wake-up needs no query. CPU and memory are those of the node.
* "From a commit on one node": polls on one node, updates on the other at fixed times; `p99_ms` is from the answer to
  the update, which follows its commit, to the answer to the poll (0 when that came first); `from_request_p99_ms` from
  the time at which the update was due.
* "CPU of a node for updates of others": the CPU time of all threads of the node while another gets 500 updates/s of
  orders that no poll waits for, less that of as many seconds without updates. First the node is subscribed to nothing,
  then it holds polls of 3,000 other orders and is subscribed to every partition.
* "A node of three is killed": SIGKILL; its clients follow PROTOCOL.md: back off with full jitter from 1 s, then poll
  one of the other nodes, by turns, with the cursor they have. Updates go on meanwhile; then each order gets one more,
  which must wake its poll. `late_meanwhile` counts answers 2 s after their update, the time of backing off included.
* nchan runs from Debian's packages. Only the path of a temporary folder in its module is changed, because it cannot be
  configured.

## Your own server

Start one with a data folder of its own, then hold a thousand polls and wake each of them four times:

```bash
ordertrack bench http://127.0.0.1:5001 --polls 1000 --orders 100 --json
```

It ends with status 1 when an answer was wrong, late or missing. Of `make bench`, `python -m bench --only latency`
makes one measurement, `--contender nchan` one column, `--quick` tries it all with small numbers and writes nothing.
`ORDERTRACK_BENCH_COMMAND` measures another version of ordertrack instead.

## What was not measured

More than one machine, TLS, a proxy in front, real networks, more than 18,000 polls (the limit here is 20,000 open
files), nchan with Redis. Every figure includes the influence of other virtual machines on the same host.
"""


def write(results: Results, console: Console) -> None:
    usual, others, several = (
        requirements.rows(bounds, results)
        for bounds in (requirements.USUAL, requirements.OTHERS, requirements.SEVERAL_NODES)
    )
    for title, rows in (("The usual case", usual), ("Other bounds", others), ("Several nodes", several)):
        table = Table("Wanted", "Bound", "Seen", "Met", title=title, title_justify="left")
        for row in rows:
            table.add_row(*row, style="" if row.verdict == "yes" else "bold red")
        console.print(table)
    parts = [HEAD, _bounds(usual), "\n## Other bounds\n\nTen polls per order, or no polls.\n\n", _bounds(others)]
    parts += [SEVERAL_NODES, _bounds(several)]
    for name, measurement in MEASUREMENTS.items():
        if entries := results.entries(name):
            parts.append(f"\n## {measurement.title}\n\n{_plot(name, entries)}{_figures(entries)}")
    parts.append("\n" + HOW)
    (DOCS / "figures.md").write_text("".join(parts), encoding="utf-8")
    console.print("written to docs/figures.md")


def _bounds(rows: list[requirements.Row]) -> str:
    return markdown_table(("Wanted", "Bound", "Seen", "Met"), [tuple(row) for row in rows])


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
    """A table with a column a contender, then the machine and the date; of each run, when there are several."""
    keys = list(dict.fromkeys(key for entry in entries.values() for key in entry["figures"]))
    rows = [(key, *(_shown(entry["figures"].get(key)) for entry in entries.values())) for key in keys]
    by_run: dict[str, list[str]] = {}
    for who, entry in entries.items():
        by_run.setdefault(_place(entry["machine"]), []).append(who)
    lines = by_run if len(by_run) == 1 else [f"* {'; '.join(who)}: {place}" for place, who in by_run.items()]
    return markdown_table(("", *entries), rows) + "\n" + "\n".join(lines) + "\n"


def _place(machine: dict[str, Any]) -> str:
    return (
        f"{machine['date']}, {machine['cpu']}, {machine['cores']} cores, {machine['system']}, TCP {machine['tcp']}, "
        f"Python {machine['python']}, ordertrack {machine['ordertrack']}, {machine['peers']}."
    )


def markdown_table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _shown(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, dict):
        return "; ".join(f"{count} × {what}" for what, count in value.items()) or "0"
    return f"{value:,}"
