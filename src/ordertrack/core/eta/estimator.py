"""Windows of arrival from each restaurant's own history. Pure.

1. The samples of a status are the times from entering it until delivery, of the restaurant's last orders. Recent orders
   have a greater weight. The stages are not predicted one by one, because those of an order depend on each other.
2. Configured times are samples too: a curve whose centre moves from the configured time to the median of the
   restaurant's own. So the first orders show how fast the restaurant is, and later ones how regular.
3. Orders of some hours of the day take longer. The factor of an hour comes from the orders created in it; it is near 1
   while they are few. Samples are divided by it, windows are multiplied by it.
4. The window of an order that has waited already is that of the samples that are longer than its wait.
5. Results correct the two quantiles of the window, each on its own, by adaptive conformal inference (Gibbs and Candès,
   "Adaptive Conformal Inference Under Distribution Shift", 2021, arXiv:2106.00455): an order outside makes the next
   window of its restaurant and status wider, an order inside makes it slightly narrower. So the share outside tends to
   the wanted one, also while the restaurant changes.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Mapping

import msgspec

from ordertrack.core.eta.remaining import ATOMS, Distribution, NumberedValues, logistic_atoms
from ordertrack.core.eta.stages import entered_at_ms
from ordertrack.core.event import PROGRESSION, Status
from ordertrack.core.order import Order
from ordertrack.core.simulation import TIMINGS_S
from ordertrack.core.window import Window

STAGES = PROGRESSION[:-1]
_AT = {status: at for at, status in enumerate(STAGES)}
_MINUTE_MS, _HOUR_MS = 60_000, 3_600_000
_LEAST_MS = 1_000
"""Least remaining time: its logarithm is taken."""
_MOST_DEVIATION = 1.0
"""Greatest logarithm that one order adds to the factor of its hour."""
_FIRST_ORDERS = 20
"""Orders of a restaurant before factors of hours are learned: until then its usual time is not known."""
_REFIT_ORDERS = 4
"""Distributions are calculated after each of the first orders, then after every fourth one: it is most of the cost."""


class Tuning(msgspec.Struct, frozen=True):
    """Constants of the model, chosen with `python -m bench.eta --tuning`."""

    miss: float = 0.1
    """Wanted share of orders that arrive before the window, and of those that arrive after it."""
    gain: float = 0.005
    """Correction by one result."""
    least_miss: float = 0.005
    most_miss: float = 0.3
    """Bounds of the corrected share."""
    memory_orders: float = 35
    """Number of later orders at which the weight of a sample has fallen to 1/e."""
    centre_orders: float = 3
    """Weight of the configured time in the centre of its curve, in orders."""
    shape_orders: float = 6
    """Weight of the configured curve among the samples, in orders."""
    hour_orders: float = 16
    """Number of orders of an hour at which half of their deviation becomes its factor."""
    hour_memory: float = 0.98
    """Weight of an earlier order of the hour, by each later one."""
    hour_effect: tuple[float, ...] = (1, 1, 1, 0)
    """Exponent of the factor, by status: it does not hold for the ride."""
    growth: float = 1.2
    """The window ends at this multiple of the wait, or later: for an order that waits longer than all samples."""
    least_width: int = 5
    """Least width of a window, in units (`ArrivalEstimator`)."""


TUNED = Tuning()


class _Restaurant:
    """The state of one restaurant: the result of adding its orders one after another.

    `values` has the logarithms of the remaining milliseconds by status, without the factor of the hour.
    `recorded_at_ms` has the delivery times of the kept orders by id, oldest first; `dropped_ms` is the latest of the
    orders that are not kept any more; `added` counts all orders. `misses` has the corrected shares before and after the
    window by status. `hour_sums` and `hour_counts` have the deviations of orders by hour of their creation.
    """

    __slots__ = (
        "added", "distributions", "dropped_ms", "hour_counts", "hour_sums", "misses", "recorded_at_ms", "values",
    )  # fmt: skip

    def __init__(self, miss: float) -> None:
        self.added = 0
        self.recorded_at_ms: dict[int, int] = {}
        self.dropped_ms = 0
        self.values = [NumberedValues() for _ in STAGES]
        self.distributions: list[Distribution] = []
        self.misses = [[miss, miss] for _ in STAGES]
        self.hour_sums = [0.0] * 24
        self.hour_counts = [0.0] * 24


class ArrivalEstimator:
    """Estimates windows of arrival. `learn` adds delivered orders, in one thread; `window` changes nothing and may be
    called by another one meanwhile.

    `timings_s` has the usual seconds in each status. `spread` is the standard deviation of the remaining time, relative
    to it. Windows begin and end at whole units: minutes, or a thirtieth of the usual time of an order if that is less.
    Of each restaurant `max_orders` orders are kept, and the `max_restaurants` that delivered last.
    """

    def __init__(
        self,
        timings_s: Mapping[Status, float] = TIMINGS_S,
        spread: float = 0.5,
        *,
        max_orders: int = 60,
        max_restaurants: int = 5_000,
        tuning: Tuning = TUNED,
    ) -> None:
        self._tuning = tuning
        self._max_orders = max_orders
        self._max_restaurants = max_restaurants
        self._configured = [
            math.log(max(sum(timings_s[status] for status in STAGES[at:]) * 1000, _LEAST_MS))
            for at in range(len(STAGES))
        ]
        usual_ms = math.exp(self._configured[0])
        self._unit_ms = min(_MINUTE_MS, max(_LEAST_MS, round(usual_ms / 30)))
        self._atoms = logistic_atoms(spread)
        self._weights = [math.exp(-age / tuning.memory_orders) for age in range(max_orders)]
        self._restaurants: OrderedDict[str, _Restaurant] = OrderedDict()
        self._unknown = self._new_restaurant()

    def window(self, restaurant_id: str, status: Status, since_ms: int, now_ms: int) -> Window:
        """Return the window of arrival of an order that has had `status` since `since_ms`, as known at `now_ms`.

        It begins at `now_ms` or later. Its end does not become earlier while the order waits in one status and nothing
        is learned.

        Raises: KeyError for a status that ends an order.
        """
        restaurant = self._restaurants.get(restaurant_id, self._unknown)
        return self._window(restaurant, _AT[status], since_ms, now_ms)

    def learn(self, order: Order) -> None:
        """Add a delivered order; do nothing with any other, with one that is kept, or one delivered before those that
        were kept: so an order counts once, however often it is given.

        Orders that are learned later have a greater weight, so they should come in about the order of their delivery.
        A cancelled order is not used: it tells that it would have arrived later, not when.
        """
        if order.status is not Status.DELIVERED:
            return
        restaurant = self._restaurants.get(order.restaurant_id)
        if restaurant is None:
            restaurant = self._restaurants[order.restaurant_id] = self._new_restaurant()
            if len(self._restaurants) > self._max_restaurants:
                self._restaurants.popitem(last=False)
        else:
            self._restaurants.move_to_end(order.restaurant_id)
        if order.id not in restaurant.recorded_at_ms and order.updated_at_ms > restaurant.dropped_ms:
            self._add(restaurant, order)

    def _new_restaurant(self) -> _Restaurant:
        restaurant = _Restaurant(self._tuning.miss)
        self._refit(restaurant)
        return restaurant

    def _window(self, restaurant: _Restaurant, at: int, since_ms: int, now_ms: int) -> Window:
        tuning = self._tuning
        distribution = restaurant.distributions[at]
        factor = self._hour_factor(restaurant, at, since_ms)
        early, late = restaurant.misses[at]
        waited_ms = max(now_ms - since_ms, 0)
        passed = distribution.share_below(math.log(waited_ms) - factor) if waited_ms else 0.0
        least_ms = math.exp(factor + distribution.quantile(passed + early * (1 - passed)))
        most_ms = math.exp(factor + distribution.quantile(1 - late * (1 - passed)))
        most_ms = max(most_ms, waited_ms * tuning.growth)
        unit_ms = self._unit_ms
        from_ms = max((since_ms + int(least_ms)) // unit_ms * unit_ms, now_ms)
        to_ms = -(-(since_ms + int(most_ms)) // unit_ms) * unit_ms
        return Window(from_ms, max(to_ms, from_ms + tuning.least_width * unit_ms))

    def _hour_factor(self, restaurant: _Restaurant, at: int, entered_ms: int) -> float:
        """Return the logarithm of the factor for orders that entered the status in this hour of the day (UTC)."""
        hour = entered_ms // _HOUR_MS % 24
        shown = restaurant.hour_sums[hour] / (restaurant.hour_counts[hour] + self._tuning.hour_orders)
        return shown * self._tuning.hour_effect[at]

    def _add(self, restaurant: _Restaurant, order: Order) -> None:
        entered = entered_at_ms(order)
        delivered_ms = entered.pop(Status.DELIVERED)
        added: list[tuple[int, float]] = []
        for status, since_ms in entered.items():
            at = _AT[status]
            self._correct(restaurant, at, since_ms, delivered_ms)
            remaining = math.log(max(delivered_ms - since_ms, _LEAST_MS))
            added.append((at, remaining - self._hour_factor(restaurant, at, since_ms)))
        if restaurant.added >= _FIRST_ORDERS:
            self._learn_hour(restaurant, entered[Status.CONFIRMED], delivered_ms)
        for values in restaurant.values:
            values.drop(restaurant.added - self._max_orders)
        for at, value in added:
            restaurant.values[at].add(value, restaurant.added)
        if len(restaurant.recorded_at_ms) == self._max_orders:
            dropped = restaurant.recorded_at_ms.pop(next(iter(restaurant.recorded_at_ms)))
            restaurant.dropped_ms = max(restaurant.dropped_ms, dropped)
        restaurant.recorded_at_ms[order.id] = order.updated_at_ms
        restaurant.added += 1
        if restaurant.added <= _FIRST_ORDERS or restaurant.added % _REFIT_ORDERS == 0:
            self._refit(restaurant)

    def _correct(self, restaurant: _Restaurant, at: int, entered_ms: int, delivered_ms: int) -> None:
        """Correct the levels by the window that the order would have had by the orders added before it."""
        tuning = self._tuning
        window = self._window(restaurant, at, entered_ms, entered_ms)
        levels = restaurant.misses[at]
        for end, missed in enumerate((delivered_ms < window.from_ms, delivered_ms > window.to_ms)):
            level = levels[end] + tuning.gain * (tuning.miss - missed)
            levels[end] = min(max(level, tuning.least_miss), tuning.most_miss)

    def _learn_hour(self, restaurant: _Restaurant, created_ms: int, delivered_ms: int) -> None:
        """Learn the factor of the hour of creation from the whole time of an order."""
        hour, kept = created_ms // _HOUR_MS % 24, self._tuning.hour_memory
        usual = restaurant.distributions[0].quantile(0.5)
        deviation = math.log(max(delivered_ms - created_ms, _LEAST_MS)) - usual
        bounded = min(max(deviation, -_MOST_DEVIATION), _MOST_DEVIATION)
        restaurant.hour_sums[hour] = kept * restaurant.hour_sums[hour] + bounded
        restaurant.hour_counts[hour] = kept * restaurant.hour_counts[hour] + 1

    def _refit(self, restaurant: _Restaurant) -> None:
        restaurant.distributions = [self._distribution(restaurant, at) for at in range(len(STAGES))]

    def _distribution(self, restaurant: _Restaurant, at: int) -> Distribution:
        tuning, centre, values = self._tuning, self._configured[at], restaurant.values[at]
        if count := len(values):
            centre = (tuning.centre_orders * centre + count * values.median) / (tuning.centre_orders + count)
        weight = tuning.shape_orders / ATOMS
        own = values.weighted(self._weights, restaurant.added - 1)
        return Distribution(own + [(centre + atom, weight) for atom in self._atoms])
