"""All phones come back at once after the server was killed, and the start of a server that was killed.

The server is killed with SIGKILL while it holds all polls, one per order, and its database has a large WAL. Its
successor reads the WAL, then all phones connect as fast as the generator can. Meanwhile one connection asks for
/healthz and one for the statistics.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.contenders import FOLDERS, Contender, Ordertrack, Running, Skipped
from bench.measures.load import LONG_HOLD_S, Figures, PollLoad, Size, new_feeds
from bench.progress import say
from ordertrack.adapters.sqlite.database import FILE_NAME, connect
from ordertrack.load import CannotLoad, Feed, HttpResponse, PollPool, RequestSender, UpdateDriver, poll_once
from ordertrack.load.protocol import ORDERS, build_request

WAL_BYTES = 60_000_000
STEPS = 3
"""Updates of an order before it ends."""
BATCH, UPDATES_PER_RUN = 100, 2_000
MAX_UNACCEPTED = 2_500
"""Connections not yet accepted: below the server's backlog."""
HEALTH_EVERY_S, STATISTICS_EVERY_S = 0.01, 0.05
TURN_EVERY = 20
HELD_WITHIN_S = 60.0


def measure(contender: Contender, size: Size) -> Figures:
    if not isinstance(contender, Ordertrack):
        raise Skipped("it keeps nothing on disk")
    polls = size.polls
    with TemporaryDirectory(prefix=FOLDERS) as name:
        folder = Path(name)
        database = folder / "data" / FILE_NAME
        wal = database.with_name(FILE_NAME + "-wal")
        with contender.serving(folder, LONG_HOLD_S, polls) as running, running.pool() as pool:
            load = PollLoad(running, pool, new_feeds(running, pool, polls))
            _grow_wal(load, database, wal)
            load.feeds[:] = poll_once(pool, [feed.id for feed in load.feeds])
            load.open(1)
            wal_bytes = wal.stat().st_size
            running.processes[0].kill()
        say("the server is killed; starting it again")
        started_s = time.perf_counter()
        with contender.serving(folder, LONG_HOLD_S, polls) as running, running.pool() as pool:
            recovered_s = time.perf_counter() - started_s
            phones = _Phones(running, pool, [Feed(feed.id, feed.published, feed.position) for feed in load.feeds])
            cpu_s, generator_cpu_s = running.cpu_s(), time.process_time()
            held_s = phones.come_back()
            cpu_s, generator_cpu_s = running.cpu_s() - cpu_s, time.process_time() - generator_cpu_s
        started_s = time.perf_counter()
        with contender.serving(folder, LONG_HOLD_S, polls):
            clean_s = time.perf_counter() - started_s
    return {
        "polls": polls,
        "all_held_s": round(held_s, 2),
        "server_cpu_s": round(cpu_s, 2),
        "generator_cpu_s": round(generator_cpu_s, 2),
        "healthz_max_ms": round(phones.health.slowest_s * 1000, 1),
        "wal_mb": round(wal_bytes / 1e6, 1),
        "ready_s": round(recovered_s, 2),
        "ready_after_clean_stop_s": round(clean_s, 2),
        "wrong": dict(pool.wrong),
    }


def _grow_wal(load: PollLoad, database: Path, wal: Path) -> None:
    """Update the orders while a reader keeps the store from starting its WAL anew."""
    say(f"growing the WAL to {WAL_BYTES / 1e6:g} MB")
    with (
        closing(connect(database, read_only=True)) as reader,
        closing(UpdateDriver(load.pool, load.feeds, batch=BATCH)) as driver,
    ):
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM meta").fetchall()
        for _ in range(STEPS * len(load.feeds) // UPDATES_PER_RUN):
            driver.run(UPDATES_PER_RUN)
            if wal.stat().st_size >= WAL_BYTES:
                break


class _Phones:
    def __init__(self, running: Running, pool: PollPool, feeds: list[Feed]) -> None:
        self._pool, self._feeds = pool, feeds
        self._held = 0
        pool.prepare(len(feeds))
        self.health = _Repeated(pool, build_request("GET", "/healthz"), HEALTH_EVERY_S, lambda response: None)
        statistics = build_request("GET", f"{ORDERS}/system/stats")
        self._statistics = _Repeated(pool, statistics, STATISTICS_EVERY_S, self._note_held)

    def come_back(self) -> float:
        """Connect and poll; return the seconds until the server says that it holds all."""
        say(f"{len(self._feeds):,} phones connect")
        started_s = time.perf_counter()
        for number, feed in enumerate(self._feeds, start=1):
            self._pool.send_poll(self._pool.add(feed))
            if not number % TURN_EVERY:
                self._turn(0)
            self._wait_until_held(number - MAX_UNACCEPTED)
        self._wait_until_held(len(self._feeds))
        return time.perf_counter() - started_s

    def _wait_until_held(self, polls: int) -> None:
        give_up_s = time.perf_counter() + HELD_WITHIN_S
        while self._held < polls:
            self._turn(0.001)
            if time.perf_counter() > give_up_s or self._pool.wrong:
                raise CannotLoad(f"The server holds {self._held:,} polls; wrong: {dict(self._pool.wrong)}.")

    def _turn(self, timeout_s: float) -> None:
        self.health.sender.send_next()
        self._statistics.sender.send_next()
        self._pool.run_once(timeout_s)

    def _note_held(self, response: HttpResponse) -> None:
        self._held = json.loads(response.body)["data"]["active_connections"]


class _Repeated:
    """A request sent again on one connection, `every_s` after it was sent before; `slowest_s` is the longest time to
    an answer."""

    def __init__(
        self, pool: PollPool, request: bytes, every_s: float, answered: Callable[[HttpResponse], None]
    ) -> None:
        self.slowest_s = 0.0
        self.sender = RequestSender(pool, self._next, self._answered)
        self._request, self._every_s, self._tell = request, every_s, answered
        self._sent_s = 0.0

    def _next(self) -> bytes | None:
        now_s = time.perf_counter()
        if now_s - self._sent_s < self._every_s:
            return None
        self._sent_s = now_s
        return self._request

    def _answered(self, response: HttpResponse) -> None:
        self.slowest_s = max(self.slowest_s, time.perf_counter() - self._sent_s)
        self._tell(response)
