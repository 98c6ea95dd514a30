"""Counters and histograms of this process since it started, as plain numbers, because they change often.

Metric names and formats are in `http/metrics/declarations.py`.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, deque
from collections.abc import Sequence

import msgspec

from ordertrack.core.poll import Reason

KEPT_LATENCIES = 10_000
KEPT_LAGS = 120
"""One minute of measurements by `LoopLagTimer`."""

WAKE_BOUNDS_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
COMMIT_BOUNDS_S = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)
COMMIT_BOUNDS_REQUESTS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000)
LAG_BOUNDS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)


class WakeLatency(msgspec.Struct, frozen=True):
    """Milliseconds from the request of a change to the last byte of an answer it caused, over the last KEPT_LATENCIES
    answers. The wait for the commit is included; the time that the request waits to be read is not."""

    p50: float | None
    p99: float | None
    max: float | None


class Histogram:
    """A histogram: `counts[i]` counts values up to `bounds[i]` and above the bound before; the last, values above all
    bounds."""

    __slots__ = ("bounds", "counts", "sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def observe(self, value: float) -> None:
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value


class GateCounters:
    """Counters of connections, incremented by the gate on the event loop. All but `open` only grow."""

    __slots__ = (
        "accepted",
        "closed_for_room",
        "closed_slow",
        "closed_unread",
        "open",
        "out_of_descriptors",
        "refused_head",
    )

    def __init__(self) -> None:
        self.open = 0
        """Connections open now, held polls included."""
        self.accepted = 0
        self.closed_slow = 0
        """The client took too long to send a head or a body."""
        self.closed_for_room = 0
        """Closed without a complete request, or while lingering: no descriptor was free for a new connection."""
        self.closed_unread = 0
        """The client did not read its response."""
        self.refused_head = 0
        """The head was too large or not HTTP."""
        self.out_of_descriptors = 0
        """Pauses of accepting, because no descriptor was free."""


class Statistics:
    def __init__(self) -> None:
        self.polls: Counter[Reason] = Counter()
        self.refused: Counter[str] = Counter()
        """Requests answered with an error, by its code."""
        self.updates = 0
        self.lost_wakeups = 0
        self.eta_changes = 0
        """Windows that moved without a change of status."""
        self.wake_s = Histogram(WAKE_BOUNDS_S)
        self.commit_s = Histogram(COMMIT_BOUNDS_S)
        self.commit_requests = Histogram(COMMIT_BOUNDS_REQUESTS)
        self.loop_lag_s = Histogram(LAG_BOUNDS_S)
        self.gate = GateCounters()
        self._latencies_ms: deque[float] = deque(maxlen=KEPT_LATENCIES)
        self._lags_s: deque[float] = deque(maxlen=KEPT_LAGS)

    def record_wake_latency(self, latency_s: float) -> None:
        """Record an answer written `latency_s` after the change that caused it was requested."""
        self._latencies_ms.append(latency_s * 1000)
        self.wake_s.observe(latency_s)

    def commit(self, requests: int, took_s: float) -> None:
        """Record a commit; the CommitMeter of the store."""
        self.commit_requests.observe(requests)
        self.commit_s.observe(took_s)

    def record_loop_lag(self, lag_s: float) -> None:
        self._lags_s.append(lag_s)
        self.loop_lag_s.observe(lag_s)

    def max_loop_lag_s(self) -> float:
        """Return the largest of the last KEPT_LAGS lags."""
        return max(self._lags_s, default=0.0)

    def wake_latency_ms(self) -> WakeLatency:
        sample = sorted(self._latencies_ms)
        if not sample:
            return WakeLatency(None, None, None)
        p50, p99 = (sample[min(int(len(sample) * q), len(sample) - 1)] for q in (0.50, 0.99))
        return WakeLatency(round(p50, 3), round(p99, 3), round(sample[-1], 3))
