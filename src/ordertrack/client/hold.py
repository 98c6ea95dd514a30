"""How long to let the server hold a poll. Long holds save the battery, but every path cuts them somewhere: proxies,
load balancers and a carrier's NAT each at another length, and some of them silently. So the length is found by trying.
"""

from __future__ import annotations

import math

import msgspec

MAX_PATIENCE = 32


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """The figures of live tracking, in seconds. The defaults are good for phones and for servers.

    A hold starts at `first_hold_s` and stays between `min_hold_s` and `max_hold_s` (a carrier's NAT forgets a silent
    connection after about 4.5 minutes), and never above what the server allows. `margin_s` is how much longer than the
    hold an answer may take. Less than `quick_s` is too quick for an answer without news; no hold is shorter than that.
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
    """Doubles after a hold that worked, halves after one that was lost.

    Patience is the number of holds that must work before the next doubling: 1, and twice as many after each loss until
    a longer hold has worked. So a path that cuts at 100 s is tried again ever more rarely, but a single accident (a
    tunnel, a server's restart) is soon forgotten.
    """

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._max_s = pace.max_hold_s
        self._wanted_s = pace.first_hold_s
        self._patience = 1
        self._worked = 0
        self._longest_s = 0.0

    @property
    def length_s(self) -> float:
        return min(max(self._wanted_s, self._pace.min_hold_s), self._max_s)

    def allow(self, max_timeout_s: float | None) -> None:
        """The server's limit. Without one, or with one that makes no sense, the latest stays."""
        if max_timeout_s is not None and math.isfinite(max_timeout_s) and max_timeout_s > 0:
            self._max_s = max(min(max_timeout_s, self._pace.max_hold_s), self._pace.quick_s)

    def worked(self, took_s: float) -> None:
        """A hold came to its end as it should. One that was cut short says nothing of longer ones."""
        length_s = self.length_s
        if took_s < 0.8 * length_s:
            return
        self._worked += 1
        if length_s > self._longest_s:
            self._longest_s, self._patience = length_s, 1
        if self._worked >= self._patience:
            self._worked = 0
            self._wanted_s = max(self._wanted_s, min(2 * length_s, self._pace.max_hold_s))

    def lost(self) -> None:
        """A hold ended in silence, a reset, or a proxy's error."""
        self._worked = 0
        self._patience = min(2 * self._patience, MAX_PATIENCE)
        self._wanted_s = self.length_s / 2
        self._longest_s = self.length_s


def seconds_text(seconds: float) -> str:
    """As the wire wants it: a plain decimal number, never `1e-05`."""
    return f"{seconds:.3f}".rstrip("0").rstrip(".")
