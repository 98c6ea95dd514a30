"""A record of what a client sent and received, taken by a proxy in front of the server."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from bench.radio import Transmission


class Piece(NamedTuple):
    """Bytes that passed the proxy. `at_s` is a time since the epoch; no bytes: that side has closed the connection."""

    at_s: float
    connection: int
    is_sent: bool
    size: int


class Exchange(NamedTuple):
    """A request and its answer. Times are in seconds since the epoch; those of the answer are None when none came."""

    start_s: float
    sent_s: float
    """The last byte of the request."""
    first_byte_s: float | None
    end_s: float | None
    sent_bytes: int
    received_bytes: int

    @property
    def is_unanswered(self) -> bool:
        return self.first_byte_s is None


@dataclass
class WireRecord:
    """The record of one client; `note` is the `passes` of a `FaultProxy`.

    With `forgets_after_s` the path drops a connection that was silent for longer, as a NAT or a broken proxy does: what
    comes later is dropped in both directions, and neither side is told.
    """

    forgets_after_s: float | None = None
    clock: Callable[[], float] = time.time
    pieces: list[Piece] = field(default_factory=list)
    _last_s: dict[int, float] = field(default_factory=dict)
    _forgotten: set[int] = field(default_factory=set)

    def note(self, connection: int, is_sent: bool, data: bytes) -> bool:
        at_s = self.clock()
        silent_s = at_s - self._last_s.get(connection, at_s)
        self._last_s[connection] = at_s
        if self.forgets_after_s is not None and silent_s > self.forgets_after_s:
            self._forgotten.add(connection)
        passes = connection not in self._forgotten
        if is_sent or passes:  # the client's radio sends what the path drops, and never receives it
            self.pieces.append(Piece(at_s, connection, is_sent, len(data)))
        return passes


def exchanges(pieces: Iterable[Piece]) -> list[Exchange]:
    """Return the exchanges in the order of their starts. Requests are not pipelined: on each connection the bytes of a
    request and of its answer alternate."""
    by_connection: dict[int, list[Piece]] = defaultdict(list)
    for piece in pieces:
        if piece.size:
            by_connection[piece.connection].append(piece)
    found: list[Exchange] = []
    for of_one in by_connection.values():
        requests: list[tuple[list[Piece], list[Piece]]] = []
        for piece in of_one:
            if piece.is_sent and (not requests or requests[-1][1]):
                requests.append(([], []))
            if requests:
                requests[-1][not piece.is_sent].append(piece)
        found += [_exchange(sent, received) for sent, received in requests]
    return sorted(found)


def _exchange(sent: list[Piece], received: list[Piece]) -> Exchange:
    return Exchange(
        start_s=sent[0].at_s,
        sent_s=sent[-1].at_s,
        first_byte_s=received[0].at_s if received else None,
        end_s=received[-1].at_s if received else None,
        sent_bytes=sum(piece.size for piece in sent),
        received_bytes=sum(piece.size for piece in received),
    )


def transmissions(found: Iterable[Exchange], *, started_s: float, speed: float) -> list[Transmission]:
    """Return the times of requests and answers, in seconds since the start of an order run `speed` times faster."""

    def scaled(from_s: float, to_s: float) -> Transmission:
        return Transmission((from_s - started_s) * speed, (to_s - started_s) * speed)

    times: list[Transmission] = []
    for exchange in found:
        times.append(scaled(exchange.start_s, exchange.sent_s))
        if exchange.first_byte_s is not None and exchange.end_s is not None:
            times.append(scaled(exchange.first_byte_s, exchange.end_s))
    return sorted(times)
