"""Calculate what more customers need than one machine has, from figures that `make bench` measured.

`python -m bench.scale` prints the document, with `--write` it writes docs/scale.md. What is assumed and not measured
has a name in capitals below, or is an option. A cell is a cluster of its own: nodes, a PostgreSQL and a Redis server.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from heapq import heapify, heappop, heappush
from pathlib import Path
from typing import NamedTuple

import rich_click as click

from bench.plan import CLUSTER, GATE_DURABLE
from bench.report import markdown_table
from bench.requirements import FigureKey
from bench.results_store import Results

RESULTS = Results(Path(__file__).parent / "results")
TEMPLATE = Path(__file__).with_name("scale_template.md")
DOCUMENT = Path(__file__).parents[1] / "docs" / "scale.md"
CUSTOMERS = (10_000, 1_000_000, 50_000_000)

ORDER_S = 1_980
"""A customer waits 33 minutes: the times of PROTOCOL.md, 2.14."""
COMMITS_PER_ORDER = 6
"""Creation, courier, four statuses."""
WOKEN_PER_COMMIT = 3
"""The polls of the customer, the restaurant and the courier."""
FEEDS_PER_COMMIT = 4
"""The order, its customer, restaurant and courier: a message to a partition for each."""
ORDERS_PER_RESTAURANT, ORDERS_PER_COURIER = 10, 2
"""Orders under way for each, who hold a poll for all of them."""
HOLD_S = 114.0
"""Holds of 120 s end up to a tenth earlier."""
PARTITIONS = 256
SOCKET_BYTES = 4_000
"""Memory of the kernel for an idle connection."""
ANSWER_BYTES = 1_500
PROCESS_MB = 60
"""A node without polls."""
CONNECTIONS_PER_NODE = 10
DATABASE_CONNECTIONS = 500
"""Connections that PostgreSQL serves well; PgBouncer takes more."""
STORE_LIMIT_S = 10.0
"""After this a request that waits is answered 503 (PROTOCOL.md, 5.2)."""
DRAIN_S = 0.5
BACK_OFF_S, MAX_BACK_OFF_S = 1.0, 30.0
"""Full jitter, from the first to the last limit: the client rules of PROTOCOL.md."""
SEED = 12


class Constant(NamedTuple):
    """The first of `sources` that was measured is used. `assumed` is used when none was."""

    title: str
    unit: str
    sources: tuple[FigureKey, ...]
    assumed: float


CONSTANTS = {
    "poll_bytes": Constant(
        "Memory of a held poll and its order",
        "B",
        (("cluster-held", CLUSTER, "bytes_per_poll_and_order"), ("held-one", GATE_DURABLE, "bytes_per_poll_and_order")),
        3_000,
    ),
    "park_us": Constant(
        "CPU of a node to accept a connection, read the order and hold the poll",
        "µs",
        (("cluster-killed", CLUSTER, "cpu_us_to_hold"), ("held-one", GATE_DURABLE, "cpu_us_to_park")),
        100,
    ),
    "park_db_us": Constant(
        "CPU of PostgreSQL for that", "µs", (("cluster-killed", CLUSTER, "postgres_cpu_us_to_hold"),), 50
    ),
    "hold_us": Constant(
        "CPU of a node for a hold that times out and is polled again",
        "µs",
        (("cluster-timed-out", CLUSTER, "cpu_us_per_hold"), ("timed-out", GATE_DURABLE, "cpu_us_per_hold")),
        120,
    ),
    "hold_db_us": Constant(
        "CPU of PostgreSQL for that", "µs", (("cluster-timed-out", CLUSTER, "postgres_cpu_us_per_hold"),), 20
    ),
    "update_us": Constant(
        "CPU of a node for an update by PUT",
        "µs",
        (("cluster-updates", CLUSTER, "server_cpu_us"), ("updates-single", GATE_DURABLE, "server_cpu_us")),
        300,
    ),
    "update_db_us": Constant(
        "CPU of PostgreSQL for an update, and for the read of another node that answers with it",
        "µs",
        (("cluster-latency", CLUSTER, "postgres_cpu_us"),),
        400,
    ),
    "wake_us": Constant(
        "CPU of a node to hear of an update, read it, answer its poll and hold the next one",
        "µs",
        (("cluster-latency", CLUSTER, "second_node_cpu_us"), ("steady-one", GATE_DURABLE, "server_cpu_us")),
        300,
    ),
    "hint_us": Constant(
        "CPU of a node for an update that none of its polls waits for",
        "µs",
        (("cluster-idle-cpu", CLUSTER, "cpu_us_subscribed_busy"),),
        20,
    ),
    "hint_redis_us": Constant(
        "CPU of Redis for an update, two nodes subscribed",
        "µs",
        (("cluster-idle-cpu", CLUSTER, "redis_cpu_us_busy"),),
        20,
    ),
    "commits_per_s": Constant(
        "Updates by PUT of one node and PostgreSQL that share two cores",
        "/s",
        (("cluster-updates", CLUSTER, "updates_per_s"), ("updates-single", GATE_DURABLE, "updates_per_s")),
        2_000,
    ),
}


@dataclass(frozen=True)
class Given:
    """The values that a calculation starts from. `busy` is the share of a processor that may be used at the peak."""

    values: dict[str, float]
    polls_per_node: int
    database_cores: int
    busy: float

    def cpu_s(self, name: str) -> float:
        return self.values[name] / 1e6


@dataclass(frozen=True)
class Cell:
    """One cluster with this many waiting customers. Rates are per second."""

    given: Given
    customers: float

    @property
    def polls(self) -> float:
        return self.customers * (1 + 1 / ORDERS_PER_RESTAURANT + 1 / ORDERS_PER_COURIER)

    @property
    def nodes(self) -> int:
        """One more than hold all polls: a node may fail."""
        return max(3, 1 + math.ceil(self.polls / self.given.polls_per_node))

    @property
    def polls_of_node(self) -> float:
        return self.polls / self.nodes

    @property
    def commits(self) -> float:
        return self.customers * COMMITS_PER_ORDER / ORDER_S

    @property
    def timeouts(self) -> float:
        return self.polls / HOLD_S

    @property
    def subscribed(self) -> float:
        """Return the share of partitions that a node is subscribed to: nearly all, from about 1,000 polls on."""
        return 1 - math.pow(1 - 1 / PARTITIONS, self.polls_of_node)

    @property
    def messages(self) -> float:
        """Return the messages that Redis delivers: up to four feeds per update, to every node that is subscribed."""
        return self.commits * FEEDS_PER_COMMIT * self.nodes * self.subscribed

    @property
    def memory_gb(self) -> float:
        per_poll = self.given.values["poll_bytes"] + SOCKET_BYTES
        return (self.polls * per_poll + self.nodes * PROCESS_MB * 1e6) / 1e9

    @property
    def megabits(self) -> float:
        return (self.timeouts + self.commits * WOKEN_PER_COMMIT) * ANSWER_BYTES * 8 / 1e6

    @property
    def hint_cores(self) -> float:
        """Return the cores that each node uses for updates of the others."""
        return self.commits * self.subscribed * self.given.cpu_s("hint_us")

    @property
    def node_cores(self) -> float:
        """Return the cores that each node uses."""
        given = self.given
        of_all = self.commits * (given.cpu_s("update_us") + WOKEN_PER_COMMIT * given.cpu_s("wake_us"))
        return (of_all + self.timeouts * given.cpu_s("hold_us")) / self.nodes + self.hint_cores

    @property
    def redis_cores(self) -> float:
        return self.commits * self.subscribed * self.nodes / 2 * self.given.cpu_s("hint_redis_us")

    @property
    def database_cores(self) -> float:
        return self.commits * self.given.cpu_s("update_db_us") + self.timeouts * self.given.cpu_s("hold_db_us")

    @property
    def connections(self) -> int:
        return self.nodes * CONNECTIONS_PER_NODE


class Limit(NamedTuple):
    """`use` is 1 at the limit."""

    title: str
    bound: str
    use: Callable[[Cell], float]
    remedy: str


def limits(given: Given) -> tuple[Limit, ...]:
    share = f"{given.busy * 100:.0f} %"
    return (
        Limit(
            "Redis delivers every update to every node",
            f"{share} of its one thread",
            lambda cell: cell.redis_cores / given.busy,
            "cells; fewer and larger nodes; Redis Cluster with sharded channels",
        ),
        Limit(
            "Each node hears of every update",
            f"{share} of its core",
            lambda cell: cell.hint_cores / given.busy,
            "cells; send the polls of a partition to the same few nodes",
        ),
        Limit(
            "PostgreSQL commits and reads",
            f"{share} of {given.database_cores} cores",
            lambda cell: cell.database_cores / given.busy / given.database_cores,
            "cells; updates in bulk requests; a larger server",
        ),
        Limit(
            "Commits, as one node and PostgreSQL made them on two cores",
            f"{given.values['commits_per_s']:,.0f}/s",
            lambda cell: cell.commits / given.values["commits_per_s"],
            "a machine for PostgreSQL alone; updates in bulk requests; cells",
        ),
        Limit(
            "Connections to PostgreSQL",
            f"{DATABASE_CONNECTIONS}",
            lambda cell: cell.connections / DATABASE_CONNECTIONS,
            "PgBouncer; fewer and larger nodes",
        ),
    )


def customers_at(given: Given, limit: Limit) -> float:
    """Return the waiting customers of one cluster at which the limit is reached, by bisection."""
    low, high = 1.0, 1e10
    while high / low > 1.001:
        middle = math.sqrt(low * high)
        low, high = (middle, high) if limit.use(Cell(given, middle)) <= 1 else (low, middle)
    return low


def cell_size(given: Given) -> int:
    """Return the customers of the largest cell within all limits, one leading digit."""
    most = min(customers_at(given, limit) for limit in limits(given))
    unit = 10 ** math.floor(math.log10(most))
    return int(most // unit * unit)


class Storm(NamedTuple):
    """Polls that come back to one node. Times are in seconds."""

    polls: int
    half_s: float
    all_s: float
    most_waiting: int
    attempts: float


def storm(given: Given, cell: Cell, polls: int, first_s: Sequence[float]) -> Storm:
    """Simulate clients that poll a node at these times for the first time, one for each poll.

    The node serves them one after another, with the CPU time that its other work leaves and its share of PostgreSQL's.
    One that waits for too long is answered 503: its client backs off and tries again.
    """
    by_node = max(0.05, 1 - cell.node_cores) / given.cpu_s("park_us")
    by_database = max(0.05, given.database_cores - cell.database_cores) / given.cpu_s("park_db_us") / cell.nodes
    per_s = min(by_node, by_database)
    draw = random.Random(SEED)
    coming = [(at_s, number, 0) for number, at_s in enumerate(first_s)]
    heapify(coming)
    free_at_s, most_waiting, attempts = 0.0, 0, 0
    held_s: list[float] = []
    while coming:
        now_s, number, failures = heappop(coming)
        attempts += 1
        waiting = max(0, round((free_at_s - now_s) * per_s))
        if free_at_s - now_s > STORE_LIMIT_S:
            limit_s = min(MAX_BACK_OFF_S, BACK_OFF_S * 2 ** (failures + 1))
            heappush(coming, (now_s + draw.uniform(0, limit_s), number, failures + 1))
            continue
        most_waiting = max(most_waiting, waiting + 1)
        free_at_s = max(free_at_s, now_s) + 1 / per_s
        held_s.append(free_at_s)
    return Storm(polls, held_s[len(held_s) // 2], held_s[-1], most_waiting, attempts / polls)


def storms(given: Given, cell: Cell) -> Iterable[tuple[str, Storm]]:
    draw = random.Random(SEED)
    all_polls = round(cell.polls_of_node)
    share = math.ceil(cell.polls_of_node / (cell.nodes - 1))
    for title, polls, over_s in (
        ("one node is killed, clients back off with jitter", share, BACK_OFF_S),
        (f"one node is drained over {DRAIN_S} s", share, DRAIN_S),
        ("all connections break, clients back off with jitter", all_polls, BACK_OFF_S),
        ("all connections break, clients poll at once", all_polls, 0.0),
    ):
        yield title, storm(given, cell, polls, [draw.uniform(0, over_s) for _ in range(polls)])


def measured(results: Results) -> tuple[dict[str, float], str]:
    """Return the constants, and the table that says where each is from."""
    values: dict[str, float] = {}
    rows: list[tuple[str, ...]] = []
    for name, (title, unit, sources, assumed) in CONSTANTS.items():
        for measurement, who, key in sources:
            figure = results.figure(measurement, who, key)
            if figure is not None:
                values[name] = figure
                date = results.entries(measurement)[who]["machine"]["date"]
                rows.append((title, f"{figure:,} {unit}", f"`{measurement}`, {who}: `{key}`, {date}"))
                break
        else:
            values[name] = assumed
            rows.append((title, f"{assumed:,} {unit}", "assumed, not measured"))
    return values, markdown_table(("Constant", "Value", "From"), rows)


def needs(cells: Iterable[tuple[int, Cell]]) -> str:
    """Return the table of what so many cells need together."""
    columns = [
        (
            f"{count * cell.customers:,.0f}",
            f"{count:,}",
            f"{count * cell.polls:,.0f}",
            f"{count * cell.nodes:,}",
            f"{count * cell.memory_gb:,.1f} GB",
            f"{count * cell.commits:,.0f}/s",
            f"{count * cell.timeouts:,.0f}/s",
            f"{count * cell.megabits:,.0f} Mbit/s",
            f"{count * cell.messages:,.0f}/s",
            f"{cell.redis_cores:,.2f}",
            f"{cell.database_cores:,.2f}",
            f"{cell.connections:,}",
            f"{cell.node_cores:,.3f}",
            f"{cell.hint_cores:,.3f}",
        )
        for count, cell in cells
    ]
    names = (
        "clusters",
        "held polls",
        "nodes, each a process",
        "memory of the nodes and of their sockets",
        "PostgreSQL commits",
        "holds that time out",
        "answers",
        "messages that Redis delivers",
        "cores of each Redis",
        "cores of each PostgreSQL",
        "connections to each PostgreSQL",
        "cores of each node",
        "of these, for updates that no poll of the node waits for",
    )
    head, *rows = zip(("waiting customers", *names), *columns, strict=True)
    return markdown_table(head, rows)


def breaks(given: Given) -> str:
    """Return the table of limits, the first to be reached first."""
    found = sorted(((customers_at(given, limit), limit) for limit in limits(given)), key=lambda each: each[0])
    rows = [(limit.title, limit.bound, f"{_rounded(at):,}", limit.remedy) for at, limit in found]
    return markdown_table(("What", "Limit", "Reached at waiting customers", "Then"), rows)


def _rounded(value: float) -> int:
    """Return the value with two digits."""
    unit = 10 ** max(0, math.floor(math.log10(value)) - 1)
    return int(value // unit * unit)


def node_sizes(given: Given, customers: int) -> str:
    """Return the table of what larger nodes change, for this many customers."""
    rows: list[tuple[str, ...]] = []
    for polls in (given.polls_per_node, 50_000, 100_000):
        larger = replace(given, polls_per_node=polls)
        size = cell_size(larger)
        first = min(limits(larger), key=lambda limit: customers_at(larger, limit))
        count = math.ceil(customers / size)
        cell = Cell(larger, customers / count)
        rows.append(
            (
                f"{polls:,}",
                f"{size:,}",
                first.title,
                f"{count:,}",
                f"{count * cell.nodes:,}",
                f"{cell.memory_gb / cell.nodes:,.2f} GB",
                f"{cell.node_cores:,.2f}",
            )
        )
    head = (
        "Polls of a node",
        "Largest cell",
        "Its first limit",
        "Cells",
        "Nodes",
        "Memory of a node",
        "Cores of a node",
    )
    return markdown_table(head, rows)


def storm_table(given: Given, divided: Iterable[tuple[int, Cell]]) -> str:
    rows = [
        (
            f"{count * cell.customers:,.0f}: {count:,} × {cell.nodes} nodes",
            title,
            f"{seen.polls:,}",
            f"{seen.half_s:.2f} s",
            f"{seen.all_s:.2f} s",
            f"{seen.most_waiting:,}",
            f"{seen.attempts:.2f}",
        )
        for count, cell in divided
        for title, seen in storms(given, cell)
    ]
    head = ("Customers", "What", "Polls to each node", "Half held", "All held", "Most waiting", "Tries")
    return markdown_table(head, rows)


def document(given: Given, constants: str, customers: Sequence[int]) -> str:
    size = cell_size(given)
    one = [(1, Cell(given, each)) for each in customers]
    divided = [(math.ceil(each / size), Cell(given, each / math.ceil(each / size))) for each in customers]
    return TEMPLATE.read_text(encoding="utf-8").format(
        constants=constants,
        order_min=ORDER_S / 60,
        commits=COMMITS_PER_ORDER,
        per_million=Cell(given, 1e6).commits,
        woken=WOKEN_PER_COMMIT,
        of_restaurant=ORDERS_PER_RESTAURANT,
        of_courier=ORDERS_PER_COURIER,
        hold_s=HOLD_S,
        answer_bytes=ANSWER_BYTES,
        socket_bytes=SOCKET_BYTES,
        polls_per_node=given.polls_per_node,
        database_cores=given.database_cores,
        busy=given.busy * 100,
        one_cluster=needs(one),
        breaks=breaks(given),
        cell_size=size,
        cells=needs(divided),
        node_share=divided[-1][1].node_cores * 100,
        limit_s=STORE_LIMIT_S,
        node_sizes=node_sizes(given, max(customers)),
        most_customers=max(customers),
        storms=storm_table(given, divided),
    )


@click.command()
@click.option("--customers", type=click.IntRange(1), multiple=True, default=CUSTOMERS, help="Waiting; repeatable.")
@click.option("--polls-per-node", type=click.IntRange(100), default=18_000, help="Polls that a node holds at most.")
@click.option("--database-cores", type=click.IntRange(1), default=16, help="Cores of a PostgreSQL server.")
@click.option("--busy", type=click.FloatRange(0.05, 1), default=0.5, help="Share of a processor to use at the peak.")
@click.option("--write", is_flag=True, help="Write docs/scale.md instead of printing it.")
def main(customers: tuple[int, ...], polls_per_node: int, database_cores: int, busy: float, write: bool) -> None:
    """Calculate nodes, memory, messages, commits and reconnections for many waiting customers."""
    values, constants = measured(RESULTS)
    text = document(Given(values, polls_per_node, database_cores, busy), constants, customers)
    if write:
        DOCUMENT.write_text(text, encoding="utf-8")
    else:
        print(text)


if __name__ == "__main__":
    main()
