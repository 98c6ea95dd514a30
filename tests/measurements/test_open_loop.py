"""The search for the highest rate."""

from __future__ import annotations

import pytest

from bench.measures.open_loop import RATES, highest_rate


@pytest.mark.parametrize("limit", [RATES[0] - 1, RATES[0], 1_800, 1_850, RATES[-1], RATES[-1] + 1])
def test_highest_rate_is_found_with_few_probes(limit: int):
    probed: list[int] = []

    def in_time(rate: int) -> bool:
        probed.append(rate)
        return rate <= limit

    assert highest_rate(RATES, in_time) == max((rate for rate in RATES if rate <= limit), default=None)
    assert len(probed) <= 5
