"""Run the checker: a cluster, 300 clients, faults, and then the checks.

    cd tests && PYTHONPATH=.. python -m cluster.run --seed 7 --seconds 60 --signal redis

A seed determines the faults and the choices of every client. What the operating system decides differs, so a failing
seed may have to be run more than once.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import get_args

from cluster.checks import Violation, check_all
from cluster.cluster import NODES, Cluster, Signal
from cluster.defects import DEFECTS
from cluster.faults import KINDS, Faults, Planned, plan
from cluster.final_state import read_orders
from cluster.followers import COUNTS, Follower, Way
from cluster.guard import Guard
from cluster.history import History
from cluster.starved import measure
from cluster.workload import Board, Updater
from servers.child import DidNotStart, NotInstalled

CLOCK_MS = 4_000
"""The clocks of nodes are at most this far from the machine's."""
UPDATERS = {"kitchen": (6, 0.4), "bulk": (2, 1.2), "courier": (2, 0.8), "creator": (1, 0.2), "simulation": (1, 4.0)}
"""Clients of each kind, and the seconds between two updates of one of them."""
SHOWN = 20


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A run. `faults` in place of those of the seed; `followers` has the number of clients of each kind.

    `quiet_s` is the time after the last update and the last fault until clients are compared with the store.
    """

    seed: int
    seconds: float
    signal: Signal = "redis"
    defect: str | None = None
    faults: Sequence[Planned] | None = None
    followers: Mapping[Way, int] = field(default_factory=lambda: COUNTS)
    quiet_s: float = 10.0

    @property
    def nodes(self) -> int:
        return 1 if self.signal == "sqlite" else NODES

    @property
    def schedule(self) -> list[Planned]:
        if self.faults is not None:
            return list(self.faults)
        return plan(self.seed, self.seconds, KINDS[self.signal], self.nodes)

    @property
    def command(self) -> str:
        broken = f" --break {self.defect}" if self.defect else ""
        return (
            f"cd tests && PYTHONPATH=.. python -m cluster.run --seed {self.seed} --seconds {self.seconds:g} "
            f"--signal {self.signal}{broken}"
        )


@dataclass(slots=True)
class Report:
    plan: Plan
    history: History
    violations: list[Violation] = field(default_factory=list)

    def __str__(self) -> str:
        """Return the report for people: numbers, and the violations with the command to repeat the run."""
        history = self.history
        polls = [poll for session in history.sessions for poll in session.polls]
        outcomes = Counter(f"{attempt.outcome} {attempt.http_status or ''}".strip() for attempt in history.attempts)
        reasons = Counter(poll.reason or str(poll.http_status or poll.end) for poll in polls)
        lines = [
            f"updates: {_counted(outcomes)}",
            f"polls: {_counted(reasons)}",
            f"without CPU: {history.starvation.total_s:.1f} s",
        ]
        if self.violations:
            counts = Counter(violation.check for violation in self.violations)
            lines += [f"{len(self.violations)} violations: {_counted(counts)}"]
            lines += [f"  {violation.check} at {violation.at_s:.3f}: {violation.text}" for violation in self._shown()]
            lines += [f"  fault {fault}" for fault in history.faults]
            lines += [f"to repeat: {self.plan.command}"]
        return "\n".join(lines)

    def _shown(self) -> list[Violation]:
        """Return the first violations of each check."""
        shown: list[Violation] = []
        for check in dict.fromkeys(violation.check for violation in self.violations):
            shown += [violation for violation in self.violations if violation.check == check][: SHOWN // 4]
        return shown[:SHOWN]


def _counted(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.most_common())


async def run(planned: Plan, folder: Path, say: Callable[[str], None]) -> Report:
    """Run the plan with its processes and files in a folder, and check it.

    Raises: NotInstalled, DidNotStart, TimeoutError: the cluster did not start, or a node not again.
    """
    random = Random(f"{planned.seed} clocks")
    clocks_ms = [0, *(random.randint(-CLOCK_MS, CLOCK_MS) for _ in range(planned.nodes - 1))]
    schedule = planned.schedule
    history = History()
    cluster = Cluster(folder, planned.signal, clocks_ms, planned.defect)
    say(f"seed {planned.seed}, {planned.signal}, clocks of nodes {clocks_ms} ms, faults:")
    for fault in schedule:
        say(f"  {fault}")
    begun_s = time.monotonic()
    try:
        await cluster.open()
        say(f"started in {time.monotonic() - begun_s:.1f} s")
        starvation = asyncio.create_task(measure(history.starvation, cluster.pids))
        await _load(planned, cluster, history, Faults(cluster, history, say), schedule)
        for node in cluster.nodes:
            history.final[node.name] = await read_orders(node.port)
        last = cluster.nodes[-1]
        await last.end()
        await last.start()
        history.final[f"{last.name}, restarted,"] = await read_orders(last.port)
        starvation.cancel()
    finally:
        await cluster.close()
    return Report(planned, history, check_all(history))


async def _load(planned: Plan, cluster: Cluster, history: History, faults: Faults, schedule: Sequence[Planned]) -> None:
    """Let clients work while faults happen. Return when clients had time to see the last update."""
    board = Board({node.name: node.port for node in cluster.nodes}, history, planned.seed)
    ends_at_s = time.monotonic() + planned.seconds
    async with asyncio.TaskGroup() as group:
        updaters = [
            group.create_task(Updater(f"{kind}-{number}", board).run(kind, every_s))  # type: ignore[arg-type]
            for kind, (count, every_s) in UPDATERS.items()
            for number in range(count)
        ]
        followers = [
            group.create_task(Follower(number, way, board).run())
            for way, count in planned.followers.items()
            for number in range(count)
        ]
        await faults.run(list(schedule))
        await asyncio.sleep(ends_at_s - time.monotonic())
        board.updates_end.set()
        await asyncio.wait(updaters)
        await asyncio.sleep(planned.quiet_s)
        for follower in followers:
            follower.cancel()


def run_in(folder: Path, planned: Plan, say: Callable[[str], None]) -> Report:
    """Run the plan under a guard, which ends its processes also when this one is killed.

    The folder is removed, or kept with the logs when there are violations. Raises: as `run`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    guard, keep = Guard(folder), True
    os.environ.update(guard.environment)
    try:
        report = asyncio.run(run(planned, folder, say))
        keep = bool(report.violations)
        return report
    except NotInstalled:
        keep = False
        raise
    finally:
        for name in guard.environment:
            del os.environ[name]
        guard.close(keep=keep)


