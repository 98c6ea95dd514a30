"""The measurement of `ordertrack bench`: hold polls, take the orders down their road, judge every answer.

Each order goes from confirmed to delivered, a step a round, and every round wakes all polls:

    preparing   single updates, one after another
    ready       updates in bulk requests
    picked_up   single updates, each only when all polls of the one before are answered: how long one update takes
    delivered   in bulk: the end, and no poll asks again
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ordertrack.load.orders import make_orders, statistics
from ordertrack.load.percentile import milliseconds
from ordertrack.load.polls import Feed, Swarm
from ordertrack.load.protocol import OrdertrackDialect
from ordertrack.load.ramp_up import ask_again, open_polls
from ordertrack.load.target import CannotLoad, loopback_target, room_for
from ordertrack.load.updates import Cooked, Kitchen

HOLD_S = 110.0
BULK = 100
MAX_POLLS = 50_000


@dataclass(frozen=True)
class Report:
    """Wake-ups a second count the polls answered in a round. Milliseconds are from sending one update to reading the
    last of its polls' answers. `wrong` counts answers that nobody should have got, by what was wrong with them."""

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
    """Raises CannotLoad."""
    target = loopback_target(url)
    if not 0 < orders <= polls <= MAX_POLLS or polls % orders:
        raise CannotLoad(f"Polls must be a multiple of orders, and at most {MAX_POLLS:,}.")
    room_for(polls)
    cpu_s = time.process_time()
    with Swarm(target, OrdertrackDialect(HOLD_S, token)) as swarm:
        swarm.again = False
        before = statistics(swarm)
        if polls // orders > (most := int(before["max_connections_per_order"])):
            raise CannotLoad(f"The server holds {most} polls an order: ask for more orders, or fewer polls.")

        def held() -> int:
            return int(statistics(swarm)["active_connections"]) - int(before["active_connections"])

        say(f"making {orders:,} orders")
        feeds = make_orders(swarm, orders)
        say(f"opening {polls:,} polls")
        started_s = time.perf_counter()
        open_polls(swarm, feeds, polls // orders, held)
        connected_s = time.perf_counter() - started_s
        holding = statistics(swarm)
        say("waking them: single updates")
        single = _round(swarm, feeds, batch=1)
        ask_again(swarm, held)
        say(f"waking them: updates in requests of {BULK}")
        bulk = _round(swarm, feeds, batch=BULK)
        ask_again(swarm, held)
        say("waking them: one update at a time")
        patient = _round(swarm, feeds, batch=1, patient=True)
        ask_again(swarm, held)
        say("delivering all orders")
        _round(swarm, feeds, batch=BULK)
        after = statistics(swarm)
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
            update_to_all_p50_ms=milliseconds(patient.whole_s, 0.5),
            update_to_all_p99_ms=milliseconds(patient.whole_s, 0.99),
            answers=swarm.woken + swarm.timeouts,
            missing=swarm.missing,
            late=swarm.late,
            wrong=dict(swarm.wrong),
            server_lost_wakeups=_lost(after) - _lost(before),
            generator_cpu_s=round(time.process_time() - cpu_s, 2),
        )


def _round(swarm: Swarm, feeds: list[Feed], *, batch: int, patient: bool = False) -> Cooked:
    kitchen = Kitchen(swarm, feeds, batch=batch, patient=patient)
    try:
        return kitchen.cook(len(feeds))
    finally:
        kitchen.close()


def _lost(statistics: dict[str, Any]) -> int:
    return int(statistics["lost_wakeups_total"])
