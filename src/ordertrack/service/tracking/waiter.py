"""The side of a held poll that a transport implements."""

from __future__ import annotations

from typing import Protocol

from ordertrack.core.errors import OrdertrackError
from ordertrack.core.hub import Poll
from ordertrack.core.poll import Answer


class Waiter(Protocol):
    """Gets the outcome of a held poll. At most one method is called, once, on the event loop, possibly after the client
    has gone. It does not wait and raises nothing. `requested_at_s` is the monotonic time at which the change was
    requested that caused the answer; None without one."""

    def answer(self, answer: Answer, requested_at_s: float | None) -> None: ...

    def refuse(self, error: OrdertrackError) -> None: ...


WaitingPoll = Poll[Waiter]
"""A poll in the hub: reading, or held."""
