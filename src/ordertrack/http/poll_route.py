"""The long poll as an ASGI route: no framework around it, and nothing of ours per held poll but the poll itself.

A held poll's task waits in `receive()`, which every ASGI server ends when the client goes away *and* when a response is
complete. So one wait serves both ends: whoever has the answer sends it, and the task returns by itself.
"""

from __future__ import annotations

import asyncio

from ordertrack.core.errors import OrdertrackError
from ordertrack.core.poll import Answer, PollRequest
from ordertrack.http.asgi import Receive, Scope, Send, send_response, which_methods
from ordertrack.http.errors import MethodNotAllowed
from ordertrack.http.pace import Paces, asked
from ordertrack.http.parameters import parse_feed, parse_poll
from ordertrack.http.poll_answers import PollAnswers
from ordertrack.http.requests import CALLER
from ordertrack.http.responses import Response
from ordertrack.ports.clock import Clock
from ordertrack.service.tracking import Tracking

METHODS = ("GET", "HEAD", "OPTIONS")


class PollRoute:
    def __init__(self, tracking: Tracking, clock: Clock, paces: Paces) -> None:
        self._tracking = tracking
        self._clock = clock
        self._paces = paces
        self._answers = PollAnswers(clock, tracking.max_timeout_s, tracking.statistics.refused)
        self._sending: set[asyncio.Task[None]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Of a scope whose path `is_poll_path`."""
        method = scope["method"]
        if method == "OPTIONS":
            await self._send(send, which_methods(METHODS))
            return
        waiter = _AsgiWaiter(self, send)
        try:
            if method not in METHODS:
                raise MethodNotAllowed(method, METHODS)
            feed = parse_feed(scope["path"])
            request = parse_poll(scope["query_string"], scope["headers"])
            if method == "HEAD":
                request = PollRequest()  # headers only: nothing to wait for
            waiter.request = request
            outcome = await self._tracking.poll(feed, request, waiter, scope[CALLER].principal)
        except OrdertrackError as error:
            await self._paces.pause(scope["client"], scope["path"], self._clock)
            await self._send(send, self._answers.refusal(error))
            return
        if isinstance(outcome, Answer):
            await self._paces.pause(scope["client"], asked(feed, request), self._clock)
            await self._send(send, self._response(outcome, request))
            return
        try:
            while (await receive())["type"] != "http.disconnect":
                pass
        finally:
            self._tracking.leave(outcome)

    def start_answer(self, waiter: _AsgiWaiter, answer: Answer, committed_at_s: float | None) -> None:
        self._start(waiter.send, self._response(answer, waiter.request), committed_at_s)

    def start_refusal(self, waiter: _AsgiWaiter, error: OrdertrackError) -> None:
        self._start(waiter.send, self._answers.refusal(error), None)

    def _response(self, answer: Answer, request: PollRequest) -> Response:
        return self._answers.response(answer, self._tracking.epoch, request, closing=self._tracking.hub.draining)

    def _start(self, send: Send, response: Response, committed_at_s: float | None) -> None:
        """In a task of its own: a peer that does not read must not keep the next one waiting."""
        task = asyncio.get_running_loop().create_task(self._send(send, response, committed_at_s))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def _send(self, send: Send, response: Response, committed_at_s: float | None = None) -> None:
        sent = await send_response(send, response, self._clock.now_ms())
        if sent and committed_at_s is not None:
            self._tracking.statistics.woke(self._clock.monotonic_s() - committed_at_s)


class _AsgiWaiter:
    """Knows where to send the answer of a parked poll."""

    __slots__ = ("_route", "request", "send")

    def __init__(self, route: PollRoute, send: Send) -> None:
        self._route = route
        self.send = send
        self.request = PollRequest()

    def answer(self, answer: Answer, committed_at_s: float | None) -> None:
        self._route.start_answer(self, answer, committed_at_s)

    def refuse(self, error: OrdertrackError) -> None:
        self._route.start_refusal(self, error)
