"""Shared by the measurements: held polls, and the CPU time of waking them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from bench.contenders import POLLS_PER_ORDER, Contender, Running
from bench.progress import say
from ordertrack.load import Feed, PollPool, Result, UpdateDriver, open_polls, repoll_all
from ordertrack.load.ramp_up import wait_until_held

Figures = dict[str, int | float | dict[str, int] | None]


@dataclass(frozen=True)
class Size:
    """The size of a measurement. `quick` is for trying it, not for documents."""

    polls: int = 18_000
    orders: int = 20_000
    ended: int = 1_000_000
    probe_s: float = 5.0
    soak_s: float = 600.0
    idle_s: float = 10.0
    hold_s: float = 30.0
    quick: bool = False

    def polls_of(self, contender: Contender) -> int:
        return min(self.polls, getattr(contender, "most", self.polls))


QUICK = Size(polls=2_000, orders=2_000, ended=50_000, probe_s=1.0, soak_s=15.0, idle_s=5.0, hold_s=5.0, quick=True)
LONG_HOLD_S = 110.0


@dataclass(frozen=True)
class PollLoad:
    """Polls held by a running server, and their feeds."""

    running: Running
    pool: PollPool
    feeds: list[Feed]

    def open(self, per_feed: int) -> float:
        """Open the polls and wait until all are held; return the server's CPU time."""
        say(f"opening {per_feed * len(self.feeds):,} polls on {len(self.feeds):,} orders")
        return self._cpu_s(lambda: open_polls(self.pool, self.feeds, per_feed, self.running.connections_when_idle))

    def repoll(self) -> float:
        """Send the answered polls again and wait until all are held; return the server's CPU time."""
        self.running.connections_when_idle()
        return self._cpu_s(lambda: repoll_all(self.pool, self.running.connections_when_idle))

    def _cpu_s(self, send_polls: Callable[[], None]) -> float:
        """Return the CPU time until all polls are held, without that of the request that asks for their number."""
        before_s, cpu_s = self.running.cpu_s(), 0.0

        def held() -> int:
            nonlocal cpu_s
            self.running.connections_when_idle()
            cpu_s = self.running.cpu_s() - before_s
            return self.running.held(self.pool)

        send_polls()
        wait_until_held(self.pool, len(self.pool.polls), held)
        return cpu_s

    def run(self, updates: int, *, batch: int = 1, connections: int = 1, one_at_a_time: bool = False) -> Cost:
        """Wake polls by updates and return the CPU time of server and generator."""
        driver = UpdateDriver(self.pool, self.feeds, batch=batch, connections=connections, one_at_a_time=one_at_a_time)
        server_s, generator_s = self.running.cpu_s(), time.process_time()
        try:
            result = driver.run(updates)
        finally:
            driver.close()
        return Cost(result, self.running.cpu_s() - server_s, time.process_time() - generator_s)

    def stay_idle(self, seconds: float) -> None:
        """Wait without updates. An answer in this time counts as wrong."""
        end_s = time.perf_counter() + seconds
        while (left_s := end_s - time.perf_counter()) > 0:
            self.pool.run_once(left_s)

    def failures(self) -> Figures:
        """Return the counts that must all be zero."""
        return {
            "missing": self.pool.missing,
            "late": self.pool.late,
            "wrong": dict(self.pool.wrong),
            "lost_by_the_server": self.running.lost_wakeups(self.pool),
        }


@dataclass(frozen=True)
class Cost:
    result: Result
    server_cpu_s: float
    generator_cpu_s: float


class EnginesCpu:
    """The CPU time of the servers that a node uses, since this was created."""

    def __init__(self, running: Running) -> None:
        self._running, self._before_s = running, running.engines_cpu_s()

    def us_per(self, count: int, what: str = "") -> Figures:
        """Return `NAME_cpu_us` of each, or `NAME_cpu_us_WHAT`."""
        now_s = self._running.engines_cpu_s()
        end = f"_{what}" if what else ""
        return {
            f"{name}_cpu_us{end}": round((now_s[name] - since_s) / count * 1e6, 1)
            for name, since_s in self._before_s.items()
        }


@contextmanager
def held_load(contender: Contender, size: Size, *, per_feed: int = POLLS_PER_ORDER) -> Iterator[PollLoad]:
    """Open the polls of `size` and wait until all are held. An answered poll is not sent again."""
    polls = size.polls_of(contender)
    with contender.running(hold_s=LONG_HOLD_S, polls=polls) as running, running.pool() as pool:
        pool.repoll = False
        load = PollLoad(running, pool, new_feeds(running, pool, polls // per_feed))
        load.open(per_feed)
        yield load


def new_feeds(running: Running, pool: PollPool, count: int) -> list[Feed]:
    say(f"creating {count:,} orders")
    return running.feeds(pool, count)


def median(values: list[float]) -> float:
    ordered = sorted(values)
    return ordered[len(ordered) // 2]
