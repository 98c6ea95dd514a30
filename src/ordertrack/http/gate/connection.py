"""One connection of the gate: a few slots beside the descriptor, and nothing else of ours."""

from __future__ import annotations

import select
from enum import Enum, auto
from typing import Protocol

import msgspec

from ordertrack.core.errors import OrdertrackError
from ordertrack.core.poll import Answer
from ordertrack.http.app import Admitted
from ordertrack.http.gate.framing import Body
from ordertrack.http.policy.loop_throttle import PollThrottle
from ordertrack.http.wire.responses import HeaderPairs
from ordertrack.service.tracking.waiter import HeldPoll


class Stage(Enum):
    """What the connection waits for."""

    IDLE = auto()
    """A request."""
    IN_HEAD = auto()
    """The rest of a head."""
    IN_BODY = auto()
    """The rest of a body."""
    BUSY = auto()
    """The application."""
    HELD = auto()
    """News of a held poll, its deadline, or the end of the server."""
    WRITING = auto()
    """The peer, to read its answer."""
    ENDING = auto()
    """The peer, to close its side: everything it still sends is discarded."""


READING = (Stage.IDLE, Stage.IN_HEAD, Stage.IN_BODY)
"""What comes is served now, rather than after the request before it."""


class Upload(msgspec.Struct, gc=False):
    """A request whose body is not complete."""

    admitted: Admitted
    body: Body
    reserved_bytes: int


class Owner(Protocol):
    """Writes the answer of a poll that was held, and goes on with the connection."""

    def deliver(self, connection: Connection, answer: Answer, committed_at_s: float | None) -> None: ...

    def refuse(self, connection: Connection, error: OrdertrackError) -> None: ...


class Connection(msgspec.Struct, gc=False, eq=False):
    """One descriptor and its current request; the channel of that request (`endpoints/outcome.py`).

    The garbage collector does not look at connections: `poll` is let go of when it is answered or left.
    """

    owner: Owner
    fd: int
    """-1 once it is closed."""
    data: bytes
    """Received and not yet served."""
    epoll: select.epoll
    """Where the descriptor is registered."""
    watched: int
    """The events of the descriptor that are reported."""
    peer: str | None
    """The address of the other side; None when it has none."""
    stage: Stage = Stage.IDLE
    expires_at_s: float | None = None
    """When the connection is closed unless something comes; None while a request is served."""
    poll: HeldPoll | None = None
    keep_alive: bool = True
    head_only: bool = False
    """The request is HEAD: its answer has no body, whatever it is."""
    has_ended: bool = False
    """The peer sends nothing more. It still reads."""
    throttle: PollThrottle | None = None
    headers: HeaderPairs = ()
    upload: Upload | None = None
    unsent: memoryview | None = None
    """What the kernel has not taken of the answer."""

    def answer(self, answer: Answer, committed_at_s: float | None) -> None:
        self.poll = None
        self.owner.deliver(self, answer, committed_at_s)

    def refuse(self, error: OrdertrackError) -> None:
        self.poll = None
        self.owner.refuse(self, error)
