"""Simulated orders of restaurants that differ, for `bench.eta`. All numbers here are assumptions, not measured."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from itertools import accumulate
from typing import NamedTuple

from ordertrack.core.event import PROGRESSION, Event, EventType, Status
from ordertrack.core.order import NewOrder, Order, create, evolve
from ordertrack.core.simulation import TIMINGS_S

DAY_S = 86_400
FIRST_DAY_S = 20_000 * DAY_S
DAYS = 21
OPEN_H, CLOSED_H = 11.0, 22.0
ORDERS_PER_DAY = (8, 20, 45)
"""Each kind has a restaurant of each."""


class Kind(NamedTuple):
    """A kind of restaurant. `pace` multiplies the configured stage times. `spread` is the standard deviation of the
    logarithm of a stage time, of orders in the same hour. At the peak of an average day `rush` is added to the factor
    1 of preparing. `drift` is the growth of the logarithm of all times over the whole history. `opens` is the share of
    the history after which the restaurant opens."""

    pace: float
    spread: float
    rush: float
    drift: float = 0.0
    opens: float = 0.0


KINDS = {
    "fast": Kind(0.6, 0.25, 0.3),
    "usual": Kind(1.0, 0.25, 0.4),
    "slow": Kind(1.7, 0.25, 0.4),
    "steady": Kind(1.0, 0.1, 0.15),
    "erratic": Kind(1.1, 0.5, 0.5),
    "rush hours": Kind(0.9, 0.2, 1.2),
    "drifting": Kind(0.9, 0.25, 0.4, drift=0.5),
    "new": Kind(1.2, 0.25, 0.4, opens=0.5),
}
SPREADS = (1.6, 1.0, 1.6, 1.3)
"""Spread of each stage, relative to that of the kind: waiting varies more than cooking."""
RUSH = (0.0, 1.0, 0.7, 0.0)
"""Effect of the rush on each stage, relative to preparing."""
PACE_SPREAD, SHARE_SPREAD = 0.12, 0.2
"""Differences of the restaurants of a kind: in the pace, and in the share of each stage."""
DAY_SPREAD, DISTANCE_SPREAD = 0.3, 0.25
"""Differences of the rush by day, and of the ride by order."""
DISTURBANCE, DISTURBANCE_H = 0.12, 1.0
"""Standard deviation of the logarithm of a factor that all orders of a restaurant share for a while, as when a cook is
missing, and the time in which it fades to 1/e."""
VERY_LONG, FORGOTTEN, SKIPPED, UNDONE, CANCELLED = 0.01, 0.03, 0.015, 0.005, 0.03
"""Shares. Of orders: one stage takes two to five times its time. Of steps: recorded some seconds before the next one,
not recorded, recorded too early and undone. Of orders: cancelled."""


def simulate(seed: int) -> list[Order]:
    """Return the orders of all restaurants, with their timelines, in order of creation."""
    rng = random.Random(seed)
    order_ids = iter(range(1, 1_000_000))
    orders = [
        order
        for name, kind in KINDS.items()
        for per_day in ORDERS_PER_DAY
        for order in _restaurant(f"{name}/{per_day}", kind, per_day, order_ids, rng)
    ]
    return sorted(orders, key=lambda order: order.created_at_ms)


def demand(hour: float) -> float:
    """Return the demand at an hour of the day; about 1 at the peak of lunch and a little less at that of dinner."""
    return math.exp(-((hour - 12.5) ** 2)) + 0.9 * math.exp(-(((hour - 19.3) / 1.3) ** 2))


def _restaurant(name: str, kind: Kind, per_day: int, order_ids: Iterator[int], rng: random.Random) -> Iterator[Order]:
    pace = kind.pace * math.exp(rng.gauss(0, PACE_SPREAD))
    stages_s = [pace * seconds * math.exp(rng.gauss(0, SHARE_SPREAD)) for seconds in TIMINGS_S.values()]
    for day in range(round(kind.opens * DAYS), DAYS):
        rush = kind.rush * math.exp(rng.gauss(0, DAY_SPREAD))
        disturbance, last_h = 0.0, -math.inf
        for hour in _hours(per_day, rng):
            kept = math.exp((last_h - hour) / DISTURBANCE_H)
            disturbance = kept * disturbance + math.sqrt(1 - kept**2) * rng.gauss(0, DISTURBANCE)
            last_h = hour
            now = math.exp(disturbance + kind.drift * day / DAYS)
            times_s = [
                stage_s * now * (1 + rush * demand(hour) * by_rush) * math.exp(rng.gauss(0, kind.spread * by_stage))
                for stage_s, by_rush, by_stage in zip(stages_s, RUSH, SPREADS, strict=True)
            ]
            times_s[-1] *= math.exp(rng.gauss(0, DISTANCE_SPREAD))
            if rng.random() < VERY_LONG:
                times_s[rng.randrange(len(times_s))] *= rng.uniform(2, 5)
            yield _order(next(order_ids), name, FIRST_DAY_S + day * DAY_S + hour * 3600, times_s, rng)


def _hours(per_day: int, rng: random.Random) -> list[float]:
    """Return the hours at which orders are created on one day."""
    hours: list[float] = []
    count = sum(rng.random() < 0.5 for _ in range(2 * per_day))
    while len(hours) < count:
        hour = rng.uniform(OPEN_H, CLOSED_H)
        if rng.random() < 0.15 + 0.85 * demand(hour):
            hours.append(hour)
    return sorted(hours)


def _order(order_id: int, restaurant_id: str, created_s: float, times_s: list[float], rng: random.Random) -> Order:
    order = create(order_id, NewOrder(customer_id="c", restaurant_id=restaurant_id), round(created_s * 1000))
    at_s = list(accumulate(times_s, initial=created_s))[1:]
    for at in (2, 1, 0):
        if rng.random() < FORGOTTEN:
            at_s[at] = max(at_s[at], at_s[at + 1] - rng.uniform(1, 20))
    cancelled_at = rng.randrange(3) if rng.random() < CANCELLED else None
    for at, status in enumerate(PROGRESSION[1:]):
        if at == cancelled_at:
            return _after(order, EventType.STATUS_CHANGED, Status.CANCELLED, at_s[at])
        if status is not Status.DELIVERED and rng.random() < SKIPPED:
            continue
        if status is not Status.DELIVERED and rng.random() < UNDONE:
            before, since_s = order.status, order.updated_at_ms / 1000
            tapped_s = since_s + rng.uniform(0.2, 0.8) * (at_s[at] - since_s)
            order = _after(order, EventType.STATUS_CHANGED, status, tapped_s)
            order = _after(order, EventType.REVERTED, before, tapped_s + 20)
        order = _after(order, EventType.STATUS_CHANGED, status, at_s[at])
    return order


def _after(order: Order, kind: EventType, status: Status, at_s: float) -> Order:
    at_ms = max(round(at_s * 1000), order.updated_at_ms + 1)
    return evolve(order, Event(order.version + 1, kind, status, at_ms, at_ms, "simulated"))
