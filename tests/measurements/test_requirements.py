"""A requirement is judged by figures of one run."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.measures.load import Figures
from bench.requirements import NOT_MEASURED, OTHERS, USUAL, Requirement, rows
from bench.results_store import Results

OURS, PEER = "ordertrack", "nchan"
RATIO = Requirement(
    "Wake-ups",
    "≥ 0.5 × nchan",
    (("wakes", OURS, "per_s"), ("wakes", PEER, "per_s")),
    lambda ours, peer: ours >= 0.5 * peer,
    lambda ours, peer: f"{ours} and {peer}",
)


@pytest.fixture
def results(tmp_path: Path) -> Results:
    return Results(tmp_path)


def measured(**per_s: int) -> dict[str, Figures]:
    return {who: {"per_s": rate, "others_cpu_percent": 0.0} for who, rate in per_s.items()}


def verdict(results: Results, requirement: Requirement = RATIO) -> str:
    return rows([requirement], results)[0].verdict


@pytest.mark.parametrize(("rate", "met"), [(60, "yes"), (40, "NO")])
def test_figures_of_one_run_are_compared(results: Results, rate: int, met: str):
    results.write("wakes", "run 1", {}, measured(ordertrack=rate, nchan=100), keep=False)
    assert verdict(results) == met


def test_peer_of_another_run_is_not_compared(results: Results):
    results.write("wakes", "run 1", {}, measured(ordertrack=60, nchan=100), keep=False)
    results.write("wakes", "run 2", {}, measured(ordertrack=70), keep=True)
    assert results.figure("wakes", PEER, "per_s") == 100
    assert verdict(results) == NOT_MEASURED


def test_skipped_peer_is_not_measured(results: Results):
    results.write("wakes", "run 1", {}, measured(ordertrack=60, nchan=100), keep=False)
    results.write("wakes", "run 2", {}, measured(ordertrack=70), keep=False)
    assert rows([RATIO], results)[0].measured == "no figure of nchan"
    assert verdict(results) == NOT_MEASURED


def test_figure_without_a_peer_may_be_of_an_older_run(results: Results):
    alone = Requirement("Rate", "≥ 50", (("wakes", OURS, "per_s"),), lambda ours: ours >= 50, str)
    results.write("wakes", "run 1", {}, measured(ordertrack=60), keep=False)
    results.write("wakes", "run 2", {}, measured(nchan=100), keep=True)
    assert verdict(results, alone) == "yes"


def test_nothing_measured_meets_nothing(results: Results):
    assert {row.verdict for row in rows((*USUAL, *OTHERS), results)} == {NOT_MEASURED}
