"""The state of one connection."""

from __future__ import annotations

import select
from enum import Enum, auto
from typing import Protocol

import msgspec

from ordertrack.core.enum_members import plain_members
from ordertrack.core.errors import OrdertrackError
from ordertrack.core.poll import Answer
from ordertrack.http.app import Admitted
from ordertrack.http.gate.framing import BodyReader
from ordertrack.http.policy.loop_throttle import PollThrottle
from ordertrack.http.wire.responses import HeaderPairs
from ordertrack.service.tracking.waiter import WaitingPoll


@plain_members
class Stage(Enum):
    """The stage of a connection. `gate.py` has the diagram."""

    IDLE = auto()
    """Waits for a request."""
    IN_HEAD = auto()
    """Waits for the rest of a head."""
    IN_BODY = auto()
    """Waits for the rest of a body."""
    BUSY = auto()
    """Waits for the application: for admission, or for the response."""
    HELD = auto()
    """Waits for the answer of a held poll."""
    WRITING = auto()
    """Waits for the peer to read its response."""
    LINGERING = auto()
    """The response is sent. Waits for the peer to close; what it still sends is discarded."""


READING = (Stage.IDLE, Stage.IN_HEAD, Stage.IN_BODY)
"""Stages in which received bytes are served at once, not after the current request."""


class Upload(msgspec.Struct, gc=False):
    """A request whose body is not complete."""

    admitted: Admitted
    body: BodyReader
    reserved_bytes: int


class Owner(Protocol):
    """Writes the answer of a held poll, and resumes reading."""

    def deliver_held(self, connection: Connection, answer: Answer, requested_at_s: float | None) -> None: ...

    def refuse_held(self, connection: Connection, error: OrdertrackError) -> None: ...


class Connection(msgspec.Struct, gc=False, eq=False):
    """One descriptor and its current request; the channel of that request (`endpoints/outcome.py`).

    The garbage collector does not track connections, so `poll` is cleared when it is answered or left.
    """

    owner: Owner
    fd: int
    """-1 once it is closed."""
    data: bytes
    """Received bytes that are not served yet."""
    epoll: select.epoll
    """The epoll of the descriptor."""
    watched: int
    """The events of the descriptor that are reported."""
    peer: str | None
    """The address of the peer; None when it has none."""
    stage: Stage = Stage.IDLE
    expires_at_s: float | None = None
    """The time at which the stage times out and the connection is closed; None in BUSY and HELD."""
    poll: WaitingPoll | None = None
    keep_alive: bool = True
    head_only: bool = False
    """The request is HEAD: its response has no body."""
    peer_finished: bool = False
    """The peer has closed its sending side (FIN). It may still read."""
    throttle: PollThrottle | None = None
    headers: HeaderPairs = ()
    upload: Upload | None = None
    unsent: memoryview | None = None
    """The rest of the response, which the kernel has not taken yet."""

    def answer(self, answer: Answer, requested_at_s: float | None) -> None:
        self.poll = None
        self.owner.deliver_held(self, answer, requested_at_s)

    def refuse(self, error: OrdertrackError) -> None:
        self.poll = None
        self.owner.refuse_held(self, error)