def main() -> int:
    parser = argparse.ArgumentParser(description="Check a cluster under faults.")
    parser.add_argument("--seed", type=int, help="default: a random one")
    parser.add_argument("--seconds", type=float, default=60.0, help="of updates and faults")
    parser.add_argument("--minutes", type=float, default=0.0, help="run again with the next seed until then")
    parser.add_argument("--signal", choices=get_args(Signal), help="default: redis and postgresql in turns")
    parser.add_argument("--break", dest="defect", choices=tuple(DEFECTS), help="a defect the checks have to find")
    options = parser.parse_args()
    seed = Random().randrange(1_000_000) if options.seed is None else options.seed
    signals: Sequence[Signal] = (options.signal,) if options.signal else ("redis", "postgresql")
    ends_at_s = time.monotonic() + 60 * options.minutes
    while True:
        signal = signals[seed % len(signals)]
        if not _run_once(Plan(seed=seed, seconds=options.seconds, signal=signal, defect=options.defect)):
            return 1
        if time.monotonic() >= ends_at_s:
            return 0
        seed += 1


def _run_once(planned: Plan) -> bool:
    """Run a plan, print its progress and its report, and return True without violations."""
    folder = Path(tempfile.mkdtemp(prefix="ordertrack-cluster-"))
    begun_s = time.monotonic()
    try:
        report = run_in(folder, planned, lambda text: print(f"{time.monotonic() - begun_s:6.1f}  {text}", flush=True))
    except (DidNotStart, TimeoutError) as error:
        print(f"{error}\nlogs: {folder}\nto repeat: {planned.command}")
        return False
    print(report)
    print(f"logs: {folder}" if report.violations else f"seed {planned.seed}: no violations\n")
    return not report.violations


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(main())
    sys.exit(130)
