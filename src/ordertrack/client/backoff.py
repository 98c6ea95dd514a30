"""Backoff with full jitter, so that clients that failed together do not retry together."""

from __future__ import annotations

from collections.abc import Callable

Random = Callable[[], float]
"""Returns a number from 0 to 1, as `random.random` does."""


def backoff_s(failures: int, random: Random, *, base_s: float, cap_s: float, retry_after_s: float = 0.0) -> float:
    """Return the seconds before the next try after `failures` (1 or more) in a row: at most `retry_after_s + cap_s`.

    The random part is added to `Retry-After`, which alone would make all clients return at the same moment.
    """
    spread_s = min(cap_s, base_s * 2.0 ** min(failures - 1, 30))
    return retry_after_s + random() * spread_s
