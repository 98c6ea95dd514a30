"""One connection of the gate: a few slots beside the descriptor, and nothing else of ours."""

from __future__ import annotations

import select
from enum import Enum, auto
from typing import TYPE_CHECKING

import msgspec

from ordertrack.core.errors import OrdertrackError
from ordertrack.core.poll import Answer, PollRequest
from ordertrack.http.pace import Pace
from ordertrack.service.tracking import HeldPoll

if TYPE_CHECKING:
    from ordertrack.http.gate.gate import Gate

NO_REQUEST = PollRequest()


class Stage(Enum):
    """Which part of a request the connection waits for."""

    IDLE = auto()
    IN_HEAD = auto()
    IN_BODY = auto()
    BUSY = auto()
    """For none: the store is being asked."""


class Connection(msgspec.Struct, gc=False, eq=False):
    """One descriptor and what is known of its current request; the waiter of its poll.

    The garbage collector does not look at connections: `poll` is let go of when it is answered or left.
    """

    gate: Gate
    fd: int
    """-1 once it is closed or lent."""
    data: bytes
    """Received and not yet served."""
    epoll: select.epoll
    """Where the descriptor is registered."""
    peer: str | None
    """The address of the other side; None when it has none."""
    stage: Stage = Stage.IDLE
    expires_at_s: float | None = None
    """When it is closed, unless something comes; None while a request is served."""
    poll: HeldPoll | None = None
    keep_alive: bool = True
    pace: Pace | None = None
    """How often the same was asked of late; only of those that are answered at once."""
    request: PollRequest = NO_REQUEST
    """The request, if anything of it shows in the answer's headers; most are let go while they are held."""

    @property
    def reads(self) -> bool:
        """Whether what comes is served at once, rather than after the request before it."""
        return self.poll is None and self.stage is not Stage.BUSY and self.fd >= 0

    def answer(self, answer: Answer, committed_at_s: float | None) -> None:
        self.poll = None
        self.gate.send_answer(self, answer)
        if committed_at_s is not None:
            self.gate.woke(committed_at_s)
        self.gate.go_on(self)

    def refuse(self, error: OrdertrackError) -> None:
        self.poll = None
        self.gate.send_refusal(self, error)
        self.gate.go_on(self)
