"""A cluster under faults keeps its promises, and the checks find a product that does not.

`make soak` runs the same for an hour. `python -m cluster.run` repeats a seed.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from cluster.cluster import Signal
from cluster.faults import Planned
from cluster.run import Plan, Report, run_in
from servers.child import NotInstalled
from support.missing import skip


def checked(folder: Path, plan: Plan) -> Report:
    try:
        return run_in(folder / "run", plan, print)
    except NotInstalled as error:
        skip(str(error))


@pytest.mark.parametrize(("signal", "seed", "seconds"), [("redis", 1, 50.0), ("postgresql", 2, 32.0)])
def test_promises_hold_under_faults(tmp_path: Path, signal: Signal, seed: int, seconds: float) -> None:
    report = checked(tmp_path, Plan(seed=seed, seconds=seconds, signal=signal))
    assert not report.violations, str(report)


def test_broken_order_of_subscribe_and_read_is_found(tmp_path: Path) -> None:
    """The window is short: slow connections to Redis make it longer, and are no excuse for what comes after them."""
    slow = [Planned(0.0, "signal_slow", node, 3.0, 0.2) for node in range(3)]
    plan = Plan(
        seed=3, seconds=10.0, signal="redis", defect="read-before-subscribing", faults=slow, share=0.5
    )  # fmt: skip
    assert "prompt" in {violation.check for violation in checked(tmp_path, plan).violations}
