"""Percentiles: values that were measured, never interpolated."""

from __future__ import annotations

import math
from collections.abc import Sequence


def percentile(values: Sequence[float], fraction: float) -> float:
    """Return the smallest value that `fraction` (0 to 1) of all values do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * fraction) - 1)]


def milliseconds(values: Sequence[float], fraction: float) -> float | None:
    """Return the percentile of values in seconds as milliseconds; None without values."""
    return round(percentile(values, fraction) * 1000, 3) if values else None
