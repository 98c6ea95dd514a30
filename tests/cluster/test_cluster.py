"""A cluster under faults keeps its promises, and the checks find a product that does not.

`make soak` runs the same for an hour. `python -m cluster.run` repeats a seed.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from cluster.cluster import Signal
from cluster.run import Plan, Report, run_in
from servers.child import NotInstalled
from support.missing import skip


def checked(plan: Plan) -> Report:
    """Run the plan in a folder of its own: another run of pytest makes `tmp_path` unreachable for PostgreSQL's user."""
    folder = Path(tempfile.mkdtemp(prefix="ordertrack-cluster-"))
    try:
        return run_in(folder, plan, print)
    except NotInstalled as error:
        skip(str(error))


@pytest.mark.parametrize(("signal", "seed", "seconds"), [("redis", 848, 42.0), ("postgresql", 519, 30.0)])
def test_promises_hold_under_faults(signal: Signal, seed: int, seconds: float) -> None:
    """The seeds are of schedules with the nodes, the store and the signal in them."""
    report = checked(Plan(seed=seed, seconds=seconds, signal=signal))
    assert not report.violations, str(report)


@pytest.mark.parametrize(("defect", "is_found"), [("read-before-subscribing", True), ("no-linger", False)])
def test_broken_order_of_subscribe_and_read_is_found(defect: str, is_found: bool) -> None:
    """Clients pause between two polls, so that most polls need a subscription. `no-linger` has the right order."""
    plan = Plan(
        seed=3, seconds=8.0, signal="redis", defect=defect, faults=(), followers={"original": 100}, quiet_s=3.0
    )  # fmt: skip
    assert ("prompt" in {violation.check for violation in checked(plan).violations}) == is_found
