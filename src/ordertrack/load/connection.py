"""Connections that make one request after another: updates, orders to begin with."""

from __future__ import annotations

import os
import select
from collections.abc import Callable, Iterable

from ordertrack.load.http_parser import Reply, split
from ordertrack.load.polls import Swarm
from ordertrack.load.target import CannotLoad

CHUNK = 65_536
ANSWERED_WITHIN_S = 20.0


class Caller:
    """Makes the requests that `next_request` gives, one after another; None pauses until the next `go`."""

    def __init__(
        self, swarm: Swarm, next_request: Callable[[], bytes | None], answered: Callable[[Reply], None]
    ) -> None:
        self.busy = False
        self._next, self._answered = next_request, answered
        self._swarm = swarm
        self._fd = swarm.listen(self._readable)
        self._partial = b""

    def close(self) -> None:
        self._swarm.hang_up(self._fd)

    def go(self) -> None:
        if self.busy:
            return
        request = self._next()
        if request is None:
            return
        self.busy = True
        while request:
            try:
                request = request[os.write(self._fd, request) :]
            except BlockingIOError:
                select.select((), (self._fd,), ())

    def _readable(self) -> None:
        data = os.read(self._fd, CHUNK)
        if not data:
            if self.busy:
                raise ConnectionResetError("the server closed the connection that makes the updates")
            self._connect_again()  # it was idle for longer than the server keeps a connection
            return
        reply = split(self._partial + data)
        if reply is None:
            self._partial += data
            return
        self._partial = b""
        self.busy = False
        if reply.closing:
            self._connect_again()
        self._answered(reply)
        self.go()

    def _connect_again(self) -> None:
        self.close()
        self._fd = self._swarm.listen(self._readable)


def call_all(swarm: Swarm, callers: int, requests: Iterable[bytes], answered: Callable[[Reply], None]) -> None:
    """Make all requests over some connections, each one after another; returns when the last is answered.

    Raises CannotLoad when no answer comes for a while.
    """
    pending = iter(requests)
    crowd = [Caller(swarm, lambda: next(pending, None), answered) for _ in range(callers)]
    try:
        for caller in crowd:
            caller.go()
        while any(caller.busy for caller in crowd):
            if not swarm.turn(ANSWERED_WITHIN_S):
                raise CannotLoad(f"The server has not answered for {ANSWERED_WITHIN_S:g} s.")
    finally:
        for caller in crowd:
            caller.close()
