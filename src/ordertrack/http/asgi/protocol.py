"""uvicorn's h11 protocol with time limits for heads, bodies, and answers that are not read."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from ordertrack.http.gate.timeouts import Timeouts
from ordertrack.http.wire.errors import MalformedRequest
from ordertrack.http.wire.responses import headers_of, http_date, refused
from ordertrack.ports.clock import Clock


class BoundedProtocol(H11Protocol):
    """One timer at a time: for the first request, for the rest of a head or body, or for reading an answer."""

    def __init__(self, timeouts: Timeouts, clock: Clock, refusals: Counter[str], **named: Any) -> None:
        super().__init__(**named)
        self._timeouts = timeouts
        self._clock = clock
        self._refusals = refusals
        self._timer: asyncio.TimerHandle | None = None
        self._waits_for: object = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._wait("request", self._timeouts.idle_s)

    def data_received(self, data: bytes) -> None:
        if self.conn.their_state in (h11.MUST_CLOSE, h11.CLOSED):
            return  # the client announced its last request
        if self.conn.their_state is h11.IDLE:
            self._wait("head", self._timeouts.head_s)
        super().data_received(data)
        if self.transport.is_closing():
            self._stop_waiting()
        elif self.conn.their_state is h11.SEND_BODY:
            self._wait("body", self._timeouts.body_s)
        elif self.conn.their_state is not h11.IDLE:
            self._stop_waiting()
        elif self.conn.trailing_data[0]:
            self._wait("head", self._timeouts.head_s)

    def eof_received(self) -> bool:  # type: ignore[override]
        """Keep the connection of a client that half-closes after a change, to answer it. After a read it is gone."""
        cycle: RequestResponseCycle | None = self.cycle  # uvicorn's annotation leaves out None
        if cycle is None or cycle.response_complete or self.scope["method"] in ("GET", "HEAD") or cycle.more_body:
            return False
        cycle.keep_alive = False
        return True

    def on_response_complete(self) -> None:
        self._stop_waiting()
        super().on_response_complete()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._wait("reader", self._timeouts.read_s)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._stop_waiting()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """Refuse a request that h11 cannot parse with a problem, as all refusals."""
        response = refused(MalformedRequest("The request is not HTTP/1.1."), self._refusals)
        sent = headers_of(response, http_date(self._clock.now_ms() // 1000))
        cycle: RequestResponseCycle | None = self.cycle  # uvicorn's annotation leaves out None
        if cycle is not None and cycle.response_complete:
            cycle = None
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            has_body = cycle is None or self.scope["method"] != "HEAD"
            for event in (
                h11.Response(status_code=response.status, headers=sent, reason=b"Bad Request"),
                h11.Data(data=response.body if has_body else b""),
                h11.EndOfMessage(),
            ):
                self.transport.write(self.conn.send(event) or b"")
        if cycle is not None:
            cycle.disconnected = True  # the fault is in its body: its answer would be too late
            cycle.message_event.set()
        self.transport.close()

    def _wait(self, what: str, timeout_s: float) -> None:
        """Start the timer, unless it runs for the same `what` already."""
        if self._timer is None or self._waits_for != what:
            self._stop_waiting()
            self._waits_for = what
            self._timer = self.loop.call_later(timeout_s, self._abort)

    def _stop_waiting(self) -> None:
        self._waits_for = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _abort(self) -> None:
        self._timer = None
        self.transport.abort()
