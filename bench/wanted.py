"""The figures that were asked for, and whether they are there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from bench.machine import QUIET_PERCENT
from bench.plan import GATE, GATE_DURABLE, GATE_TOKENS, NCHAN
from bench.results_store import Results

Look = tuple[str, str, str]
"""Measurement, contender, figure."""


class Wanted(NamedTuple):
    """`met` gets what was looked up, in order; `shown` formats it."""

    what: str
    bound: str
    looks: tuple[Look, ...]
    met: Callable[..., bool]
    shown: Callable[..., str]


class Row(NamedTuple):
    what: str
    bound: str
    seen: str
    verdict: str


def _ratio(least: float) -> dict[str, Any]:
    return {
        "met": lambda ours, peer: ours >= least * peer,
        "shown": lambda ours, peer: f"{ours:,}/s, nchan {peer:,}/s: {ours / peer:.2f} ×",
    }


def _single(who: str, name: str = "wakes-single") -> tuple[Look, Look]:
    return (name, who, "wakeups_per_s"), ("wakes-single", NCHAN, "wakeups_per_s")


def _nothing_lost(lost: int, late: int, missing: int, wrong: dict[str, int]) -> bool:
    return not (lost or late or missing or wrong)


WANTED = (
    Wanted(
        "Private memory per held poll, 18,000 polls on 1,800 orders",
        "≤ 450 B, and ≤ 1/20 of nchan",
        (("held", GATE, "bytes_per_held_poll"), ("held", NCHAN, "bytes_per_held_poll")),
        lambda ours, peer: ours <= 450 and ours * 20 <= peer,
        lambda ours, peer: f"{ours:,} B, nchan {peer:,} B: 1/{peer / ours:.0f}",
    ),
    Wanted(
        "Private memory per held poll, with tokens",
        "≤ 550 B",
        (("held", GATE_TOKENS, "bytes_per_held_poll"),),
        lambda ours: ours <= 550,
        lambda ours: f"{ours:,} B",
    ),
    Wanted("Wake-ups, bulk requests of 100", "≥ 1.2 × nchan", _single(GATE, "wakes-bulk"), **_ratio(1.2)),
    Wanted("Wake-ups, single PUTs one after another, memory store", "≥ 0.9 × nchan", _single(GATE), **_ratio(0.9)),
    Wanted("Wake-ups, single PUTs one after another, durable", "≥ 0.6 × nchan", _single(GATE_DURABLE), **_ratio(0.6)),
    Wanted(
        "One update → all 10 polls answered, p99, memory store",
        "≤ 2.5 × nchan",
        (("latency", GATE, "p99_ms"), ("latency", NCHAN, "p99_ms")),
        lambda ours, peer: ours <= 2.5 * peer,
        lambda ours, peer: f"{ours:.2f} ms, nchan {peer:.2f} ms: {ours / peer:.2f} ×",
    ),
    Wanted(
        "One update → all 10 polls answered, p99, durable",
        "≤ 5 ms more than nchan",
        (("latency", GATE_DURABLE, "p99_ms"), ("latency", NCHAN, "p99_ms")),
        lambda ours, peer: ours <= peer + 5,
        lambda ours, peer: f"{ours:.2f} ms, nchan {peer:.2f} ms: {ours - peer:+.2f} ms",
    ),
    Wanted(
        "Durable updates by PUT over 32 connections",
        "≥ 3,000/s",
        (("updates-single", GATE_DURABLE, "updates_per_s"),),
        lambda ours: ours >= 3_000,
        lambda ours: f"{ours:,}/s",
    ),
    Wanted(
        "Durable updates by /status-updates in hundreds",
        "≥ 30,000/s",
        (("updates-bulk", GATE_DURABLE, "updates_per_s"),),
        lambda ours: ours >= 30_000,
        lambda ours: f"{ours:,}/s",
    ),
    Wanted(
        "CPU per timed-out and re-polled hold, 18,000 held for 30 s",
        "≤ 100 µs",
        (("timed-out", GATE, "cpu_us_per_hold"),),
        lambda ours: ours <= 100,
        lambda ours: f"{ours:g} µs",
    ),
    Wanted(
        "Polls answered at once (timeout=0), one core",
        "≥ 25,000/s",
        (("at-once", GATE, "answers_per_s"),),
        lambda ours: ours >= 25_000,
        lambda ours: f"{ours:,}/s",
    ),
    Wanted(
        "CPU with 18,000 parked and nothing happening",
        "< 1 %",
        (("held", GATE, "idle_cpu_percent"),),
        lambda ours: ours < 1,
        lambda ours: f"{ours:g} %",
    ),
    Wanted(
        "Lost wake-ups in 10 minutes of random updates, re-polls and aborts, 18,000 polls",
        "0",
        tuple(("soak", GATE_DURABLE, key) for key in ("lost_by_the_server", "late", "missing", "wrong")),
        _nothing_lost,
        lambda lost, late, missing, wrong: f"lost {lost}, late {late}, missing {missing}, wrong {sum(wrong.values())}",
    ),
)


def rows(results: Results) -> list[Row]:
    found: list[Row] = []
    for wanted in WANTED:
        values = [results.figure(*look) for look in wanted.looks]
        if any(value is None for value in values):
            found.append(Row(wanted.what, wanted.bound, "not measured", "?"))
        else:
            verdict = "yes" if wanted.met(*values) else "NO"
            noise = "" if _quiet(results, wanted.looks) else " (the machine was not quiet)"
            found.append(Row(wanted.what, wanted.bound, wanted.shown(*values) + noise, verdict))
    return found


def _quiet(results: Results, looks: tuple[Look, ...]) -> bool:
    shares = [results.figure(name, who, "others_cpu_percent") for name, who, _ in looks]
    return all(share is not None and share <= QUIET_PERCENT for share in shares)
