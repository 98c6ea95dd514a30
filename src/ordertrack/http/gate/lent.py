"""uvicorn's side: connections it is lent, with bounds it does not have, and given back when a poll comes.

A lent connection goes back to the gate at a request boundary, when what comes next is a poll or not yet a whole head.
The descriptor is duplicated and the transport aborted: that closes its own copy, and the peer notices nothing.
"""

from __future__ import annotations

import asyncio
import os
import socket
from typing import Any, cast

import structlog
import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from ordertrack.http.gate.gate import Gate
from ordertrack.http.gate.head import END_OF_HEAD, MAX_HEAD_BYTES, Bounds, may_be_ours

log = structlog.get_logger("ordertrack.http")


class BoundedProtocol(HttpToolsProtocol):
    """uvicorn's protocol, with a bound on how long and how large heads are, how long bodies take to come and answers to
    be read. Bounds cost a timer only when a request does not come in one piece."""

    def __init__(self, bounds: Bounds, **named: Any) -> None:
        super().__init__(**named)
        self._bounds = bounds
        self._in_message = False
        self._in_head = False
        self._head_bytes = 0
        self._slow: asyncio.TimerHandle | None = None
        self._unread: asyncio.TimerHandle | None = None

    def on_message_begin(self) -> None:
        self._in_message = self._in_head = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._stop_waiting()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._in_message = False
        self._stop_waiting()
        super().on_message_complete()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if not self._in_message or self.transport.is_closing():
            return
        if self._in_head:
            self._head_bytes += len(data)
            if self._head_bytes > MAX_HEAD_BYTES:
                self._abort()
                return
        if self._slow is None:
            bounds = self._bounds
            timeout_s = bounds.head_timeout_s if self._in_head else bounds.body_timeout_s
            self._slow = self.loop.call_later(timeout_s, self._abort)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._unread = self.loop.call_later(self._bounds.read_timeout_s, self._abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._unread is not None:
            self._unread.cancel()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        if self._unread is not None:
            self._unread.cancel()
        super().connection_lost(exc)

    def _stop_waiting(self) -> None:
        self._head_bytes = 0
        if self._slow is not None:
            self._slow.cancel()
            self._slow = None

    def _abort(self) -> None:
        self._slow = None
        self.transport.abort()


class LentProtocol(BoundedProtocol):
    """`first` is what the gate has read already."""

    def __init__(self, gate: Gate, first: bytes, **named: Any) -> None:
        super().__init__(gate.bounds, **named)
        self._gate = gate
        self._first = first

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        first, self._first = self._first, b""
        super().data_received(first)

    def data_received(self, data: bytes) -> None:
        if self._between_requests() and (may_be_ours(data) or END_OF_HEAD not in data):
            self._give_back(data)
        else:
            super().data_received(data)

    def _between_requests(self) -> bool:
        """True when nothing of this connection is under way here: no request half read, none queued, no answer half
        written. An answer given before its request's body has come does not count as an end."""
        cycle: RequestResponseCycle | None = cast("RequestResponseCycle | None", self.cycle)
        return (
            not self._in_message
            and (cycle is None or cycle.response_complete)
            and not self.pipeline
            and self.transport.get_write_buffer_size() == 0
            and not self.transport.is_closing()
            and self._gate.accepting
        )

    def _give_back(self, data: bytes) -> None:
        self._unset_keepalive_if_required()
        own: socket.socket = self.transport.get_extra_info("socket")
        try:
            fd = os.dup(own.fileno())
        except OSError as error:
            log.warning("a connection stays lent", error=str(error))
            super().data_received(data)
            return
        self.transport.abort()
        self._gate.adopt(fd, data, self.client[0] if self.client else None)


class UvicornLender:
    """Makes a lent connection one of uvicorn's."""

    def __init__(self, server: uvicorn.Server, gate: Gate) -> None:
        self._server = server
        self._gate = gate
        self._tasks: set[asyncio.Task[None]] = set()

    def lend(self, connection: socket.socket, data: bytes) -> None:
        task = asyncio.get_running_loop().create_task(self._connect(connection, data))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _connect(self, connection: socket.socket, data: bytes) -> None:
        def protocol() -> LentProtocol:
            return LentProtocol(
                self._gate, data, config=self._server.config, server_state=self._server.server_state, app_state={}
            )

        try:
            await asyncio.get_running_loop().connect_accepted_socket(protocol, connection)
        except OSError as error:
            log.debug("a lent connection was gone", error=str(error))
            connection.close()
