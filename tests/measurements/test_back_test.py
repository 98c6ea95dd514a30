"""The back-test of windows of arrival."""

from __future__ import annotations

import pytest

from bench.back_test import Case, back_test, equal_tails, narrowest, score
from bench.histories import KINDS, simulate
from ordertrack.core.eta.estimator import ArrivalEstimator


@pytest.fixture(scope="module")
def cases() -> list[Case]:
    return back_test(simulate(1)[:1_500], ArrivalEstimator())


def test_same_seed_gives_the_same_history():
    first = simulate(2)
    assert first == simulate(2)
    assert {order.restaurant_id.partition("/")[0] for order in first} == set(KINDS)


def test_windows_use_only_orders_delivered_before(cases: list[Case]):
    assert all(case.window == case.configured for case in cases if not case.known)
    assert any(case.window != case.configured for case in cases if case.known)


def test_factors_cover_what_they_were_fitted_to(cases: list[Case]):
    central, least = equal_tails(cases, 80), narrowest(cases, 80)
    for factors in (central, least):
        assert factors.apply(cases).covered == pytest.approx(80, abs=0.5)
    assert least.apply(cases).width <= central.apply(cases).width
    assert central.apply(cases).before == pytest.approx(central.apply(cases).after, abs=0.5)


def test_score_adds_up(cases: list[Case]):
    found = score(cases)
    assert found.covered + found.before + found.after == pytest.approx(100)
