"""Write responses to connections. What the kernel does not take at once stays in the connection, within limits."""

from __future__ import annotations

import os

from ordertrack.core.errors import OrdertrackError
from ordertrack.core.poll import Answer
from ordertrack.http.app import HttpApp
from ordertrack.http.endpoints.poll_responses import PollAnswers
from ordertrack.http.gate.connection import Connection, Stage
from ordertrack.http.gate.connections import Connections
from ordertrack.http.wire.responses import CLOSE, Response, bytes_of, http_date, with_headers

MIN_READ_BYTES = 64 * 1024
"""A peer that reads this much in `read_s` keeps its connection."""
MAX_UNSENT_BYTES = 256 * 1024 * 1024
"""Limit of unsent responses, of all connections together."""
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Responder:
    def __init__(self, connections: Connections, app: HttpApp) -> None:
        self._connections = connections
        self._app = app
        self._tracking = app.tracking
        self._clock = app.clock
        self._answers = PollAnswers(app.clock, app.tracking.max_timeout_s)

    def send_answer(self, connection: Connection, answer: Answer) -> None:
        """Write the answer of a poll."""
        closing = self._tracking.hub.draining
        if connection.head_only:
            self.send(connection, self._answers.response(answer, self._tracking.epoch, closing=closing))
            return
        keep_alive = connection.keep_alive and not closing
        data = self._answers.written(answer, self._tracking.epoch, connection.headers, closing, keep_alive)
        self._write_answer(connection, data, keep_alive=keep_alive)

    def send_refusal(self, connection: Connection, error: OrdertrackError) -> None:
        """Write an error."""
        self.send(connection, self._app.refuse(error))

    def send(self, connection: Connection, response: Response) -> None:
        keep_alive = connection.keep_alive and CLOSE not in response.headers and not self._tracking.hub.draining
        if connection.headers:
            response = with_headers(response, connection.headers)
        date = http_date(self._clock.now_ms() // 1000)
        data = bytes_of(response, date, keep_alive=keep_alive, head_only=connection.head_only)
        self._write_answer(connection, data, keep_alive=keep_alive)

    def _write_answer(self, connection: Connection, data: bytes, *, keep_alive: bool) -> None:
        if connection.fd < 0:
            return
        connection.stage = Stage.IDLE
        connection.keep_alive = keep_alive
        connection.headers = ()
        written = self._write(connection, data)
        if written == len(data):
            if not keep_alive:
                self._connections.close_gracefully(connection)
        elif connection.fd >= 0:
            self._write_later(connection, memoryview(data)[written:])

    def send_continue(self, connection: Connection) -> None:
        """Ask for the body. A client that does not get this sends it after a while."""
        if 0 < self._write(connection, CONTINUE) < len(CONTINUE):
            self._connections.drop(connection)  # the rest cannot be sent in order any more

    def _write(self, connection: Connection, data: bytes | memoryview) -> int:
        """Return how many bytes the kernel took. Drop the connection if its peer has gone."""
        try:
            return os.write(connection.fd, data)
        except (BlockingIOError, InterruptedError):
            return 0
        except OSError:
            self._connections.drop(connection)
            return 0

    def _write_later(self, connection: Connection, unsent: memoryview) -> None:
        """Keep the rest of a response until the peer reads: the line is slow, or the peer does not read."""
        if self._connections.unsent_bytes + len(unsent) > MAX_UNSENT_BYTES:
            self._connections.counters.closed_unread += 1
            self._connections.drop(connection)
            return
        self._connections.unsent_bytes += len(unsent)
        connection.unsent = unsent
        self._connections.expect(connection, Stage.WRITING, self._connections.timeouts.read_s)

    def write_on(self, connection: Connection) -> bool:
        """Write more of a response. Return True once it is complete and the connection is kept."""
        unsent = connection.unsent
        assert unsent is not None
        written = self._write(connection, unsent)
        if connection.fd < 0:
            return False
        self._connections.unsent_bytes -= written
        connection.unsent = unsent[written:]
        if written < len(unsent):
            if len(unsent) // MIN_READ_BYTES != (len(unsent) - written) // MIN_READ_BYTES:
                self._connections.expect(connection, Stage.WRITING, self._connections.timeouts.read_s)
            return False
        connection.unsent = None
        if not connection.keep_alive:
            self._connections.close_gracefully(connection)
            return False
        connection.stage = Stage.IDLE
        self._connections.watch(connection)
        return True
