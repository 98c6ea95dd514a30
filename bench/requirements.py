"""The required figures, and whether the results meet them."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, NamedTuple

from bench.machine import QUIET_PERCENT
from bench.plan import GATE, GATE_DURABLE, GATE_TOKENS, NCHAN
from bench.results_store import Results

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


def _ratio(least: float) -> dict[str, Any]:
    return {
        "met": lambda ours, peer: ours >= least * peer,
        "shown": lambda ours, peer: f"{ours:,}/s, nchan {peer:,}/s: {ours / peer:.2f} ×",
    }


def _single(who: str, name: str = "wakes-single") -> tuple[FigureKey, FigureKey]:
    return (name, who, "wakeups_per_s"), ("wakes-single", NCHAN, "wakeups_per_s")


def _nothing_lost(lost: int, late: int, missing: int, wrong: dict[str, int]) -> bool:
    return not (lost or late or missing or wrong)


REQUIREMENTS = (
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
    Requirement("Wake-ups, bulk requests of 100", "≥ 1.2 × nchan", _single(GATE, "wakes-bulk"), **_ratio(1.2)),
    Requirement("Wake-ups, single PUTs one after another, memory store", "≥ 0.9 × nchan", _single(GATE), **_ratio(0.9)),
    Requirement(
        "Wake-ups, single PUTs one after another, durable", "≥ 0.6 × nchan", _single(GATE_DURABLE), **_ratio(0.6)
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
        "Durable updates by /status-updates in hundreds",
        "≥ 30,000/s",
        (("updates-bulk", GATE_DURABLE, "updates_per_s"),),
        **_bound(operator.ge, 30_000, "/s"),
    ),
    Requirement(
        "CPU per timed-out and re-polled hold, 18,000 held for 30 s",
        "≤ 100 µs",
        (("timed-out", GATE, "cpu_us_per_hold"),),
        **_bound(operator.le, 100, " µs"),
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
)


def rows(results: Results) -> list[Row]:
    found: list[Row] = []
    for requirement in REQUIREMENTS:
        values = [results.figure(*look) for look in requirement.keys]
        if any(value is None for value in values):
            found.append(Row(requirement.title, requirement.bound, "not measured", "?"))
        else:
            verdict = "yes" if requirement.met(*values) else "NO"
            noise = "" if _quiet(results, requirement.keys) else " (the machine was not quiet)"
            found.append(Row(requirement.title, requirement.bound, requirement.shown(*values) + noise, verdict))
    return found


def _quiet(results: Results, keys: tuple[FigureKey, ...]) -> bool:
    shares = [results.figure(name, who, "others_cpu_percent") for name, who, _ in keys]
    return all(share is not None and share <= QUIET_PERCENT for share in shares)
