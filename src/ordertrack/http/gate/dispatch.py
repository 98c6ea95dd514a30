"""Dispatch the bytes of a connection to the application, and its outcome to a response or a held poll."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, TypeVar

import structlog

from ordertrack.core.errors import OrdertrackError, StoreBusy
from ordertrack.core.hub import Poll
from ordertrack.core.poll import Answer
from ordertrack.http.app import Admitted, Begun, HttpApp
from ordertrack.http.endpoints.outcome import Outcomes
from ordertrack.http.gate.connection import READING, Connection, Stage, Upload
from ordertrack.http.gate.connections import Connections
from ordertrack.http.gate.framing import BodyReader, Head, HeadReader, without_empty_lines
from ordertrack.http.gate.poll_reader import PollReader
from ordertrack.http.gate.responder import Responder
from ordertrack.http.wire.errors import HeadTooLarge, MalformedRequest
from ordertrack.http.wire.message import CHUNKED, Request
from ordertrack.http.wire.paths import StatusTarget
from ordertrack.http.wire.responses import Response
from ordertrack.service.pending import Pending

MAX_UPLOADS_BYTES = 256 * 1024 * 1024
"""Limit of bodies that are being received, of all connections together."""

T = TypeVar("T")
log = structlog.get_logger("ordertrack.gate")


class Dispatcher:
    """Serves the requests of connections; implements `connection.Owner`."""

    def __init__(self, connections: Connections, app: HttpApp) -> None:
        self._connections = connections
        self._app = app
        self._tracking = app.tracking
        self._clock = app.clock
        self._responder = Responder(connections, app)
        self._heads = HeadReader()
        self._polls = PollReader(self._heads)
        self._loop = asyncio.get_running_loop()
        self._tasks: set[asyncio.Task[Any]] = set()

    def cancel(self) -> None:
        """Cancel running requests."""
        for task in self._tasks:
            task.cancel()

    # Called by a connection when its held poll has an outcome

    def deliver_held(self, connection: Connection, answer: Answer, requested_at_s: float | None) -> None:
        self._responder.send_answer(connection, answer)
        now_s = self._clock.monotonic_s()
        if requested_at_s is not None:
            self._tracking.statistics.record_wake_latency(now_s - requested_at_s)
        if connection.stage is Stage.IDLE and not connection.data and not connection.peer_finished:  # as nearly always
            self._connections.expect_request(connection, now_s)
        else:
            self.resume_reading(connection)

    def refuse_held(self, connection: Connection, error: OrdertrackError) -> None:
        self._responder.send_refusal(connection, error)
        self.resume_reading(connection)

    # Called by the gate

    def write_on(self, connection: Connection) -> None:
        """Write more of a response: the kernel has room."""
        if self._responder.write_on(connection):
            self.resume_reading(connection)

    def resume_reading(self, connection: Connection) -> None:
        """Serve the next request, which may have come already, or wait for it."""
        if connection.fd < 0 or connection.stage not in READING:
            return
        if connection.stage is Stage.IDLE and connection.data:
            self._connections.watch(connection)
            self._loop.call_soon(self.advance, connection)
        elif connection.peer_finished:
            self._connections.drop(connection)
        elif connection.stage is Stage.IDLE:
            self._connections.expect_request(connection, self._clock.monotonic_s())

    def serve_poll(self, connection: Connection, data: bytes) -> bool:
        """Serve the usual poll of an order, if `data` is one and the connection is idle.

        Return False, with nothing done, for any other request: then `advance` serves it.
        """
        if connection.stage is not Stage.IDLE:
            return False
        connection.head_only = False
        try:
            poll = self._polls.read(data, connection.peer)
            if poll is None:
                return False
            outcome = self._app.poll_order(poll.request, poll.feed, poll.poll, connection)
            if outcome is None:
                return False
            connection.keep_alive = True
            connection.expires_at_s = None
            if isinstance(outcome, Poll):
                connection.poll = outcome
                connection.stage = Stage.HELD
                return True
            self._apply_outcome(connection, poll.request, outcome)
        except Exception as error:  # noqa: BLE001 - `_fail` answers or logs it
            self._fail(connection, error)
        self.resume_reading(connection)
        return True

    def advance(self, connection: Connection) -> None:
        """Serve the received requests, until one has to wait, is held or is incomplete."""
        try:
            while connection.data and connection.stage in READING and connection.fd >= 0:
                if not self._serve_next(connection):
                    break
        except Exception as error:  # noqa: BLE001 - `_fail` answers or logs it
            self._fail(connection, error)
        self.resume_reading(connection)

    def _fail(self, connection: Connection, error: Exception) -> None:
        """Answer with the error, then close the connection. After a bug, drop it without an answer."""
        if not isinstance(error, OrdertrackError):
            log.error("internal error: connection closed", exc_info=error)
            self._connections.drop(connection)
            return
        self._connections.counters.refused_head += isinstance(error, MalformedRequest | HeadTooLarge)
        self._connections.release(connection)
        connection.keep_alive = False
        self._responder.send_refusal(connection, error)

    def _serve_next(self, connection: Connection) -> bool:
        """Serve a request or read a part of it. Return False to wait for more bytes. Raises: OrdertrackError."""
        if connection.upload is not None:
            return self._read_body(connection, connection.upload)
        data = connection.data
        if data.startswith(b"\r\n"):
            data = connection.data = without_empty_lines(data)
        connection.head_only = data.startswith(b"HEAD ")
        head = self._heads.read(data, connection.peer) if data else None
        if head is None:
            if connection.stage is Stage.IDLE:
                self._connections.expect(connection, Stage.IN_HEAD, self._connections.timeouts.head_s)
            return False
        connection.data = data[head.length :]
        connection.keep_alive = head.keep_alive
        connection.stage = Stage.IDLE
        connection.expires_at_s = None
        begun = self._app.begin(head.request, connection)
        if isinstance(begun, Admitted | Response):
            self._serve(connection, head, begun)
        else:
            self._start(connection, self._begin_async(connection, head, begun))
        return True

    async def _begin_async(self, connection: Connection, head: Head, begun: Coroutine[Any, Any, Begun]) -> None:
        try:
            begun_now = await begun
            if connection.fd >= 0:
                connection.stage = Stage.IDLE
                self._serve(connection, head, begun_now)
        except Exception as error:  # noqa: BLE001 - `_fail` answers or logs it
            self._fail(connection, error)
        self.resume_reading(connection)

    def _serve(self, connection: Connection, head: Head, begun: Begun) -> None:
        """Send an early response (an error, or to OPTIONS), or serve the complete request. Raises: OrdertrackError."""
        if not isinstance(begun, Admitted):
            # Do not wait for the body, which the peer may never send.
            rest = head.body_length if head.body_length != CHUNKED else len(connection.data) + 1
            connection.keep_alive = connection.keep_alive and rest <= len(connection.data)
            connection.data = connection.data[rest:]
            self._responder.send(connection, begun)
        elif CHUNKED < head.body_length <= len(connection.data):  # it is complete already
            body, connection.data = connection.data[: head.body_length], connection.data[head.body_length :]
            self._respond(connection, begun, body)
        else:
            self._begin_body(connection, head, begun)

    def _begin_body(self, connection: Connection, head: Head, admitted: Admitted) -> None:
        limit_bytes = admitted.target.max_body_bytes
        body = BodyReader(head.body_length, limit_bytes)
        reserved = head.body_length if head.body_length != CHUNKED else limit_bytes
        if self._connections.uploads_bytes + reserved > MAX_UPLOADS_BYTES:
            raise StoreBusy(retry_after_s=1)
        self._connections.uploads_bytes += reserved
        connection.upload = upload = Upload(admitted, body, reserved)
        self._read_body(connection, upload)
        if not body.is_complete and connection.stage is Stage.IDLE:
            self._connections.expect(connection, Stage.IN_BODY, self._connections.timeouts.body_s)
            if head.expects_continue and not body.data:
                self._responder.send_continue(connection)

    def _read_body(self, connection: Connection, upload: Upload) -> bool:
        taken = upload.body.receive(connection.data)
        connection.data = connection.data[taken:]
        if not upload.body.is_complete:
            return False
        self._connections.release(connection)
        connection.stage = Stage.IDLE
        connection.expires_at_s = None
        self._respond(connection, upload.admitted, bytes(upload.body.data))
        return True

    # To the application and back

    def _respond(self, connection: Connection, admitted: Admitted, body: bytes) -> None:
        if isinstance(admitted.target, StatusTarget) and connection.epoll is self._connections.epoll:
            self._connections.prioritize(connection)
        self._apply_outcome(connection, admitted.request, self._app.respond(admitted, body, connection))

    def _finish(
        self,
        connection: Connection,
        request: Request,
        finish: Callable[[asyncio.Future[Any]], Outcomes],
        future: asyncio.Future[Any],
    ) -> None:
        """Apply the outcome of a request that had to wait."""
        try:
            try:
                outcome = finish(future)
            except asyncio.CancelledError:  # the server stops
                return
            except Exception as error:  # noqa: BLE001 - `problem` logs it
                outcome = self._app.problem(request, error)
            connection.stage = Stage.IDLE
            self._apply_outcome(connection, request, outcome)
        except Exception as error:  # noqa: BLE001 - `_fail` answers or logs it
            self._fail(connection, error)
        self.resume_reading(connection)

    def _apply_outcome(self, connection: Connection, request: Request, outcome: Outcomes) -> None:
        if isinstance(outcome, Response):
            self._responder.send(connection, outcome)
        elif isinstance(outcome, Answer):
            self._responder.send_answer(connection, outcome)
        elif isinstance(outcome, Pending) and outcome.future.done():  # the memory store's
            self._finish(connection, request, outcome.finish, outcome.future)
        elif isinstance(outcome, Pending):
            connection.stage = Stage.BUSY
            outcome.future.add_done_callback(partial(self._finish, connection, request, outcome.finish))
        elif not isinstance(outcome, Poll):
            task = self._start(connection, outcome)
            task.add_done_callback(partial(self._finish, connection, request, asyncio.Future.result))
        elif connection.fd < 0 or connection.peer_finished:
            self._tracking.leave(outcome)
            self._connections.drop(connection)
        else:
            connection.poll = outcome
            connection.stage = Stage.HELD
            self._connections.watch(connection)

    def _start(self, connection: Connection, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Run `work` in a task. Bytes that come meanwhile are served after it."""
        connection.stage = Stage.BUSY
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
