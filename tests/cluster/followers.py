"""The clients that wait: each follows a feed in one of the ways that the protocol has, over nodes that it changes.

original    `last_update`, and a sleep of `next_poll_interval` between two polls
cursor      `cursor`, and polls again at once
etag        `If-None-Match`
device      `cursor` and `client_id`; it loses its connection at times and polls on another node at once
link        `cursor`, with the token of a tracking link
party       `cursor`, on the feed of a customer, a restaurant or a courier
reader      reads snapshots, without a position
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import Literal
from urllib.parse import quote

import msgspec

from cluster.checks import ENDED
from cluster.connection import Broken, Connection
from cluster.history import Feed, OrderState, Poll, Session, StoredEvent
from cluster.workload import COURIERS, CUSTOMERS, ORDERS, RESTAURANTS, SLOTS, Board, Problem
from ordertrack.load import HttpResponse

Way = Literal["original", "cursor", "etag", "device", "link", "party", "reader"]
COUNTS: dict[Way, int] = {"original": 60, "cursor": 70, "etag": 40, "device": 30, "link": 20, "party": 65, "reader": 15}
"""Clients of each kind: 300."""
HOLD_S = (2.0, 8.0)
SLEEP_SCALE = 1 / 100
"""The original client sleeps 30 to 120 s; here 0.3 to 1.2 s."""
PATIENCE_S = 10.0
"""Time beyond the hold that a client waits for the answer."""
BACKOFF_BASE_S, BACKOFF_CAP_S = 0.5, 2.0
"""Shorter than PROTOCOL.md advises, in proportion to the run."""
MOVES, LOSES = 0.25, 0.1
"""Shares of polls before which a client goes to the next node, and that a device abandons."""
READ_EVERY_S = 0.4


class EventJson(msgspec.Struct):
    version: int
    type: str
    status: str
    recorded_at: str
    actor: str
    reason: str | None
    courier_id: str | None = None

    def stored(self) -> StoredEvent:
        return StoredEvent(
            self.version, self.type, self.status, self.recorded_at, self.actor, self.reason, self.courier_id
        )


class OrderJson(msgspec.Struct):
    id: int
    version: int
    status: str
    updated_at: str


class _Orders(msgspec.Struct):
    orders: list[OrderJson]


class _Answer(msgspec.Struct, kw_only=True):
    next_poll_interval: int = 0
    cursor: str = ""
    reason: str = ""
    terminal: bool = False
    events: list[EventJson] = []
    events_truncated: bool = False
    left: list[int] = []
    more: bool = False


class _OrderAnswer(_Answer):
    data: OrderJson


class _PartyAnswer(_Answer):
    data: _Orders


class _LinkMade(msgspec.Struct):
    token: str


class _LinkAnswer(msgspec.Struct):
    data: _LinkMade


@dataclass(slots=True)
class Position:
    """The position of a client, in the forms in which it can be sent."""

    version: int
    cursor: str
    updated_at: str
    etag: str


class Follower:
    def __init__(self, number: int, way: Way, board: Board) -> None:
        self._board, self._way, self._number = board, way, number
        self._name = f"{way}-{number}"
        self._random = board.random(self._name)
        self._node = list(board.ports)[number % len(board.ports)]
        self._connection = Connection(board.ports[self._node])
        self._failures = 0
        self._interval_s = 0.0

    async def run(self) -> None:
        """Follow one feed after another until cancelled."""
        try:
            await asyncio.sleep(self._random.random())
            while True:
                if self._way == "party":
                    await self._follow(self._party(), "")
                    continue
                order_id = self._board.slots[self._number % SLOTS].order_id
                path = f"{ORDERS}/{order_id}"
                if self._way == "link" and order_id:
                    path = await self._make_link(order_id)
                if order_id and path:
                    await self._follow(Feed("order", str(order_id)), path)
                await asyncio.sleep(0.2)  # until the next order takes the place
        finally:
            self._connection.close()

    def _party(self) -> Feed:
        kind, count = (("customer", CUSTOMERS), ("restaurant", RESTAURANTS), ("courier", COURIERS))[self._number % 3]
        return Feed(kind, f"{kind[0] if kind != 'courier' else 'k'}{self._number // 3 % count}")

    async def _follow(self, feed: Feed, path: str) -> None:
        path = path or f"/api/v1/{feed.kind}s/{quote(feed.id)}"
        session = Session(self._name, feed, follows=self._way != "reader", redacted=self._way == "link")
        self._board.history.sessions.append(session)
        position: Position | None = None
        while not session.ended:
            if self._random.random() < MOVES:
                self._move()
            is_read = self._way == "reader"
            position = await self._poll(session, path, None if is_read else position)
            if is_read or (self._way == "original" and not session.ended):
                pause_s = READ_EVERY_S if is_read else self._interval_s * SLEEP_SCALE
                await asyncio.sleep(pause_s * self._random.uniform(0.5, 1.5))

    async def _poll(self, session: Session, path: str, position: Position | None) -> Position | None:
        """Send one poll, record it, and return the new position: the same one without an answer."""
        try:
            await self._connection.connect()
        except Broken:  # nothing was sent
            await self._back_off(None)
            return position
        hold_s = self._random.uniform(*HOLD_S)
        target, headers = self._request(path, position, hold_s)
        is_lost = self._way == "device" and position is not None and self._random.random() < LOSES
        limit_s = self._random.uniform(0, hold_s) if is_lost else (hold_s if position else 0) + PATIENCE_S
        poll = Poll(self._node, time.monotonic(), None if position is None else position.version)
        session.polls.append(poll)
        response = None
        try:
            response = await self._connection.ask("GET", target, headers=headers, limit_s=limit_s)
            poll.end = "answered"
        except TimeoutError:
            poll.end = "dropped" if is_lost else "gave_up"
        except Broken as error:
            poll.end, poll.error = "broken", str(error)
        finally:
            poll.answered_s = time.monotonic()
        if is_lost and response is None:
            self._move()
        elif response is None or response.status not in (200, 304):
            if response is not None:
                poll.http_status = response.status
                poll.error = msgspec.json.decode(response.body, type=Problem).error
            session.ended = poll.http_status == 404  # a link that is no longer valid
            await self._back_off(response)
        else:
            self._failures, poll.http_status = 0, response.status
            if response.status == 200:
                position = self._read(session, poll, path, response)
        if poll.reason == "superseded":
            await self._back_off(None)
        return position

    def _request(self, path: str, position: Position | None, hold_s: float) -> tuple[str, dict[str, str]]:
        if position is None:
            is_plain = self._way == "reader" and self._random.random() < 0.5
            return (path if is_plain else f"{path}/track"), {}
        target = f"{path}/track?timeout={hold_s:.2f}"
        if self._way == "etag":
            return target, {"If-None-Match": position.etag}
        if self._way == "original":
            return f"{target}&last_update={quote(position.updated_at)}", {}
        client_id = f"&client_id={self._name}" if self._way == "device" else ""
        return f"{target}&cursor={position.cursor}{client_id}", {}

    def _read(self, session: Session, poll: Poll, path: str, response: HttpResponse) -> Position:
        updated_at = ""
        if session.feed.kind == "order":
            answer: _OrderAnswer | _PartyAnswer = msgspec.json.decode(response.body, type=_OrderAnswer)
            assert isinstance(answer, _OrderAnswer)
            orders, updated_at = [answer.data], answer.data.updated_at
            poll.version = answer.data.version
        else:
            answer = msgspec.json.decode(response.body, type=_PartyAnswer)
            orders = answer.data.orders
            poll.version = int(answer.cursor.split(".")[1])
        poll.states = tuple(OrderState(order.id, order.version, order.status) for order in orders)
        poll.reason, poll.left, poll.more = answer.reason, tuple(answer.left), answer.more
        poll.events = tuple(event.stored() for event in answer.events)
        poll.truncated = answer.events_truncated
        self._interval_s = answer.next_poll_interval
        session.ended = session.feed.kind == "order" and poll.states[0].status in ENDED
        return Position(poll.version, answer.cursor, updated_at, response.header(b"etag").decode())

    def _move(self) -> None:
        self._connection.close()
        names = list(self._board.ports)
        self._node = names[(names.index(self._node) + 1) % len(names)]
        self._connection = Connection(self._board.ports[self._node])

    async def _make_link(self, order_id: int) -> str:
        """Return the path of a new tracking link, empty when there is none now."""
        try:
            await self._connection.connect()
            response = await self._connection.ask("POST", f"{ORDERS}/{order_id}/links", {}, limit_s=PATIENCE_S)
        except (Broken, TimeoutError):
            response = None
        if response is None or response.status != 201:
            await self._back_off(response)
            return ""
        return "/t/" + msgspec.json.decode(response.body, type=_LinkAnswer).data.token

    async def _back_off(self, response: HttpResponse | None) -> None:
        """Wait as PROTOCOL.md says, and go to the next node."""
        self._failures += 1
        self._move()
        retry_after_s = 0.0 if response is None else float(response.header(b"retry-after") or 0)
        longest_s = min(BACKOFF_CAP_S, BACKOFF_BASE_S * 2 ** (self._failures - 1))
        await asyncio.sleep(min(retry_after_s, BACKOFF_CAP_S) + self._random.random() * longest_s)
