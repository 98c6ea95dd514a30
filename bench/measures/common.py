"""What the measurements share: a held crowd, and CPU by the wake-up."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from bench.contenders import POLLS_PER_ORDER, Contender, Running
from ordertrack.load import Cooked, Feed, Kitchen, Swarm, open_polls

Figures = dict[str, int | float | dict[str, int] | None]


@dataclass(frozen=True)
class Size:
    """`polls` at once, ten an order. `quick` is for trying the measurements, not for documents."""

    polls: int = 18_000
    soak_s: float = 600.0
    idle_s: float = 20.0
    hold_s: float = 30.0
    quick: bool = False

    def polls_of(self, contender: Contender) -> int:
        return min(self.polls, getattr(contender, "most", self.polls))


QUICK = Size(polls=2_000, soak_s=15.0, idle_s=5.0, hold_s=5.0, quick=True)
LONG_HOLD_S = 110.0


@dataclass(frozen=True)
class Crowd:
    """Polls that are held, on feeds of a running server."""

    running: Running
    swarm: Swarm
    feeds: list[Feed]

    @property
    def held(self) -> Callable[[], int]:
        return lambda: self.running.held(self.swarm)

    def cook(self, updates: int, *, batch: int = 1, callers: int = 1, patient: bool = False) -> Cost:
        """Wake polls by updates and weigh what it cost server and generator."""
        kitchen = Kitchen(self.swarm, self.feeds, batch=batch, callers=callers, patient=patient)
        server_s, generator_s = self.running.cpu_s(), time.process_time()
        try:
            cooked = kitchen.cook(updates)
        finally:
            kitchen.close()
        return Cost(cooked, self.running.cpu_s() - server_s, time.process_time() - generator_s)

    def failures(self) -> Figures:
        """What must be nothing at all."""
        return {
            "missing": self.swarm.missing,
            "late": self.swarm.late,
            "wrong": dict(self.swarm.wrong),
            "lost_by_the_server": self.running.lost_wakeups(self.swarm),
        }


@dataclass(frozen=True)
class Cost:
    cooked: Cooked
    server_cpu_s: float
    generator_cpu_s: float


@contextmanager
def held_crowd(contender: Contender, size: Size, *, per_feed: int = POLLS_PER_ORDER) -> Iterator[Crowd]:
    """As many polls as the size says, held, and not asking again once they are answered."""
    polls = size.polls_of(contender)
    with contender.running(hold_s=LONG_HOLD_S, polls=polls) as running, Swarm(running.target, running.dialect) as swarm:
        swarm.again = False
        crowd = Crowd(running, swarm, running.feeds(swarm, polls // per_feed))
        open_polls(swarm, crowd.feeds, per_feed, crowd.held)
        yield crowd


def median(values: list[float]) -> float:
    ordered = sorted(values)
    return ordered[len(ordered) // 2]
