"""The calculation of what more customers need."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.plan import CLUSTER, GATE_DURABLE
from bench.results_store import Results
from bench.scale import CONSTANTS, Cell, Given, cell_size, customers_at, limits, measured, storm

GIVEN = Given({name: constant.assumed for name, constant in CONSTANTS.items()}, 18_000, database_cores=16, busy=0.5)


def test_figure_of_a_cluster_replaces_that_of_one_process(tmp_path: Path):
    results, where = Results(tmp_path), {"date": "2026-11-30"}
    results.write("held-one", "1", where, {GATE_DURABLE: {"bytes_per_poll_and_order": 2_000}}, keep=False)
    assert measured(results)[0]["poll_bytes"] == 2_000
    results.write("cluster-held", "2", where, {CLUSTER: {"bytes_per_poll_and_order": 2_500}}, keep=False)
    values, table = measured(results)
    assert values["poll_bytes"] == 2_500
    assert "2,500 B | `cluster-held`" in table


def test_constant_without_a_figure_is_called_assumed(tmp_path: Path):
    values, table = measured(Results(tmp_path))
    assert values == GIVEN.values
    assert table.count("assumed, not measured") == len(CONSTANTS)


@pytest.mark.parametrize("limit", limits(GIVEN), ids=lambda limit: limit.title)
def test_limit_is_reached_at_the_customers_that_are_named(limit):
    customers = customers_at(GIVEN, limit)
    assert limit.use(Cell(GIVEN, 0.98 * customers)) <= 1 <= limit.use(Cell(GIVEN, 1.02 * customers))


def test_messages_grow_with_the_square_of_the_customers():
    assert Cell(GIVEN, 1e7).messages / Cell(GIVEN, 1e6).messages == pytest.approx(100, rel=0.05)


def test_cell_is_within_all_limits():
    assert all(limit.use(Cell(GIVEN, cell_size(GIVEN))) <= 1 for limit in limits(GIVEN))


def test_polls_that_come_at_once_are_held_one_after_another():
    cell = Cell(GIVEN, 10_000)
    few, many = (storm(GIVEN, cell, polls, [0.0] * polls) for polls in (1_000, 2_000))
    assert many.all_s == pytest.approx(2 * few.all_s)
    assert few.attempts == 1


def test_client_that_waits_for_too_long_tries_again():
    assert storm(GIVEN, Cell(GIVEN, 10_000), 200_000, [0.0] * 200_000).attempts > 1
