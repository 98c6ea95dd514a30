"""The signal port: short messages between the nodes of a cluster. `tests/contract` holds every adapter to the clauses.

A signal is a hint: the store is the authority. A message may be lost, repeated or late, and that costs time only.

1. A channel is a number: of a partition (`core.partition`), or CONTROL. A message is text, at most MAX_MESSAGE_BYTES as
   UTF-8.
2. `publish` returns at once and raises nothing. Messages are sent in order, many at a time. The queue is limited: when
   it is full, or when the connection is lost before a message was sent, the message is dropped and `lost` counts it.
3. Once `subscribe` has returned, each message that any node publishes to the channel is received, until `unsubscribe`
   or an interruption. Messages of one publisher to one channel are received in order. A node may receive its own.
4. `received` is called on the event loop for each message. It must not raise. It returns False for a message that
   changed nothing here: after such messages alone, an adapter may wait for PAUSE_S before it reads more, since a
   turn of the event loop costs ten times as much as a message.
5. When messages may have been missed, because the connection broke, was silent for too long or was too slow,
   `interrupted` is called once, and no channel is subscribed any more. The adapter connects again by itself, with
   growing, random pauses, and calls `restored` when `subscribe` can succeed again. The first connection after `open`
   also calls `restored`.
6. `subscribe` raises SignalUnavailable while there is no connection, when the connection breaks, and after
   SUBSCRIBE_LIMIT_S. Concurrent subscriptions share round trips.
7. A silent connection - one that the network dropped without a word - is noticed within SILENCE_LIMIT_S.
8. `trouble` is None, or says in words that complete "This node is" what is wrong.
9. Two clusters with different prefixes on one server do not receive each other's messages.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from ordertrack.core.partition import PARTITIONS

CONTROL = PARTITIONS
"""The channel that every node is subscribed to."""
MAX_MESSAGE_BYTES = 7_000
"""PostgreSQL's NOTIFY takes less than 8,000."""
SUBSCRIBE_LIMIT_S = 2.0
SILENCE_LIMIT_S = 10.0

PAUSE_S = 0.005
Received = Callable[[int, str], bool]
"""Called with the channel and the message. Returns False when the message changed nothing here."""


class SignalUnavailable(Exception):
    """There is no connection now."""


class SignalCannotOpen(Exception):
    """The signal cannot be used at all. The message says why and what to do, for the operator; it has no password."""


class Signal(Protocol):
    @property
    def name(self) -> str:
        """The kind of signal, as people read it: `in-process`, `postgresql`, `redis`."""

    @property
    def trouble(self) -> str | None: ...

    @property
    def lost(self) -> int:
        """Messages that were dropped instead of sent."""

    async def open(self, received: Received, interrupted: Callable[[], None], restored: Callable[[], None]) -> None:
        """Connect. Raises: SignalCannotOpen, within 10 s."""

    async def close(self, limit_s: float = ...) -> None:
        """Send what is queued, as far as `limit_s` seconds allow, and disconnect."""

    def publish(self, messages: Sequence[tuple[int, str]]) -> None:
        """Send messages, each with its channel."""

    async def subscribe(self, channel: int) -> None:
        """Raises: SignalUnavailable."""

    def unsubscribe(self, channel: int) -> None: ...
