"""The measurement of `ordertrack bench`: hold polls, deliver the orders, check every answer.

Each order goes from confirmed to delivered in four rounds, and every round wakes all polls:

    preparing   single updates, one after another
    ready       updates in bulk requests
    picked_up   single updates, each sent when all polls of the one before are answered: the time of one update
    delivered   updates in bulk requests; no poll is sent again
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass

from ordertrack.load.orders import create_feeds, fetch_statistics
from ordertrack.load.percentile import milliseconds
from ordertrack.load.polls import Feed, PollPool
from ordertrack.load.protocol import OrdertrackProtocol
from ordertrack.load.ramp_up import open_polls, repoll_all
from ordertrack.load.target import CannotLoad, loopback_target, raise_file_limit
from ordertrack.load.updates import Result, UpdateDriver

HOLD_S = 110.0
BULK = 100
MAX_POLLS = 50_000


@dataclass(frozen=True)
class Report:
    """Wake-ups per second count the polls answered in a round. Milliseconds are from sending one update to reading the
    last answer of its polls. `wrong` counts answers that break the protocol, by what was wrong."""

    url: str
    server: str
    store: str
    polls: int
    orders: int
    connected_s: float
    bytes_per_held_poll: int | None
    single_updates_per_s: int
    single_wakeups_per_s: int
    bulk_updates_per_s: int
    bulk_wakeups_per_s: int
    update_to_all_p50_ms: float | None
    update_to_all_p99_ms: float | None
    answers: int
    missing: int
    late: int
    wrong: dict[str, int]
    server_lost_wakeups: int
    generator_cpu_s: float

    @property
    def correct(self) -> bool:
        return not (self.missing or self.late or self.wrong or self.server_lost_wakeups)


def run(url: str, *, polls: int, orders: int, say: Callable[[str], None], token: str = "") -> Report:
    """Raises: CannotLoad."""
    target = loopback_target(url)
    if not 0 < orders <= polls <= MAX_POLLS or polls % orders:
        raise CannotLoad(f"The number of polls must be a multiple of the orders and at most {MAX_POLLS:,}.")
    raise_file_limit(polls)
    cpu_s = time.process_time()
    with PollPool(target, OrdertrackProtocol(HOLD_S, token)) as pool:
        pool.repoll = False
        before = fetch_statistics(pool)
        if polls // orders > (most := int(before["max_connections_per_order"])):
            raise CannotLoad(f"The server holds {most} polls per order: use more orders or fewer polls.")

        def held() -> int:
            return int(fetch_statistics(pool)["active_connections"]) - int(before["active_connections"])

        say(f"creating {orders:,} orders")
        feeds = create_feeds(pool, orders)
        say(f"opening {polls:,} polls")
        started_s = time.perf_counter()
        open_polls(pool, feeds, polls // orders, held)
        connected_s = time.perf_counter() - started_s
        holding = fetch_statistics(pool)
        say("waking all polls with single updates")
        single = _round(pool, feeds, batch=1)
        repoll_all(pool, held)
        say(f"waking all polls with {BULK} updates per request")
        bulk = _round(pool, feeds, batch=BULK)
        repoll_all(pool, held)
        say("waking all polls with one update at a time")
        sequential = _round(pool, feeds, batch=1, one_at_a_time=True)
        repoll_all(pool, held)
        say("delivering all orders")
        _round(pool, feeds, batch=BULK)
        after = fetch_statistics(pool)
        return Report(
            url=url,
            server=f"ordertrack {before['version']}",
            store=str(before["store"]),
            polls=polls,
            orders=orders,
            connected_s=round(connected_s, 2),
            bytes_per_held_poll=holding["bytes_per_held_poll"],
            single_updates_per_s=round(single.updates / single.seconds),
            single_wakeups_per_s=round(single.woken / single.seconds),
            bulk_updates_per_s=round(bulk.updates / bulk.seconds),
            bulk_wakeups_per_s=round(bulk.woken / bulk.seconds),
            update_to_all_p50_ms=milliseconds(sequential.fan_out_s, 0.5),
            update_to_all_p99_ms=milliseconds(sequential.fan_out_s, 0.99),
            answers=pool.woken + pool.timeouts,
            missing=pool.missing,
            late=pool.late,
            wrong=dict(pool.wrong),
            server_lost_wakeups=after["lost_wakeups_total"] - before["lost_wakeups_total"],
            generator_cpu_s=round(time.process_time() - cpu_s, 2),
        )


def _round(pool: PollPool, feeds: list[Feed], *, batch: int, one_at_a_time: bool = False) -> Result:
    with closing(UpdateDriver(pool, feeds, batch=batch, one_at_a_time=one_at_a_time)) as driver:
        return driver.run(len(feeds))
