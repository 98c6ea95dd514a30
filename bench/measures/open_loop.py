"""The highest rate of updates that the server keeps up with: an open loop, where updates do not wait for answers.

Updates are sent at fixed times over several connections, and every answered poll is sent again. The time of an update
is counted from its scheduled time until the last of its ten polls is answered, so it includes every wait: for a free
connection, for the commit, for the other polls. Orders that end are replaced by new ones.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from typing import NamedTuple

from bench.contenders import Contender, Ordertrack
from bench.measures.load import Figures, PollLoad, Size, held_load
from bench.progress import say
from ordertrack.load import Feed, Schedule, UpdateDriver, fetch_statistics, milliseconds

CONNECTIONS = 32
RATES = tuple(range(200, 3_001, 100))
"""Updates per second."""
REFERENCE_PER_S = 1_000
MAX_P99_MS = 20.0


class Probe(NamedTuple):
    """Latencies in milliseconds at one rate. `complete` is False when the server fell behind or left polls waiting.
    `generator_busy_percent` shows whether the generator was the limit."""

    p50_ms: float | None
    p99_ms: float | None
    complete: bool
    generator_busy_percent: int

    @property
    def in_time(self) -> bool:
        return self.complete and self.p99_ms is not None and self.p99_ms <= MAX_P99_MS


def measure(contender: Contender, size: Size) -> Figures:
    """The server's own `wake_latency_ms` is of the last 10,000 answers at 1,000 updates/s."""
    with held_load(contender, size) as load:
        loop = OpenLoop(load, size.probe_s)
        reference = loop.probe(REFERENCE_PER_S)
        server = fetch_statistics(load.pool)["wake_latency_ms"] if isinstance(contender, Ordertrack) else {}
        highest = highest_rate(RATES, lambda rate: loop.probe(rate).in_time)
        return {
            "polls": len(load.pool.polls),
            "highest_updates_per_s": highest or 0,
            "p50_ms_at_1000": reference.p50_ms,
            "p99_ms_at_1000": reference.p99_ms,
            "generator_busy_percent_at_1000": reference.generator_busy_percent,
            "server_says_p50_ms_at_1000": server.get("p50"),
            "server_says_p99_ms_at_1000": server.get("p99"),
            **{key: value for key, value in load.failures().items() if key != "late"},
        }


def highest_rate(rates: Sequence[int], in_time: Callable[[int], bool]) -> int | None:
    """Return the highest of the ascending rates that is in time, by bisection; None when the lowest is not."""
    low, high = 0, len(rates)
    while low < high:
        middle = (low + high) // 2
        if in_time(rates[middle]):
            low = middle + 1
        else:
            high = middle
    return rates[low - 1] if low else None


class OpenLoop:
    def __init__(self, load: PollLoad, probe_s: float) -> None:
        self._load, self._probe_s = load, probe_s
        self._fresh: deque[Feed] = deque()
        load.pool.repoll = True
        self._spread_versions()

    def probe(self, updates_per_s: int) -> Probe:
        schedule, load = Schedule(updates_per_s, self._probe_s), self._load
        self._create_replacements(schedule.updates)
        driver = UpdateDriver(load.pool, load.feeds, connections=CONNECTIONS, replacements=_taken_from(self._fresh))
        with closing(driver):
            own_s = time.process_time()
            result = driver.run_schedule(schedule)
            busy_percent = round((time.process_time() - own_s) / result.seconds * 100)
        complete = len(result.fan_out_s) == schedule.updates and not load.pool.missing
        p50_ms, p99_ms = milliseconds(result.fan_out_s, 0.5), milliseconds(result.fan_out_s, 0.99)
        probe = Probe(p50_ms, p99_ms, complete, busy_percent)
        say(
            f"{updates_per_s:,} updates/s: p50 {probe.p50_ms} ms, p99 {probe.p99_ms} ms"
            + ("" if complete else ", fell behind")
        )
        return probe

    def _spread_versions(self) -> None:
        """Update three quarters of the orders once, twice or three times, so that not all end at the same time."""
        for steps in (1, 2, 3):
            feeds = self._load.feeds[steps::4]
            with closing(UpdateDriver(self._load.pool, feeds, connections=CONNECTIONS)) as driver:
                for _ in range(steps):
                    driver.run(len(feeds))

    def _create_replacements(self, updates: int) -> None:
        """Create as many orders as that many updates can end."""
        last = self._load.pool.protocol.last_version
        if last is None:
            return
        steps_done = sum(feed.published - 1 for feed in self._load.feeds)
        needed = (updates + steps_done) // (last - 1) - len(self._fresh)
        if needed > 0:
            self._fresh += self._load.running.feeds(self._load.pool, needed)


def _taken_from(feeds: deque[Feed]) -> Iterator[Feed]:
    while feeds:
        yield feeds.popleft()
