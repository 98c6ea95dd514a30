"""The state of one connection."""

from __future__ import annotations

import select
from enum import Enum, auto
from typing import Protocol

import msgspec

from ordertrack.core.errors import OrdertrackError
from ordertrack.core.poll import Answer
from ordertrack.http.app import Admitted
from ordertrack.http.gate.framing import BodyReader
from ordertrack.http.policy.loop_throttle import PollThrottle
from ordertrack.http.wire.responses import HeaderPairs
from ordertrack.service.tracking.waiter import HeldPoll


class Stage(Enum):
    """The stage of a connection, by what it waits for."""

    IDLE = auto()
    """A request."""
    IN_HEAD = auto()
    """The rest of a head."""
    IN_BODY = auto()
    """The rest of a body."""
    BUSY = auto()
    """The application."""
    HELD = auto()
    """The answer of a held poll."""
    WRITING = auto()
    """The peer, to read its answer."""
    ENDING = auto()
    """The peer, to close its side; what it still sends is discarded."""


READING = (Stage.IDLE, Stage.IN_HEAD, Stage.IN_BODY)
"""Stages in which received bytes are served at once, not after the current request."""


class Upload(msgspec.Struct, gc=False):
    """A request whose body is not complete."""

    admitted: Admitted
    body: BodyReader
    reserved_bytes: int


class Owner(Protocol):
    """Writes the answer of a held poll, and resumes reading."""

    def deliver(self, connection: Connection, answer: Answer, committed_at_s: float | None) -> None: ...

    def refuse(self, connection: Connection, error: OrdertrackError) -> None: ...


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
    """The time at which the connection is closed unless bytes come; None while a request is served."""
    poll: HeldPoll | None = None
    keep_alive: bool = True
    head_only: bool = False
    """The request is HEAD: its response has no body."""
    has_ended: bool = False
    """The peer has ended its sending side. It still reads."""
    throttle: PollThrottle | None = None
    headers: HeaderPairs = ()
    upload: Upload | None = None
    unsent: memoryview | None = None
    """The rest of the response, which the kernel has not taken yet."""

    def answer(self, answer: Answer, committed_at_s: float | None) -> None:
        self.poll = None
        self.owner.deliver(self, answer, committed_at_s)

    def refuse(self, error: OrdertrackError) -> None:
        self.poll = None
        self.owner.refuse(self, error)
