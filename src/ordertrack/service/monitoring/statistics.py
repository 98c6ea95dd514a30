"""What this process has done since it started, counted where it happens: plain numbers, because it happens often.

What has a name for the outside is in `http/metrics/declarations.py`; nothing here knows how it will be told.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, deque
from collections.abc import Sequence

import msgspec

from ordertrack.core.poll import Reason

KEPT_LATENCIES = 10_000
KEPT_LAGS = 120
"""A minute of looks at the event loop: service/loop_watch.py."""

WAKE_BOUNDS_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
COMMIT_BOUNDS_S = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)
COMMIT_BOUNDS_REQUESTS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000)
LAG_BOUNDS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)


class WakeLatency(msgspec.Struct, frozen=True):
    """Milliseconds from a commit to the last byte of an answer it caused, over the latest KEPT_LATENCIES answers."""

    p50: float | None
    p99: float | None
    max: float | None


class Histogram:
    """How many were how large. `counts` has one number for each bound, of what is up to it and above the one before,
    and one for what is above them all."""

    __slots__ = ("bounds", "counts", "sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def observe(self, value: float) -> None:
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value


class GateCounters:
    """What became of connections. The gate increments these on the event loop; all but `open` only ever grow."""

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
        """Connections the gate has now, held polls among them."""
        self.accepted = 0
        self.closed_slow = 0
        """The client took too long to send a head or a body."""
        self.closed_for_room = 0
        """There was no request on it, and no descriptor for a new connection."""
        self.closed_unread = 0
        """The client did not read its answer."""
        self.refused_head = 0
        """The head was too large or no HTTP."""
        self.out_of_descriptors = 0
        """How often accepting was paused, because no descriptor was free."""


class Statistics:
    def __init__(self) -> None:
        self.polls: Counter[Reason] = Counter()
        self.refused: Counter[str] = Counter()
        """Requests answered with a problem, by its code."""
        self.updates = 0
        self.lost_wakeups = 0
        self.wake_s = Histogram(WAKE_BOUNDS_S)
        self.commit_s = Histogram(COMMIT_BOUNDS_S)
        self.commit_requests = Histogram(COMMIT_BOUNDS_REQUESTS)
        self.loop_lag_s = Histogram(LAG_BOUNDS_S)
        self.gate = GateCounters()
        self._latencies_ms: deque[float] = deque(maxlen=KEPT_LATENCIES)
        self._lags_s: deque[float] = deque(maxlen=KEPT_LAGS)

    def woke(self, latency_s: float) -> None:
        """An answer was written, so long after the commit that caused it."""
        self._latencies_ms.append(latency_s * 1000)
        self.wake_s.observe(latency_s)

    def commit(self, requests: int, took_s: float) -> None:
        """The store's commit meter."""
        self.commit_requests.observe(requests)
        self.commit_s.observe(took_s)

    def lagged(self, lag_s: float) -> None:
        """The event loop came to something so long after it was due."""
        self._lags_s.append(lag_s)
        self.loop_lag_s.observe(lag_s)

    def max_loop_lag_s(self) -> float:
        """Over the latest KEPT_LAGS looks."""
        return max(self._lags_s, default=0.0)

    def wake_latency_ms(self) -> WakeLatency:
        sample = sorted(self._latencies_ms)
        if not sample:
            return WakeLatency(None, None, None)
        p50, p99 = (sample[min(int(len(sample) * q), len(sample) - 1)] for q in (0.50, 0.99))
        return WakeLatency(round(p50, 3), round(p99, 3), round(sample[-1], 3))
