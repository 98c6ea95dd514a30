"""Percentiles of what was measured, not of a model of it."""

from __future__ import annotations

import math
from collections.abc import Sequence


def percentile(values: Sequence[float], part: float) -> float:
    """The smallest value that `part` (0 to 1) of all values do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * part) - 1)]


def milliseconds(values: Sequence[float], part: float) -> float | None:
    """The percentile of seconds, in milliseconds; None without any."""
    return round(percentile(values, part) * 1000, 3) if values else None
