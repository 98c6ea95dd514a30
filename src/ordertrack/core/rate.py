"""Rate limits by the generic cell rate algorithm (ITU-T I.371, annex A), for many keys in little memory. Pure.

A key has one number: its theoretical arrival time, when its budget will be whole again. Nothing refills in the
background.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Hashable
from typing import NamedTuple


class Quota(NamedTuple):
    """`requests` in any `window_s` seconds, all at once if need be."""

    requests: int
    window_s: int

    @property
    def interval_s(self) -> float:
        """What one request takes from the budget."""
        return self.window_s / self.requests


class Verdict(NamedTuple):
    """`remaining` requests may follow at once; `reset_s` until the budget is whole; `retry_after_s` is 0 when the
    request is allowed, else when the next one would be."""

    allowed: bool
    remaining: int
    reset_s: float
    retry_after_s: float


class RateLimiter:
    """One quota for each of many keys. Of more than `max_keys`, those that asked least recently are forgotten: they
    start with a whole budget again, which is the harmless side to err on."""

    def __init__(self, quota: Quota, *, max_keys: int) -> None:
        self.quota = quota
        self._max_keys = max_keys
        self._whole_at_s: OrderedDict[Hashable, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._whole_at_s)

    def take(self, key: Hashable, now_s: float, count: int = 1) -> Verdict:
        """Take `count` requests off the key's budget, unless there are not so many left. `now_s` is of a monotonic
        clock. More than the whole quota is never there."""
        verdict = self.look(key, now_s, count)
        if verdict.allowed:
            self._whole_at_s[key] = now_s + verdict.reset_s
            self._whole_at_s.move_to_end(key)
            if len(self._whole_at_s) > self._max_keys:
                self._whole_at_s.popitem(last=False)
        return verdict

    def look(self, key: Hashable, now_s: float, count: int = 1) -> Verdict:
        """What `take` would say; nothing is taken."""
        quota = self.quota
        before_s = max(self._whole_at_s.get(key, now_s), now_s) - now_s
        after_s = before_s + count * quota.interval_s
        over_s = after_s - quota.window_s
        if over_s > 1e-9:
            return Verdict(False, 0, before_s, over_s)
        return Verdict(True, math.floor(-over_s / quota.interval_s + 1e-9), after_s, 0.0)
