"""What this process has done since it started, counted where it happens."""

from __future__ import annotations

from collections import Counter, deque

import msgspec

from ordertrack.core.poll import Reason

KEPT_LATENCIES = 10_000


class WakeLatency(msgspec.Struct, frozen=True):
    """Milliseconds from a commit to the last byte of an answer it caused, over the latest KEPT_LATENCIES answers."""

    p50: float | None
    p99: float | None
    max: float | None


class Statistics:
    def __init__(self) -> None:
        self.polls: Counter[Reason] = Counter()
        self.updates = 0
        self.lost_wakeups = 0
        self._latencies_ms: deque[float] = deque(maxlen=KEPT_LATENCIES)

    def woke(self, latency_s: float) -> None:
        self._latencies_ms.append(latency_s * 1000)

    def wake_latency_ms(self) -> WakeLatency:
        sample = sorted(self._latencies_ms)
        if not sample:
            return WakeLatency(None, None, None)
        p50, p99 = (sample[min(int(len(sample) * q), len(sample) - 1)] for q in (0.50, 0.99))
        return WakeLatency(round(p50, 3), round(p99, 3), round(sample[-1], 3))
