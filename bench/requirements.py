"""The required figures, and whether the results meet them.

A requirement with several figures, such as one beside a peer, is judged by figures of one run only: a figure of another
run may be of another machine.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from bench.machine import QUIET_PERCENT
from bench.measures import lists
from bench.plan import (
    C_LOOP,
    C_LOOP_FDATASYNC,
    CLUSTER,
    CLUSTER_NOTIFY,
    CLUSTER_PEER,
    ETA,
    GATE,
    GATE_DURABLE,
    GATE_TOKENS,
    NCHAN,
)
from bench.results_store import Results

NOT_MEASURED = "not measured"
FigureKey = tuple[str, str, str]
"""Measurement, contender, figure."""


class Requirement(NamedTuple):
    """A bound on figures: `met` and `shown` get the figures of `keys`, in order; `shown` formats them."""

    title: str
    bound: str
    keys: tuple[FigureKey, ...]
    met: Callable[..., bool]
    shown: Callable[..., str]


class Row(NamedTuple):
    title: str
    bound: str
    measured: str
    verdict: str


def _bound(meets: Callable[[float, float], bool], bound: float, unit: str) -> dict[str, Any]:
    return {"met": lambda ours: meets(ours, bound), "shown": lambda ours: f"{ours:,}{unit}"}


def _most(bounds: tuple[float, ...], unit: str) -> dict[str, Any]:
    return {
        "met": lambda *ours: all(map(operator.le, ours, bounds)),
        "shown": lambda *ours: " and ".join(f"{each:,}" for each in ours) + f" {unit}",
    }


def _ratio(least: float, peer_name: str = NCHAN) -> dict[str, Any]:
    return {
        "met": lambda ours, peer: ours >= least * peer,
        "shown": lambda ours, peer: f"{ours:,}/s, {peer_name} {peer:,}/s: {ours / peer:.2f} ×",
    }


def _wakeups(name: str, who: str, peer: str = NCHAN, peer_name: str | None = None) -> tuple[FigureKey, FigureKey]:
    return (name, who, "wakeups_per_s"), (peer_name or name, peer, "wakeups_per_s")


def _nothing_lost(lost: int, late: int, missing: int, wrong: dict[str, int]) -> bool:
    return not (lost or late or missing or wrong)


def _beside_peer(name: str, figure: str) -> tuple[FigureKey, FigureKey]:
    return (name, CLUSTER, figure), (name, CLUSTER_PEER, figure)


def _latency(who: str) -> tuple[FigureKey, ...]:
    return tuple(("cluster-latency", who, key) for key in ("p99_ms", "from_request_p99_ms", "answers", "updates_due"))


def _kept_up_within(most_ms: float) -> Callable[..., bool]:
    return lambda p99_ms, _, answers, due: p99_ms <= most_ms and answers == due


def _latency_shown(p99_ms: float, from_request_ms: float, answers: int, due: int) -> str:
    shown = f"{p99_ms:.1f} ms; {from_request_ms:.1f} ms from the request"
    return shown if answers == due else f"{shown}; only {answers:,} of {due:,} updates"


USUAL = (
    Requirement(
        "Private memory per held poll, 18,000 polls on 18,000 orders, SQLite",
        "≤ 620 B",
        (("held-one", GATE_DURABLE, "bytes_per_held_poll"), ("held-one", GATE_DURABLE, "bytes_per_poll_and_order")),
        lambda ours, _: ours <= 620,
        lambda ours, with_order: f"{ours:,} B; {with_order:,} B with its order",
    ),
    Requirement(
        "CPU to park, and to poll again after a wake",
        "≤ 22 and ≤ 16 µs",
        (("held-one", GATE_DURABLE, "cpu_us_to_park"), ("held-one", GATE_DURABLE, "cpu_us_to_repoll")),
        **_most((22, 16), "µs"),
    ),
    Requirement(
        "The same with a token per phone",
        "≤ 35 µs",
        (("held-one", GATE_TOKENS, "cpu_us_to_park"), ("held-one", GATE_TOKENS, "cpu_us_to_repoll")),
        **_most((35, 35), "µs"),
    ),
    Requirement(
        "CPU per timed-out and re-polled hold, 18,000 held for 30 s",
        "≤ 55 µs",
        (("timed-out", GATE_DURABLE, "cpu_us_per_hold"),),
        **_most((55,), "µs"),
    ),
    Requirement(
        "Wake-ups with re-polls, one per order",
        "≥ 0.7 × nchan",
        _wakeups("steady-one", GATE),
        **_ratio(0.7),
    ),
    Requirement(
        "Wake-ups with re-polls, ten per order",
        "≥ 0.7 × nchan",
        _wakeups("wakes-steady", GATE),
        **_ratio(0.7),
    ),
    Requirement(
        "Open loop, durable, 18,000 held, ten polls per update: highest rate with p99 ≤ 20 ms",
        "≥ 1,800/s",
        (("open-loop", GATE_DURABLE, "highest_updates_per_s"),),
        **_bound(operator.ge, 1_800, "/s"),
    ),
    Requirement(
        "Wake-ups, single PUTs one after another, memory store",
        "≥ 0.5 × a C loop that reads and writes the same bytes",
        _wakeups("wakes-single", GATE, C_LOOP),
        **_ratio(0.5, C_LOOP),
    ),
    Requirement(
        "Wake-ups, single PUTs one after another, durable",
        "≥ 0.65 × that C loop with one fdatasync per update",
        _wakeups("wakes-single", GATE_DURABLE, C_LOOP_FDATASYNC),
        **_ratio(0.65, C_LOOP_FDATASYNC),
    ),
    Requirement(
        "Durable updates by /status-updates in hundreds, 20,000 live orders",
        "≥ 20,000/s, and ≤ 10 kB written per update",
        (
            ("updates-bulk", GATE_DURABLE, "updates_per_s"),
            ("updates-bulk", GATE_DURABLE, "written_bytes_per_update"),
        ),
        lambda rate, written: rate >= 20_000 and written <= 10_000,
        lambda rate, written: f"{rate:,}/s, {written / 1000:.1f} kB",
    ),
    Requirement(
        "New orders by POST over 32 connections",
        "≥ 9,000/s",
        (("orders", GATE_DURABLE, "orders_per_s"),),
        **_bound(operator.ge, 9_000, "/s"),
    ),
    Requirement(
        "Lists that match nothing, at a million orders",
        "≤ 3 ms",
        tuple(("lists", GATE_DURABLE, f"{name}_ms") for name in lists.LISTS),
        **_most((3,) * len(lists.LISTS), "ms"),
    ),
    Requirement(
        "First snapshot of a restaurant with 5,000 active orders, all pages",
        "≤ 80 ms",
        (("lists", GATE_DURABLE, "all_pages_ms"),),
        **_most((80,), "ms"),
    ),
    Requirement(
        "1,000 watchers of one order, until all are woken and held again",
        "≤ 30 ms",
        (("watchers", GATE_DURABLE, "all_held_again_ms"),),
        **_most((30,), "ms"),
    ),
    Requirement(
        "18,000 phones come back after kill -9, until all are held; greatest time of /healthz meanwhile",
        "≤ 0.8 s and ≤ 100 ms",
        (("comeback", GATE_DURABLE, "all_held_s"), ("comeback", GATE_DURABLE, "healthz_max_ms")),
        lambda held_s, healthz_ms: held_s <= 0.8 and healthz_ms <= 100,
        lambda held_s, healthz_ms: f"{held_s:.2f} s, {healthz_ms:,} ms",
    ),
)
"""One phone per order, and orders spread over a city."""
OTHERS = (
    Requirement(
        "Private memory per held poll, 18,000 polls on 1,800 orders",
        "≤ 450 B, and ≤ 1/20 of nchan",
        (("held", GATE, "bytes_per_held_poll"), ("held", NCHAN, "bytes_per_held_poll")),
        lambda ours, peer: ours <= 450 and ours * 20 <= peer,
        lambda ours, peer: f"{ours:,} B, nchan {peer:,} B: 1/{peer / ours:.0f}",
    ),
    Requirement(
        "Private memory per held poll, with tokens",
        "≤ 550 B",
        (("held", GATE_TOKENS, "bytes_per_held_poll"),),
        **_bound(operator.le, 550, " B"),
    ),
    Requirement(
        "Wake-ups, bulk requests of 100",
        "≥ 1.2 × nchan, single messages",
        _wakeups("wakes-bulk", GATE, peer_name="wakes-single"),
        **_ratio(1.2),
    ),
    Requirement(
        "Wake-ups, single PUTs one after another, memory store",
        "≥ 0.9 × nchan",
        _wakeups("wakes-single", GATE),
        **_ratio(0.9),
    ),
    Requirement(
        "Wake-ups, single PUTs one after another, durable",
        "≥ 0.6 × nchan",
        _wakeups("wakes-single", GATE_DURABLE),
        **_ratio(0.6),
    ),
    Requirement(
        "One update → all 10 polls answered, p99, memory store",
        "≤ 2.5 × nchan",
        (("latency", GATE, "p99_ms"), ("latency", NCHAN, "p99_ms")),
        lambda ours, peer: ours <= 2.5 * peer,
        lambda ours, peer: f"{ours:.2f} ms, nchan {peer:.2f} ms: {ours / peer:.2f} ×",
    ),
    Requirement(
        "One update → all 10 polls answered, p99, durable",
        "≤ 5 ms more than nchan",
        (("latency", GATE_DURABLE, "p99_ms"), ("latency", NCHAN, "p99_ms")),
        lambda ours, peer: ours <= peer + 5,
        lambda ours, peer: f"{ours:.2f} ms, nchan {peer:.2f} ms: {ours - peer:+.2f} ms",
    ),
    Requirement(
        "Durable updates by PUT over 32 connections",
        "≥ 3,000/s",
        (("updates-single", GATE_DURABLE, "updates_per_s"),),
        **_bound(operator.ge, 3_000, "/s"),
    ),
    Requirement(
        "Polls answered at once (timeout=0), one core",
        "≥ 25,000/s",
        (("at-once", GATE, "answers_per_s"),),
        **_bound(operator.ge, 25_000, "/s"),
    ),
    Requirement(
        "CPU with 18,000 parked and nothing happening",
        "< 1 %",
        (("held", GATE, "idle_cpu_percent"),),
        **_bound(operator.lt, 1, " %"),
    ),
    Requirement(
        "Lost wake-ups in 10 minutes of random updates, re-polls and aborts, 18,000 polls",
        "0",
        tuple(("soak", GATE_DURABLE, key) for key in ("lost_by_the_server", "late", "missing", "wrong")),
        _nothing_lost,
        lambda lost, late, missing, wrong: f"lost {lost}, late {late}, missing {missing}, wrong {sum(wrong.values())}",
    ),
    Requirement(
        "Orders that arrive in their 80 % window, on simulated histories (docs/eta.md)",
        "78 to 84 %",
        ((ETA, GATE, "least_covered_percent"), (ETA, GATE, "most_covered_percent")),
        lambda least, most: least >= 78 and most <= 84,
        lambda least, most: f"{least:.1f} to {most:.1f} %, by seed",
    ),
    Requirement(
        "Width of that window, beside fixed stage times of the same coverage",
        "≥ 25 % narrower",
        ((ETA, GATE, "narrower_percent"), (ETA, GATE, "narrower_than_narrowest_percent")),
        lambda ours, _: ours >= 25,
        lambda ours, narrowest: f"{ours:.1f} %; {narrowest:.1f} % than the narrowest",
    ),
)
"""Ten polls per order, and what has no polls."""
SEVERAL_NODES = (
    Requirement(
        "Commit on one node → answer of another, 500 updates/s, p99, Redis",
        "≤ 10 ms",
        _latency(CLUSTER),
        _kept_up_within(10),
        _latency_shown,
    ),
    Requirement(
        "Commit on one node → answer of another, 500 updates/s, p99, LISTEN/NOTIFY",
        "≤ 20 ms",
        _latency(CLUSTER_NOTIFY),
        _kept_up_within(20),
        _latency_shown,
    ),
    Requirement(
        "Durable updates on PostgreSQL, one node, PUT over 32 connections",
        "≥ 2,000/s, and ≥ 3 × the peer",
        _beside_peer("cluster-updates", "updates_per_s"),
        lambda ours, peer: ours >= 2_000 and ours >= 3 * peer,
        lambda ours, peer: f"{ours:,}/s, peer {peer:,}/s: {ours / peer:.1f} ×",
    ),
    Requirement(
        "Durable updates on PostgreSQL, one node, in hundreds",
        "≥ 20,000/s",
        (("cluster-updates-bulk", CLUSTER, "updates_per_s"),),
        **_bound(operator.ge, 20_000, "/s"),
    ),
    Requirement(
        "CPU of a node for an update that none of its polls waits for, its partition subscribed, and not",
        "≤ 20 µs, and less than 1 µs",
        (
            ("cluster-idle-cpu", CLUSTER, "cpu_us_subscribed"),
            ("cluster-idle-cpu", CLUSTER, "cpu_us_not_subscribed"),
            ("cluster-idle-cpu", CLUSTER, "cpu_us_subscribed_busy"),
        ),
        lambda subscribed, not_subscribed, busy: subscribed <= 20 and not_subscribed < 1,
        lambda subscribed, not_subscribed, busy: (
            f"{subscribed:,} and {not_subscribed:,} µs at 500 updates/s; subscribed {busy:,} µs at 2,500/s"
        ),
    ),
    Requirement(
        "Private memory per held poll on a node, 15,000 held, one per order",
        "≤ 500 B, and ≤ 1/20 of the peer",
        _beside_peer("cluster-held", "bytes_per_held_poll"),
        lambda ours, peer: ours <= 500 and ours * 20 <= peer,
        lambda ours, peer: f"{ours:,} B, peer {peer:,} B: 1/{peer / ours:.0f}",
    ),
    Requirement(
        "Wake-ups on a node, ten polls per order, PUT over 32 connections",
        "≥ 3 × the peer",
        _beside_peer("cluster-wakes", "wakeups_per_s"),
        **_ratio(3, "peer"),
    ),
    Requirement(
        "The same with re-polls",
        "≥ 3 × the peer",
        _beside_peer("cluster-wakes", "steady_wakeups_per_s"),
        **_ratio(3, "peer"),
    ),
    Requirement(
        "A node killed with 15,000 held polls: until all are held again by the others, and lost wake-ups",
        "≤ 15 s and 0",
        tuple(
            ("cluster-killed", CLUSTER, key) for key in ("all_held_s", "lost_by_the_server", "late", "missing", "wrong")
        ),
        lambda held_s, *failures: held_s <= 15 and _nothing_lost(*failures),
        lambda held_s, lost, late, missing, wrong: (
            f"{held_s:.2f} s; lost {lost}, late {late}, missing {missing}, wrong {sum(wrong.values())}"
        ),
    ),
)
"""Nodes on PostgreSQL with Redis, and LISTEN/NOTIFY where it is named. The peer is FastAPI with SQLAlchemy, PostgreSQL
and Redis pub/sub."""


def rows(requirements: Iterable[Requirement], results: Results) -> list[Row]:
    return [_row(requirement, results) for requirement in requirements]


def _row(requirement: Requirement, results: Results) -> Row:
    title, bound, keys, met, shown = requirement
    values = [results.figure(*key) for key in keys]
    missing = dict.fromkeys(who for (_, who, _), value in zip(keys, values, strict=True) if value is None)
    if missing:
        return Row(title, bound, f"no figure of {', '.join(missing)}", NOT_MEASURED)
    if not _in_one_run(results, keys):
        return Row(title, bound, "the figures are not of one run", NOT_MEASURED)
    noise = "" if _quiet(results, keys) else " (the machine was not quiet)"
    return Row(title, bound, shown(*values) + noise, "yes" if met(*values) else "NO")


def _in_one_run(results: Results, keys: tuple[FigureKey, ...]) -> bool:
    entries = {(name, who) for name, who, _ in keys}
    runs = {results.run(*entry) for entry in entries}
    return len(entries) == 1 or (len(runs) == 1 and None not in runs)


def _quiet(results: Results, keys: tuple[FigureKey, ...]) -> bool:
    shares = [results.figure(name, who, "others_cpu_percent") for name, who, _ in keys]
    return all(share is not None and share <= QUIET_PERCENT for share in shares)
