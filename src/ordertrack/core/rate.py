"""Rate limits by the generic cell rate algorithm (ITU-T I.371, annex A), for many keys in little memory. Pure.

A key has one number: its theoretical arrival time, when its budget will be whole again. Nothing refills in the
background.

A request is admitted while its key's budget has room for one. What it costs beyond that (a bulk update) is charged to
the budget afterwards and delays the requests that follow, as in Guava's RateLimiter. So the time a refusal names does
not depend on what the refused request would have cost, which is not known before its body is read.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Hashable
from typing import NamedTuple

TOLERANCE_S = 1e-6
"""What is lost to rounding when clocks are far from 0: a float of 10^9 seconds is exact to 10^-7."""


class Quota(NamedTuple):
    """`requests` in `window_s` seconds, all at once if need be."""

    requests: int
    window_s: int

    @property
    def interval_s(self) -> float:
        """What one request takes from the budget."""
        return self.window_s / self.requests


class Verdict(NamedTuple):
    """`remaining` requests may follow at once; `reset_s` until the budget is whole; `retry_after_s` is 0 when the
    request is allowed, else the seconds after which it is, if nothing else is taken meanwhile: at most a window."""

    allowed: bool
    remaining: int
    reset_s: float
    retry_after_s: float


class RateLimiter:
    """One quota for each of many keys. Of more than `max_keys`, those that asked least recently are forgotten: they
    start with a whole budget again, which is the harmless side to err on. `now_s` is of a monotonic clock."""

    def __init__(self, quota: Quota, *, max_keys: int) -> None:
        self.quota = quota
        self._max_keys = max_keys
        self._whole_at_s: OrderedDict[Hashable, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._whole_at_s)

    def take(self, key: Hashable, now_s: float) -> Verdict:
        """Take one request off the key's budget, if it has room for one."""
        verdict = self.peek(key, now_s)
        if verdict.allowed:
            self._keep(key, now_s + verdict.reset_s)
        return verdict

    def charge(self, key: Hashable, now_s: float, count: int) -> None:
        """Take `count` more off the budget, for a request that `take` has just admitted. One request costs the whole
        quota at most."""
        more = min(count, self.quota.requests - 1)
        if more > 0:
            self._keep(key, max(self._whole_at_s.get(key, now_s), now_s) + more * self.quota.interval_s)

    def peek(self, key: Hashable, now_s: float) -> Verdict:
        """Return what `take` would; nothing is taken."""
        quota = self.quota
        before_s = max(self._whole_at_s.get(key, now_s), now_s) - now_s
        after_s = before_s + quota.interval_s
        over_s = after_s - quota.window_s
        if over_s > TOLERANCE_S:
            return Verdict(False, 0, before_s, over_s)
        return Verdict(True, math.floor((TOLERANCE_S - over_s) / quota.interval_s), after_s, 0.0)

    def _keep(self, key: Hashable, whole_at_s: float) -> None:
        self._whole_at_s[key] = whole_at_s
        self._whole_at_s.move_to_end(key)
        if len(self._whole_at_s) > self._max_keys:
            self._whole_at_s.popitem(last=False)
