"""What an endpoint returns, and what it may ask of the connection that a transport holds."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, Protocol

from ordertrack.core.hub import Poll
from ordertrack.core.poll import Answer
from ordertrack.http.policy.loop_throttle import PollThrottle
from ordertrack.http.wire.responses import HeaderPairs, Response
from ordertrack.service.tracking.tracking import HeldPoll, Waiter

Outcome = Response | Answer | HeldPoll
"""A response; the answer of a poll, which the transport words; or a held poll, whose waiter is told later."""
OUTCOMES = (Poll, Answer, Response)
"""The same for isinstance, which takes no generic alias such as HeldPoll."""
Outcomes = Outcome | Coroutine[Any, Any, Outcome]
"""An outcome, or what to wait for."""


class Channel(Waiter, Protocol):
    """One connection during one request. The waiter of the request's poll."""

    headers: HeaderPairs
    """Headers of the answer that depend on the request. The transport writes them with each answer."""
    throttle: PollThrottle | None
    """The answers that this connection got at once; None for none of late."""
