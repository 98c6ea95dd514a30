"""Rate limits by the generic cell rate algorithm (ITU-T I.371, annex A), for many keys in little memory. Pure.

A key has one number: its theoretical arrival time, when its budget is full again. Nothing runs in the background.

A request is admitted while its key's budget has room for one. A bulk update is charged for the rest of its cost
afterwards, which delays the requests that follow, as in Guava's RateLimiter. So the retry time of a refusal does not
depend on the cost of the refused request, which is unknown before its body is read.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Hashable
from typing import NamedTuple

import msgspec

TOLERANCE_S = 1e-6
"""Tolerance for rounding when clocks are far from 0: a float of 10^9 seconds is exact to 10^-7."""


class Quota(NamedTuple):
    """`requests` in `window_s` seconds, also in one burst."""

    requests: int
    window_s: int

    @property
    def interval_s(self) -> float:
        """Seconds of the budget that one request takes."""
        return self.window_s / self.requests


class Verdict(msgspec.Struct, frozen=True, gc=False):
    """`remaining` requests may follow at once; the budget is full in `reset_s` seconds; `retry_after_s` is 0 for an
    allowed request, else the seconds until it is allowed without other requests: at most a window."""

    allowed: bool
    remaining: int
    reset_s: float
    retry_after_s: float


class RateLimiter:
    """One quota for each key. Beyond `max_keys`, the least recently used keys are evicted and have a full budget again:
    too permissive rather than too strict. `now_s` is a monotonic time."""

    def __init__(self, quota: Quota, *, max_keys: int) -> None:
        self.quota = quota
        self._max_keys = max_keys
        self._full_at_s: OrderedDict[Hashable, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._full_at_s)

    def take(self, key: Hashable, now_s: float) -> Verdict:
        """Take one request from the key's budget, if it has room for one."""
        verdict = self.peek(key, now_s)
        if verdict.allowed:
            self._set(key, now_s + verdict.reset_s)
        return verdict

    def charge(self, key: Hashable, now_s: float, count: int) -> None:
        """Take `count` more from the budget, for a request that `take` has just admitted. One request costs at most the
        whole quota."""
        more = min(count, self.quota.requests - 1)
        if more > 0:
            self._set(key, max(self._full_at_s.get(key, now_s), now_s) + more * self.quota.interval_s)

    def peek(self, key: Hashable, now_s: float) -> Verdict:
        """Return the verdict that `take` would, without taking."""
        quota = self.quota
        before_s = max(self._full_at_s.get(key, now_s), now_s) - now_s
        after_s = before_s + quota.interval_s
        over_s = after_s - quota.window_s
        if over_s > TOLERANCE_S:
            return Verdict(False, 0, before_s, over_s)
        return Verdict(True, math.floor((TOLERANCE_S - over_s) / quota.interval_s), after_s, 0.0)

    def _set(self, key: Hashable, full_at_s: float) -> None:
        self._full_at_s[key] = full_at_s
        self._full_at_s.move_to_end(key)
        if len(self._full_at_s) > self._max_keys:
            self._full_at_s.popitem(last=False)
