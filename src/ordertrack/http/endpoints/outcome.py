"""The results of endpoints, and the connection as endpoints see it."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, Protocol

from ordertrack.core.hub import Poll
from ordertrack.core.poll import Answer
from ordertrack.http.policy.loop_throttle import PollThrottle
from ordertrack.http.wire.responses import HeaderPairs, Response
from ordertrack.service.pending import Pending
from ordertrack.service.tracking.waiter import Waiter, WaitingPoll

Outcome = Response | Answer | WaitingPoll
"""A response; the answer of a poll, of which the transport makes a response; or a held poll, answered later."""
OUTCOMES = (Poll, Answer, Response)
"""The same for isinstance, which does not take a generic alias such as WaitingPoll."""


Outcomes = Outcome | Pending[Outcome] | Coroutine[Any, Any, Outcome]
"""An outcome, or an awaitable of one."""


class Channel(Waiter, Protocol):
    """One connection during one request. The waiter of the request's poll."""

    headers: HeaderPairs
    """Headers that the transport adds to the answer, also to an error."""
    throttle: PollThrottle | None
    """The recent immediate answers of this connection; None for none."""
