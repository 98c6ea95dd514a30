"""What becomes of a request that the gate serves itself: who asks, what for, and the answer now or later."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TYPE_CHECKING

import structlog

from ordertrack.core.errors import OrdertrackError
from ordertrack.core.feed import FeedKey
from ordertrack.core.poll import Answer, PollRequest
from ordertrack.core.principal import Principal
from ordertrack.http import names
from ordertrack.http.admission import Admission, Budget, Caller
from ordertrack.http.cors import Cors
from ordertrack.http.gate.connection import NO_REQUEST, Connection, Stage
from ordertrack.http.gate.head import Head
from ordertrack.http.pace import Pace, asked
from ordertrack.http.parameters import header, is_poll_path, link_track_token, parse_feed, parse_poll, shown_to_holder
from ordertrack.http.status_updates import StatusUpdates, status_path
from ordertrack.ports.clock import Clock
from ordertrack.service.tracking import HeldPoll, Tracking

if TYPE_CHECKING:
    from ordertrack.http.gate.gate import Gate

PUT = b"PUT"

log = structlog.get_logger("ordertrack.gate")


class Serving:
    """Decides nothing: asks `Admission`, `Tracking` and `StatusUpdates`, and has their answers sent."""

    def __init__(
        self,
        gate: Gate,
        tracking: Tracking,
        status_updates: StatusUpdates,
        admission: Admission,
        cors: Cors,
        clock: Clock,
    ) -> None:
        self._gate = gate
        self._tracking = tracking
        self._status_updates = status_updates
        self._admission = admission
        self._cors = cors
        self._clock = clock

    def serves(self, head: Head) -> bool:
        """Not what a page of another site asks: each origin would need an answer of its own."""
        if self._cors.on and header(head.headers, names.ORIGIN) is not None:
            return False
        if head.method == PUT:
            return status_path(head.path) is not None
        return is_poll_path(head.path) or link_track_token(head.path) is not None

    def serve(self, connection: Connection, head: Head, body: bytes) -> None:
        """A whole request, taken off the connection. What is not answered when this returns is held, or BUSY."""
        token = link_track_token(head.path)
        budget = Budget.WRITES if head.method == PUT else Budget.POLLS
        try:
            caller = self._admission.now(budget, head.headers, connection.peer, token)
        except OrdertrackError as error:
            self._refuse(connection, head, error)
            return
        if caller is None:
            self._take_time(connection, self._serve_stranger(connection, head, body, budget, token))
        else:
            self._serve_caller(connection, head, body, caller)

    async def _serve_stranger(
        self, connection: Connection, head: Head, body: bytes, budget: Budget, token: str | None
    ) -> None:
        """Somebody whose token has to be verified first."""
        try:
            caller = await self._admission.later(budget, head.headers, connection.peer, token)
        except OrdertrackError as error:
            self._refuse(connection, head, error)
        else:
            self._serve_caller(connection, head, body, caller)

    def _serve_caller(self, connection: Connection, head: Head, body: bytes, caller: Caller) -> None:
        if head.method == PUT:
            self._take_time(connection, self._change(connection, head, body, caller))
        else:
            self._poll(connection, head, caller.principal)

    # Changes of status

    async def _change(self, connection: Connection, head: Head, body: bytes, caller: Caller) -> None:
        self._gate.hurry(connection)
        order_id = status_path(head.path)
        assert order_id is not None
        response = await self._status_updates.answer(order_id, caller, head.query_string, head.headers, body)
        connection.stage = Stage.IDLE
        self._gate.send(connection, response)

    # Polls

    def _poll(self, connection: Connection, head: Head, by: Principal) -> None:
        connection.request = NO_REQUEST
        try:
            feed = parse_feed(shown_to_holder(head.path, by))
            request = parse_poll(head.query_string, head.headers)
            if request.wait_s is not None:
                connection.request = request
            outcome = self._tracking.poll_now(feed, request, connection, by)
        except OrdertrackError as error:
            self._refuse(connection, head, error)
            return
        if outcome is None:
            self._take_time(connection, self._poll_slowly(connection, head, feed, request, by))
        else:
            self._answer_or_hold(connection, feed, request, outcome)

    async def _poll_slowly(
        self, connection: Connection, head: Head, feed: FeedKey, request: PollRequest, by: Principal
    ) -> None:
        """The order is not at hand: the store is read, and whatever the peer does meanwhile waits."""
        try:
            outcome = await self._tracking.poll(feed, request, connection, by)
        except OrdertrackError as error:
            self._refuse(connection, head, error)
        else:
            self._answer_or_hold(connection, feed, request, outcome)

    def _answer_or_hold(
        self, connection: Connection, feed: FeedKey, request: PollRequest, outcome: Answer | HeldPoll
    ) -> None:
        connection.stage = Stage.IDLE
        if isinstance(outcome, Answer):
            if (question := asked(feed, request)) is not None and (pause_s := self._pause_s(connection, question)):
                self._take_time(connection, self._answer_after(connection, outcome, pause_s))
            else:
                self._gate.send_answer(connection, outcome)
        elif connection.fd < 0:
            self._tracking.leave(outcome)
        else:
            connection.pace = None
            connection.poll = outcome

    async def _answer_after(self, connection: Connection, answer: Answer, pause_s: float) -> None:
        await asyncio.sleep(pause_s)
        connection.stage = Stage.IDLE
        self._gate.send_answer(connection, answer)

    # Refusals

    def _refuse(self, connection: Connection, head: Head, error: OrdertrackError) -> None:
        connection.stage = Stage.IDLE
        if head.method != PUT and (pause_s := self._pause_s(connection, head.path)):
            self._take_time(connection, self._refuse_after(connection, error, pause_s))
        else:
            self._gate.send_refusal(connection, error)

    async def _refuse_after(self, connection: Connection, error: OrdertrackError, pause_s: float) -> None:
        await asyncio.sleep(pause_s)
        connection.stage = Stage.IDLE
        self._gate.send_refusal(connection, error)

    def _pause_s(self, connection: Connection, question: object) -> float:
        if connection.pace is None:
            connection.pace = Pace()
        return connection.pace.pause_s(question, self._clock.monotonic_s())

    # What takes time

    def _take_time(self, connection: Connection, work: Awaitable[None]) -> None:
        """Whatever the peer sends meanwhile waits its turn."""
        connection.stage = Stage.BUSY
        self._gate.run(self._then_go_on(connection, work))

    async def _then_go_on(self, connection: Connection, work: Awaitable[None]) -> None:
        try:
            await work
        except Exception:
            log.exception("a bug: the connection it met is closed")
            self._gate.drop(connection)
        if connection.reads:
            self._gate.go_on(connection)
