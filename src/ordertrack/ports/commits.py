"""Results of a write, and the commit listener that the store calls with them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from ordertrack.core.event import Event
from ordertrack.core.feed import FeedKey
from ordertrack.core.order import Order

IDEMPOTENCY_KEPT_MS = 24 * 60 * 60 * 1000


class Idempotency(NamedTuple):
    """`fingerprint` identifies the body that came with the key."""

    key: str
    fingerprint: str


class Created(NamedTuple):
    """`replayed` is True when the order had been created before, under the same idempotency key."""

    order: Order
    replayed: bool


class Applied(NamedTuple):
    """The order after a change; `event` is None when it was already so."""

    order: Order
    event: Event | None


class Committed(NamedTuple):
    """An order as a commit left it, the feeds the commit bumped with their new versions, and the version the order
    had before (0: it is new)."""

    order: Order
    feeds: Mapping[FeedKey, int]
    previous_version: int


CommitListener = Callable[[Sequence[Committed], float], None]
"""Called with what was committed and when, in seconds of the monotonic clock. It must not raise."""


CommitMeter = Callable[[int, float], None]
"""Called on the event loop with how many requests shared a commit and how many seconds it took until it was durable.
It must not raise."""
