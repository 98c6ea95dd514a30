"""Connections that send one request after another: updates, and the creation of orders."""

from __future__ import annotations

import os
import select
from collections.abc import Callable, Iterable

from ordertrack.load.http_parser import HttpResponse, parse_response
from ordertrack.load.polls import PollPool
from ordertrack.load.target import CannotLoad

CHUNK = 65_536
ANSWERED_WITHIN_S = 20.0


class RequestSender:
    """Send the requests that `next_request` returns, one after another; None pauses until the next `send_next`."""

    def __init__(
        self, pool: PollPool, next_request: Callable[[], bytes | None], answered: Callable[[HttpResponse], None]
    ) -> None:
        self.busy = False
        self._next, self._answered = next_request, answered
        self._pool = pool
        self._fd = pool.open_reader(self._readable)
        self._partial = b""

    def close(self) -> None:
        self._pool.close_reader(self._fd)

    def send_next(self) -> None:
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
            self._reconnect()  # idle for longer than the server keeps a connection
            return
        response = parse_response(self._partial + data)
        if response is None:
            self._partial += data
            return
        self._partial = b""
        self.busy = False
        if response.closing:
            self._reconnect()
        self._answered(response)
        self.send_next()

    def _reconnect(self) -> None:
        self.close()
        self._fd = self._pool.open_reader(self._readable)


def send_all(
    pool: PollPool, connections: int, requests: Iterable[bytes], answered: Callable[[HttpResponse], None]
) -> None:
    """Send all requests over that many connections and return when the last is answered.

    Raises: CannotLoad, after ANSWERED_WITHIN_S without an answer.
    """
    pending = iter(requests)
    senders = [RequestSender(pool, lambda: next(pending, None), answered) for _ in range(connections)]
    try:
        for sender in senders:
            sender.send_next()
        while any(sender.busy for sender in senders):
            if not pool.run_once(ANSWERED_WITHIN_S):
                raise CannotLoad(f"The server has not answered for {ANSWERED_WITHIN_S:g} s.")
    finally:
        for sender in senders:
            sender.close()
