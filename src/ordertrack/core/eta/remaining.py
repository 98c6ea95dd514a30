"""The distribution of a remaining time, from weighted samples. Pure.

Values are natural logarithms of times, so that a spread is relative: twice the time has a window of twice the width.
"""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import accumulate, pairwise

Sample = tuple[float, float]
"""A value and its weight."""
ATOMS = 15


def logistic_atoms(spread: float) -> tuple[float, ...]:
    """Return the middles of `ATOMS` equal shares of a logistic distribution around 0 with this standard deviation.

    It stands for the logarithm of a time of which only a usual value is known: its tails are longer than those of a
    normal distribution.
    """
    scale = spread * math.sqrt(3) / math.pi
    shares = ((at + 0.5) / ATOMS for at in range(ATOMS))
    return tuple(scale * math.log(share / (1 - share)) for share in shares)


class NumberedValues:
    """The values of numbered orders, in ascending order of the values."""

    __slots__ = ("_numbers", "_values")

    def __init__(self) -> None:
        self._values = array("d")
        self._numbers = array("q")

    def __len__(self) -> int:
        return len(self._values)

    @property
    def median(self) -> float:
        """Return the middle value; there must be one."""
        return self._values[len(self._values) // 2]

    def add(self, value: float, number: int) -> None:
        place = bisect_right(self._values, value)
        self._values.insert(place, value)
        self._numbers.insert(place, number)

    def drop(self, number: int) -> None:
        """Remove the value of an order, if it has one."""
        if number in self._numbers:
            place = self._numbers.index(number)
            del self._values[place], self._numbers[place]

    def weighted(self, weights: Sequence[float], newest: int) -> list[Sample]:
        """Return the samples, with the weight that `weights` has at the age of each order, in orders."""
        pairs = zip(self._values, self._numbers, strict=True)
        return [(value, weights[newest - number]) for value, number in pairs]


class Distribution:
    """A distribution function that is linear between neighbouring samples. Half of the weight of a sample is below it.
    There must be a sample."""

    __slots__ = ("_middles", "_values")

    def __init__(self, samples: list[Sample]) -> None:
        ordered = sorted(samples)
        sums = list(accumulate([weight for _, weight in ordered], initial=0.0))
        doubled = 2 * sums[-1]
        self._values = array("d", [value for value, _ in ordered])
        self._middles = array("d", [(before + after) / doubled for before, after in pairwise(sums)])

    def share_below(self, value: float) -> float:
        """Return the probability of less than `value`."""
        values, middles = self._values, self._middles
        at = bisect_right(values, value)
        if at == 0:
            return 0.0
        if at == len(values):
            return 1.0
        step = (value - values[at - 1]) / (values[at] - values[at - 1])
        return middles[at - 1] + step * (middles[at] - middles[at - 1])

    def quantile(self, share: float) -> float:
        """Return the value below which there is this share, within the samples."""
        values, middles = self._values, self._middles
        at = bisect_left(middles, share)
        if at == 0:
            return values[0]
        if at == len(middles):
            return values[-1]
        step = (share - middles[at - 1]) / (middles[at] - middles[at - 1])
        return values[at - 1] + step * (values[at] - values[at - 1])
