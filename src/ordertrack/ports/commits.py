"""Results of changes, and the callbacks that a store calls after each commit."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from ordertrack.core.event import Event
from ordertrack.core.feed import FeedKey
from ordertrack.core.order import Order

IDEMPOTENCY_KEPT_MS = 24 * 60 * 60 * 1000


class Idempotency(NamedTuple):
    """A key, and the `fingerprint` of the body that it was sent with."""

    key: str
    fingerprint: str


class Created(NamedTuple):
    """`replayed` is True when an earlier request with the same idempotency key created the order."""

    order: Order
    replayed: bool


class Applied(NamedTuple):
    """The order after a change; `event` is None when nothing changed."""

    order: Order
    event: Event | None


class Committed(NamedTuple):
    """An order after a commit, the new versions of its feeds, and the order's version before (0: it is new).

    `requested_at_s` is the monotonic time at which the store got the first of its changes, in seconds.
    """

    order: Order
    feeds: Mapping[FeedKey, int]
    previous_version: int
    requested_at_s: float


CommitListener = Callable[[Sequence[Committed]], None]
"""Called with the changed orders. It must not raise."""
CommitMeter = Callable[[int, float], None]
"""Called on the event loop with the number of requests in a commit and the seconds until it was durable. It must not
raise."""
