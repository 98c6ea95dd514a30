"""The length of a hold. Long holds save battery, but proxies, load balancers and a carrier's NAT each end them after a
different time, some silently. So the client finds the length by trial.
"""

from __future__ import annotations

import math

import msgspec

GROWTH_DELAY, MAX_HOLDS_BEFORE_GROWTH = 8, 64


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """The durations of live tracking, in seconds. The defaults suit phones and servers.

    The hold starts at `first_hold_s` (28, 56, 112 and 224 s are below the common limits of proxies) and stays between
    `min_hold_s` and `max_hold_s` (a carrier's NAT drops a silent connection after about 4.5 minutes), and never above
    the server's limit. An answer may take `margin_s` longer than the hold. An answer without news in less than
    `quick_s` counts as a failure; no hold is shorter than that.
    """

    first_hold_s: float = 28.0
    min_hold_s: float = 15.0
    max_hold_s: float = 240.0
    margin_s: float = 10.0
    backoff_base_s: float = 1.0
    backoff_cap_s: float = 30.0
    drain_spread_s: float = 1.0
    quick_s: float = 1.0


class LearnedHold(msgspec.Struct, frozen=True):
    """The hold that a network path survives, as far as it is known. Keep it for later orders on the same network.

    * `length_s`: the next hold, in seconds.
    * `holds_before_growth`: the number of holds of this length that must work before it grows.
    * `worked`: the number of those that have worked.
    * `lost_s`: the longest hold that was lost, 0 for none.
    """

    length_s: float
    holds_before_growth: int = 1
    worked: int = 0
    lost_s: float = 0.0


class HoldLength:
    """The current length: doubled after holds that worked, halved after one that was lost.

    One hold must work before the first doubling, 8 after the first loss, and 64 after the second, until a hold of the
    longest length that was lost has worked. So a path that cuts at 60 s costs two polls, and a single loss has no
    lasting effect. On a path that cuts at 53 s holds of 56 s work now and then, since a server may end them earlier;
    that says nothing of 112 s.
    """

    def __init__(self, pace: Pace, learned: LearnedHold | None = None) -> None:
        self._pace = pace
        self._max_s = pace.max_hold_s
        self.learned = learned or LearnedHold(pace.first_hold_s)
        self._longest_s = 0.0
        """The longest hold that worked here."""
        self._doubted = False
        """True after a loss that was no sign of a limit."""

    @property
    def length_s(self) -> float:
        return min(max(self.learned.length_s, self._pace.min_hold_s), self._max_s)

    def allow(self, max_timeout_s: float | None) -> None:
        """Set the server's limit. A missing or invalid one is ignored."""
        if max_timeout_s is not None and math.isfinite(max_timeout_s) and max_timeout_s > 0:
            self._max_s = max(min(max_timeout_s, self._pace.max_hold_s), self._pace.quick_s)

    def worked(self, took_s: float) -> None:
        """Record a hold that ended by its timeout. One that ended much earlier is ignored."""
        length_s, learned = self.length_s, self.learned
        if took_s < 0.8 * length_s:
            return
        self._doubted = False
        self._longest_s = max(self._longest_s, min(took_s, length_s))
        lost_s, before_growth = learned.lost_s, learned.holds_before_growth
        if length_s >= min(lost_s, self._max_s):
            lost_s, before_growth = 0.0, 1
        worked, wanted_s = learned.worked + 1, learned.length_s
        if worked >= before_growth:
            worked, wanted_s = 0, max(wanted_s, min(2 * length_s, self._pace.max_hold_s))
        self.learned = LearnedHold(wanted_s, before_growth, worked, lost_s)

    def lost(self, took_s: float) -> None:
        """Record a hold that ended after `took_s` by a timeout of the client, a reset, or an error of a proxy.

        One that was lost before other holds ended is no sign of a limit, unless it happens twice in a row. One that was
        lost before the shortest hold would have ended is never a sign.
        """
        length_s, learned = self.length_s, self.learned
        if took_s < min(self._pace.min_hold_s, length_s):
            return
        if took_s < self._longest_s and not self._doubted:
            self._doubted = True
            return
        self._longest_s = min(self._longest_s, took_s)
        before_growth = min(GROWTH_DELAY * learned.holds_before_growth, MAX_HOLDS_BEFORE_GROWTH)
        self.learned = LearnedHold(length_s / 2, before_growth, 0, max(learned.lost_s, length_s))


def seconds_text(seconds: float) -> str:
    """Format seconds as a plain decimal number, never as `1e-05`."""
    return f"{seconds:.3f}".rstrip("0").rstrip(".")
