"""The record of a run: what clients asked and were answered, and when faults disturbed the cluster.

All times are seconds of the monotonic clock of the test process. An answer has the time at which it was read, so a
measured delay is never shorter than the real one.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

Outcome = Literal["acknowledged", "refused", "unknown"]
"""`refused` promises that the change was not made. `unknown`: no answer, or one that leaves it open."""


class Feed(NamedTuple):
    """`kind` is order, customer, restaurant or courier; `id` is as in a path."""

    kind: str
    id: str


class StoredEvent(NamedTuple):
    """An event of an order as a client or the store showed it. `token` is the reason, which names one attempt."""

    version: int
    type: str
    status: str
    recorded_at: str
    actor: str
    token: str | None
    courier_id: str | None


class OrderState(NamedTuple):
    order_id: int
    version: int
    status: str


class StoredOrder(NamedTuple):
    """An order as the store has it at the end. `key` is the Idempotency-Key it was created with."""

    id: int
    version: int
    status: str
    customer_id: str
    restaurant_id: str
    key: str
    events: tuple[StoredEvent, ...]

    def courier_at(self, version: int) -> str | None:
        """Return the courier of the order at a version."""
        courier = None
        for event in self.events[:version]:
            courier = event.courier_id or courier
        return courier


@dataclass(slots=True)
class Attempt:
    """One try to change an order, or to create one. `order_id` is 0 for a creation that was not acknowledged."""

    token: str
    kind: Literal["status", "courier", "create"]
    node: str
    order_id: int
    sent_s: float
    done_s: float = math.inf
    outcome: Outcome = "unknown"
    http_status: int = 0
    changed: bool = False
    version: int = 0
    status: str = ""
    courier_id: str | None = None


@dataclass(slots=True)
class Poll:
    """One poll or read. `http_status` is 0 without an answer; `end` says why.

    `position` is the version the client sent, None for a snapshot; for a party that of its feed.
    """

    node: str
    sent_s: float
    position: int | None
    answered_s: float = math.inf
    http_status: int = 0
    end: Literal["answered", "broken", "gave_up", "dropped", "stopped"] = "stopped"
    error: str = ""
    reason: str = ""
    version: int = 0
    states: tuple[OrderState, ...] = ()
    left: tuple[int, ...] = ()
    events: tuple[StoredEvent, ...] = ()
    truncated: bool = False
    more: bool = False


@dataclass(slots=True)
class Session:
    """The polls with which one client follows one feed, in their order. A client that follows another begins a new one.

    `follows` is False for a reader, which keeps no position. `redacted` is True for the holder of a tracking link.
    """

    client: str
    feed: Feed
    follows: bool = True
    redacted: bool = False
    ended: bool = False
    polls: list[Poll] = field(default_factory=list)


@dataclass(slots=True)
class Fault:
    """A disturbance. `node` is None when it disturbs all nodes; `end_s` is when everything was available again.

    `failure` says what went wrong with the fault itself, such as a node that did not stop after SIGTERM.
    """

    kind: str
    node: str | None
    begin_s: float
    end_s: float = math.inf
    failure: str = ""


class Starvation:
    """Seconds for which a process of the cluster was ready to run and had no CPU, by time.

    A busy machine is no defect of the product: the checks do not count these seconds.
    """

    def __init__(self) -> None:
        self._at_s = [-math.inf]
        self._sum_s = [0.0]

    def add(self, at_s: float, waited_s: float) -> None:
        self._at_s.append(at_s)
        self._sum_s.append(self._sum_s[-1] + waited_s)

    def between(self, begin_s: float, end_s: float) -> float:
        """Return the seconds without CPU. A measurement under way at `end_s` counts as a whole."""
        first = bisect_right(self._at_s, begin_s) - 1
        last = min(bisect_right(self._at_s, end_s), len(self._at_s) - 1)
        return self._sum_s[last] - self._sum_s[first]

    @property
    def total_s(self) -> float:
        return self._sum_s[-1]


@dataclass(slots=True)
class History:
    attempts: list[Attempt] = field(default_factory=list)
    sessions: list[Session] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    starvation: Starvation = field(default_factory=Starvation)
    simulated: list[int] = field(default_factory=list)
    """Orders whose simulation was acknowledged."""
    final: dict[str, dict[int, StoredOrder]] = field(default_factory=dict)
    """The orders at the end, as each node and a node that was started afterwards show them."""
