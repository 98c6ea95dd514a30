"""The length of a hold. Long holds save battery, but proxies, load balancers and a carrier's NAT each end them after a
different time, some silently. So the client finds the length by trial.
"""

from __future__ import annotations

import math

import msgspec

MAX_HOLDS_BEFORE_GROWTH = 32


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """The durations of live tracking, in seconds. The defaults suit phones and servers.

    The hold starts at `first_hold_s` and stays between `min_hold_s` and `max_hold_s` (a carrier's NAT drops a silent
    connection after about 4.5 minutes), and never above the server's limit. An answer may take `margin_s` longer than
    the hold. An answer without news in less than `quick_s` counts as a failure; no hold is shorter than that.
    """

    first_hold_s: float = 30.0
    min_hold_s: float = 15.0
    max_hold_s: float = 240.0
    margin_s: float = 10.0
    backoff_base_s: float = 1.0
    backoff_cap_s: float = 30.0
    drain_spread_s: float = 1.0
    quick_s: float = 1.0


class HoldLength:
    """The current length: doubled after a hold that worked, halved after one that was lost.

    `_holds_before_growth` holds must work before the next doubling: 1, doubled after each loss until a hold of the
    longest length that was lost has worked. So on a path that cuts at 100 s, longer holds are tried less and less
    often, but a single loss (a tunnel, a restart of the server) has no lasting effect. On a path that cuts at 57 s
    holds of 60 s work now and then, since a server may end them earlier; that says nothing of 120 s.
    """

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._max_s = pace.max_hold_s
        self._wanted_s = pace.first_hold_s
        self._holds_before_growth = 1
        self._worked = 0
        self._lost_s = 0.0

    @property
    def length_s(self) -> float:
        return min(max(self._wanted_s, self._pace.min_hold_s), self._max_s)

    def allow(self, max_timeout_s: float | None) -> None:
        """Set the server's limit. A missing or invalid one is ignored."""
        if max_timeout_s is not None and math.isfinite(max_timeout_s) and max_timeout_s > 0:
            self._max_s = max(min(max_timeout_s, self._pace.max_hold_s), self._pace.quick_s)

    def worked(self, took_s: float) -> None:
        """Record a hold that ended by its timeout. One that ended much earlier is ignored."""
        length_s = self.length_s
        if took_s < 0.8 * length_s:
            return
        self._worked += 1
        if length_s >= min(self._lost_s, self._max_s):
            self._lost_s, self._holds_before_growth = 0.0, 1
        if self._worked >= self._holds_before_growth:
            self._worked = 0
            self._wanted_s = max(self._wanted_s, min(2 * length_s, self._pace.max_hold_s))

    def lost(self) -> None:
        """Record a hold that ended by a timeout of the client, a reset, or an error of a proxy."""
        self._worked = 0
        self._holds_before_growth = min(2 * self._holds_before_growth, MAX_HOLDS_BEFORE_GROWTH)
        self._lost_s = max(self._lost_s, self.length_s)
        self._wanted_s = self.length_s / 2


def seconds_text(seconds: float) -> str:
    """Format seconds as a plain decimal number, never as `1e-05`."""
    return f"{seconds:.3f}".rstrip("0").rstrip(".")
