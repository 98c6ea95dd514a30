"""The long poll: from an admitted request to its answer, or to a held poll."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

from ordertrack.core.errors import OrdertrackError
from ordertrack.core.feed import FeedKey
from ordertrack.core.poll import Answer, PollRequest
from ordertrack.core.principal import Principal
from ordertrack.http.endpoints.outcome import Channel, Outcome, Outcomes
from ordertrack.http.policy.loop_throttle import PollThrottle, path_key, position_key
from ordertrack.http.wire import names
from ordertrack.http.wire.errors import MethodNotAllowed
from ordertrack.http.wire.message import Request
from ordertrack.http.wire.parameters import parse_poll
from ordertrack.http.wire.paths import PollTarget
from ordertrack.http.wire.responses import Response, refused
from ordertrack.ports.clock import Clock
from ordertrack.service.pending import Pending
from ordertrack.service.tracking.tracking import PollOutcome, Tracking

METHODS = ("GET", "HEAD", "OPTIONS")
DRAINED_PAUSE_S = 1.0
"""Delay of polls on a drained node, so that clients that return to it do not poll in a loop."""


class PollEndpoint:
    def __init__(self, tracking: Tracking, clock: Clock, refusals: Counter[str]) -> None:
        self._tracking = tracking
        self._clock = clock
        self._refusals = refusals

    def respond(self, request: Request, target: PollTarget, by: Principal, channel: Channel) -> Outcomes:
        """Answer now, hold, or return what is pending when the store has to be read first."""
        try:
            if request.method not in METHODS:
                raise MethodNotAllowed(request.method, METHODS)
            feed = target.feed()
            poll_request = parse_poll(request.query_string, request.headers)
        except OrdertrackError as error:
            return self._refuse(request, channel, error)
        if request.method == "HEAD":
            poll_request = PollRequest()  # headers only: nothing to wait for
        elif poll_request.wait_s is not None:
            channel.headers += ((names.PREFERENCE_APPLIED.encode(), b"wait=%d" % poll_request.wait_s),)
        return self.poll(request, feed, poll_request, by, channel)

    def poll(
        self, request: Request, feed: FeedKey, poll_request: PollRequest, by: Principal, channel: Channel
    ) -> Outcomes:
        """Do the same for a request whose path, query and headers are parsed."""
        if self._tracking.holds_none and _may_be_held(poll_request):
            return self._poll_after_pause(request, feed, poll_request, by, channel)
        return self._poll(request, feed, poll_request, by, channel)

    def _poll(
        self, request: Request, feed: FeedKey, poll_request: PollRequest, by: Principal, channel: Channel
    ) -> Outcome | Pending[Outcome]:
        try:
            outcome = self._tracking.poll(feed, poll_request, channel, by)
        except OrdertrackError as error:
            return self._refuse(request, channel, error)
        return self._recorded(outcome, request, poll_request, channel)

    async def _poll_after_pause(
        self, request: Request, feed: FeedKey, poll_request: PollRequest, by: Principal, channel: Channel
    ) -> Outcome:
        await asyncio.sleep(DRAINED_PAUSE_S)
        outcome = self._poll(request, feed, poll_request, by, channel)
        return await outcome if isinstance(outcome, Pending) else outcome

    def _finish(
        self,
        finish: Callable[[asyncio.Future[Any]], PollOutcome | Pending[PollOutcome]],
        request: Request,
        poll_request: PollRequest,
        channel: Channel,
        future: asyncio.Future[Any],
    ) -> Outcome | Pending[Outcome]:
        """Continue a poll whose read is done."""
        try:
            outcome = finish(future)
        except OrdertrackError as error:
            return self._refuse(request, channel, error)
        return self._recorded(outcome, request, poll_request, channel)

    def _recorded(
        self, outcome: PollOutcome | Pending[PollOutcome], request: Request, poll_request: PollRequest, channel: Channel
    ) -> Outcome | Pending[Outcome]:
        if isinstance(outcome, Pending):
            return Pending(outcome.future, partial(self._finish, outcome.finish, request, poll_request, channel))
        if isinstance(outcome, Answer):
            self._record(channel, position_key(request.path, poll_request))
        else:
            channel.throttle = None
        return outcome

    def _refuse(self, request: Request, channel: Channel, error: OrdertrackError) -> Response:
        self._record(channel, path_key(request.path))
        return refused(error, self._refusals)

    def _record(self, channel: Channel, key: int | None) -> None:
        if key is None:
            return
        throttle = channel.throttle or PollThrottle()
        throttle.record(key, self._clock.monotonic_s())
        channel.throttle = throttle


def _may_be_held(poll_request: PollRequest) -> bool:
    """Return True for a poll whose client may poll again at once."""
    return poll_request.timeout_s != 0 and (poll_request.timeout_s is not None or poll_request.has_position)
