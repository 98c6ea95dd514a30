"""The side of a held poll that a transport implements."""

from __future__ import annotations

from typing import Protocol

from ordertrack.core.errors import OrdertrackError
from ordertrack.core.hub import Poll
from ordertrack.core.poll import Answer


class Waiter(Protocol):
    """Gets the outcome of a held poll: one call at most, on the event loop, even after the client has gone. It returns
    at once and raises nothing. `committed_at_s` is the time of the commit that caused the answer."""

    def answer(self, answer: Answer, committed_at_s: float | None) -> None: ...

    def refuse(self, error: OrdertrackError) -> None: ...


HeldPoll = Poll[Waiter]
