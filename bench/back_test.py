"""Ask for the windows of orders as if it were then, and score them beside windows from fixed times."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from operator import attrgetter
from typing import NamedTuple

from ordertrack.core.eta.estimator import STAGES, ArrivalEstimator
from ordertrack.core.event import EventType, Status
from ordertrack.core.order import Order
from ordertrack.core.simulation import TIMINGS_S
from ordertrack.core.window import Window

MINUTE_MS = 60_000
AGAIN_MS = 10 * MINUTE_MS
CONFIGURED_MS = {status: sum(TIMINGS_S[each] for each in STAGES[at:]) * 1000 for at, status in enumerate(STAGES)}


class Case(NamedTuple):
    """A window of an order, beside the one without any history, and when the order was delivered. `known` is the number
    of orders of its restaurant that were delivered before. `is_again` is False at a change of status."""

    kind: str
    status: Status
    known: int
    is_again: bool
    since_ms: int
    delivered_ms: int
    window: Window
    configured: Window

    @property
    def factor(self) -> float:
        """Return the time from the change of status to delivery, as a multiple of the configured one."""
        return (self.delivered_ms - self.since_ms) / CONFIGURED_MS[self.status]


class Score(NamedTuple):
    """Shares in percent, mean width in minutes."""

    cases: int
    covered: float
    before: float
    after: float
    width: float


class Factors(NamedTuple):
    """Windows from fixed times: the configured time until delivery, multiplied by each of these."""

    least: float
    most: float

    def apply(self, cases: Sequence[Case]) -> Score:
        before = sum(case.factor < self.least for case in cases)
        after = sum(case.factor > self.most for case in cases)
        width_ms = (self.most - self.least) * sum(CONFIGURED_MS[case.status] for case in cases)
        return _score(len(cases), before, after, width_ms)


class _Moment(NamedTuple):
    """A moment at which the window of an order is asked for. They compare by time."""

    now_ms: int
    order_id: int
    status: Status
    since_ms: int
    is_again: bool


def back_test(orders: Sequence[Order], estimator: ArrivalEstimator) -> list[Case]:
    """Return the cases of each delivered order: at creation, at each change of status, and every `AGAIN_MS` after it.

    At each moment the estimator has learned the orders that were delivered before it.
    """
    unlearned = ArrivalEstimator()
    delivered = {order.id: order for order in orders if order.status is Status.DELIVERED}
    by_delivery = iter(sorted(delivered.values(), key=attrgetter("updated_at_ms")))
    following = next(by_delivery, None)
    known: dict[str, int] = {}
    cases: list[Case] = []
    for now_ms, order_id, status, since_ms, is_again in sorted(
        moment for order in delivered.values() for moment in _moments(order)
    ):
        while following is not None and following.updated_at_ms < now_ms:
            estimator.learn(following)
            known[following.restaurant_id] = known.get(following.restaurant_id, 0) + 1
            following = next(by_delivery, None)
        order = delivered[order_id]
        name = order.restaurant_id
        window, configured = (each.window(name, status, since_ms, now_ms) for each in (estimator, unlearned))
        kind = name.partition("/")[0]
        cases.append(
            Case(kind, status, known.get(name, 0), is_again, since_ms, order.updated_at_ms, window, configured)
        )
    return cases


def _moments(order: Order) -> Iterator[_Moment]:
    since_ms: dict[Status, int] = {}
    for event, following in pairwise(order.timeline):
        if event.type is not EventType.REVERTED:
            since_ms[event.status] = event.recorded_at_ms
        for now_ms in range(event.recorded_at_ms, following.recorded_at_ms, AGAIN_MS):
            is_again = now_ms > event.recorded_at_ms
            yield _Moment(now_ms, order.id, event.status, since_ms[event.status], is_again)


def score(cases: Sequence[Case], of: Callable[[Case], Window] = attrgetter("window")) -> Score:
    """Return the score of one of the two windows of each case."""
    windows = [(of(case), case.delivered_ms) for case in cases]
    before = sum(delivered_ms < window.from_ms for window, delivered_ms in windows)
    after = sum(delivered_ms > window.to_ms for window, delivered_ms in windows)
    return _score(len(cases), before, after, sum(window.to_ms - window.from_ms for window, _ in windows))


def _score(count: int, before: int, after: int, width_ms: float) -> Score:
    covered = 100 * (count - before - after) / count
    return Score(count, covered, 100 * before / count, 100 * after / count, width_ms / count / MINUTE_MS)


def equal_tails(cases: Sequence[Case], covered: float) -> Factors:
    """Return the factors that cover this share (percent) of the cases and miss as many before as after."""
    factors = sorted(case.factor for case in cases)
    tail = round(len(factors) * (1 - covered / 100) / 2)
    return Factors(factors[tail], factors[-1 - tail])


def narrowest(cases: Sequence[Case], covered: float) -> Factors:
    """Return the factors that cover this share (percent) of the cases with the least width."""
    factors = sorted(case.factor for case in cases)
    inside = round(len(factors) * covered / 100)
    start = min(range(len(factors) - inside), key=lambda at: factors[at + inside] - factors[at])
    return Factors(factors[start], factors[start + inside])
