"""The results of endpoints, and the connection as endpoints see it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Generator
from typing import Any, Protocol

import msgspec

from ordertrack.core.hub import Poll
from ordertrack.core.poll import Answer
from ordertrack.http.policy.loop_throttle import PollThrottle
from ordertrack.http.wire.responses import HeaderPairs, Response
from ordertrack.service.tracking.waiter import Waiter, WaitingPoll

Outcome = Response | Answer | WaitingPoll
"""A response; the answer of a poll, of which the transport makes a response; or a held poll, answered later."""
OUTCOMES = (Poll, Answer, Response)
"""The same for isinstance, which does not take a generic alias such as WaitingPoll."""


class Pending(msgspec.Struct, gc=False):
    """A response to the result of a future: `finish` makes it, or raises an OrdertrackError.

    A transport needs no task to wait for it; it may also be awaited.
    """

    future: asyncio.Future[Any]
    finish: Callable[[Any], Response]

    def __await__(self) -> Generator[Any, Any, Response]:
        return self.finish((yield from self.future.__await__()))


Outcomes = Outcome | Pending | Coroutine[Any, Any, Outcome]
"""An outcome, or an awaitable of one."""


class Channel(Waiter, Protocol):
    """One connection during one request. The waiter of the request's poll."""

    headers: HeaderPairs
    """Headers that the transport adds to the answer, also to an error."""
    throttle: PollThrottle | None
    """The recent immediate answers of this connection; None for none."""
