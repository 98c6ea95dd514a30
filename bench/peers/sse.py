"""Server-Sent Events: a client holds one stream for an order, and an update sends one event to each of its streams.

A stream stays open after an event, so nothing corresponds to polling again: use the measurements `held` and
`wakes-single`, not those of re-polls and of holds that time out.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from time import perf_counter

from bench.contenders import Running
from bench.peers.process import peer_process
from bench.peers.python import HERE, peers_python
from ordertrack.load import (
    Feed,
    HttpResponse,
    OrdertrackProtocol,
    PollPool,
    WrongAnswer,
    create_orders,
    fetch_statistics,
)
from ordertrack.load.http_parser import MalformedResponse
from ordertrack.load.polls import PollConnection
from ordertrack.load.protocol import ORDERS

FIRST_VERSION = b"1"


class SsePeer:
    """`server` is `uvicorn` or `granian`; `most` is the number of streams it is tested with at most."""

    def __init__(self, name: str, server: str, *, most: int) -> None:
        self.name, self.most = name, most
        self._server = server

    @contextmanager
    def running(self, *, hold_s: float, polls: int) -> Iterator[Running]:
        with peer_process(self._command) as (target, process):
            running = _StreamsRunning(self.name, target, SseProtocol(hold_s), [process], _make_feeds, _held)
            with running.pool() as pool:
                running.held(pool)  # answered by granian's worker process, which starts after the port is open
            yield replace(running, processes=[process, *process.children(recursive=True)])

    def _command(self, folder: Path, port: int) -> list[str]:
        return [str(peers_python()), str(HERE / "sse_server.py"), str(port), self._server]


class _StreamsRunning(Running):
    def pool(self) -> PollPool:
        return StreamPool(self.target, self.protocol)


def _make_feeds(pool: PollPool, count: int) -> list[Feed]:
    return [Feed(order_id, int(FIRST_VERSION), FIRST_VERSION) for order_id in create_orders(pool, count)]


def _held(pool: PollPool) -> int:
    return int(fetch_statistics(pool)["active_connections"])


class SseProtocol(OrdertrackProtocol):
    """A poll is the request of a stream, and its position the version of the last event. An event is a poll's body."""

    def poll(self, feed: int, position: bytes) -> bytes:
        request = self.request("GET", f"{ORDERS}/{feed}/events")
        return request.removesuffix(b"\r\n") + b"Last-Event-ID: %s\r\n\r\n" % position


class StreamPool(PollPool):
    """Streams instead of polls: an event is checked like an answer, and the stream goes on waiting for the next."""

    def _parse(self, poll: PollConnection, data: bytes) -> bool:
        """Check all events in the data; return False, so that the caller checks none of them again."""
        try:
            events, rest = parse_events(data)
            replies = [self.protocol.parse(HttpResponse(200, b"", event, b"")) for event in events]
        except (MalformedResponse, WrongAnswer) as error:
            self.wrong[str(error)] += 1
            return False
        if rest:
            self._partial[poll.fd] = rest
        self._last_data = data if len(replies) == 1 and not rest else b""
        for self._last_reply in replies:
            self._check(poll)
        return False

    def _check(self, poll: PollConnection) -> None:
        now_s, feed, event = perf_counter(), poll.feed, self._last_reply
        if event.feed != feed.id:
            self.wrong["the event of another order"] += 1
            return
        self._check_news(poll, feed, event, now_s)
        if not feed.outstanding:
            self.fan_out_s.append(now_s - feed.published_at_s)
            self.on_complete(feed)


def parse_events(data: bytes) -> tuple[list[bytes], bytes]:
    """Return the `data` fields of the events in chunks of a response, with or without its head, and the rest.

    Raises: MalformedResponse, also for an event in more than one chunk, which these servers do not send.
    """
    if data.startswith(b"HTTP/1."):
        head, blank, chunks = data.partition(b"\r\n\r\n")
        if not blank:
            return [], data
        if b" 200 " not in head.partition(b"\r\n")[0] or b"text/event-stream" not in head:
            raise MalformedResponse(f"not an event stream: {head[:60]!r}")
        data = chunks
    events: list[bytes] = []
    while (size_end := data.find(b"\r\n")) > 0:
        end = size_end + 2 + int(data[:size_end], 16)
        if len(data) < end + 2:
            break
        text, data = data[size_end + 2 : end], data[end + 2 :]
        if not text.endswith(b"\n\n"):
            raise MalformedResponse(f"not whole events in a chunk: {text[-40:]!r}")
        events += [line.removeprefix(b"data: ") for line in text.split(b"\n") if line.startswith(b"data: ")]
    return events, data
