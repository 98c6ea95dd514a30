"""One connection of the gate: a few slots beside the descriptor, and nothing else of ours."""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING

from ordertrack.core.errors import OrdertrackError
from ordertrack.core.poll import Answer, PollRequest
from ordertrack.service.tracking import HeldPoll

if TYPE_CHECKING:
    from ordertrack.http.gate.gate import Gate

NO_REQUEST = PollRequest()


class Stage(Enum):
    """Which part of a request the connection waits for."""

    IDLE = auto()
    IN_HEAD = auto()
    IN_BODY = auto()


class Connection:
    """One descriptor and what is known of its current request; the waiter of its poll."""

    __slots__ = ("busy", "data", "expires_at_s", "fd", "gate", "keep_alive", "poll", "request", "stage")

    def __init__(self, gate: Gate, fd: int, data: bytes) -> None:
        self.gate = gate
        self.fd = fd
        """-1 once it is closed or lent."""
        self.data = data
        """Received and not yet served."""
        self.stage = Stage.IDLE
        self.expires_at_s: float | None = None
        """When it is closed, unless something comes; None while a request is served."""
        self.poll: HeldPoll | None = None
        self.busy = False
        """The store is being asked for its request."""
        self.keep_alive = True
        self.request = NO_REQUEST
        """The request, if anything of it shows in the answer's headers; most are let go while they are held."""

    @property
    def reads(self) -> bool:
        """Whether what comes is served at once, rather than after the request before it."""
        return self.poll is None and not self.busy and self.fd >= 0

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
