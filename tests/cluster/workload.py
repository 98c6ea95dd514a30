"""The orders of a run, and the clients that change them.

A slot is a place for an order: when its order has ended, another takes its place. Each change carries a token as its
reason, so that the event in the store can be attributed to the one try that made it.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, Literal

import msgspec

from cluster.checks import ENDED, PROGRESSION
from cluster.connection import Broken, Connection
from cluster.history import Attempt, History
from ordertrack.load import HttpResponse

ORDERS = "/api/v1/orders"
BULK = "/api/v1/status-updates"
SLOTS, CUSTOMERS, RESTAURANTS, COURIERS = 48, 16, 8, 6
ANSWER_S = 15.0
BACKOFF_BASE_S, BACKOFF_CAP_S = 0.25, 2.0
SIMULATION_SPEED = 600.0
"""33 minutes take 3.3 s."""
UNDECIDED = ("outcome_unknown",)
"""Errors after which a change may have been made. After every other one it was not."""


class Problem(msgspec.Struct):
    error: str = ""


class _State(msgspec.Struct):
    id: int
    status: str
    version: int


class _Changed(msgspec.Struct):
    data: _State
    changed: bool = True


class _Result(msgspec.Struct):
    order_id: int
    success: bool
    changed: bool = False
    status: str = ""
    version: int = 0


class _Results(msgspec.Struct):
    results: list[_Result]


class _BulkChanged(msgspec.Struct):
    data: _Results


@dataclass(slots=True)
class Slot:
    number: int
    order_id: int = 0
    status: str = "confirmed"
    version: int = 0

    @property
    def customer_id(self) -> str:
        return f"c{self.number % CUSTOMERS}"

    @property
    def restaurant_id(self) -> str:
        return f"r{self.number % RESTAURANTS}"


@dataclass(slots=True)
class Board:
    """The world as clients see it. `ports` has the port of each node by name; `stopping` ends updates first."""

    ports: dict[str, int]
    history: History
    seed: int
    slots: list[Slot] = field(default_factory=lambda: [Slot(number) for number in range(SLOTS)])
    by_order: dict[int, Slot] = field(default_factory=dict)
    updates_end: asyncio.Event = field(default_factory=asyncio.Event)
    tokens: itertools.count[int] = field(default_factory=itertools.count)

    def random(self, name: str) -> Random:
        """Return the choices of a client, the same in each run with this seed."""
        return Random(f"{self.seed} {name}")

    def put(self, slot: Slot, order_id: int) -> None:
        slot.order_id, slot.status, slot.version = order_id, "confirmed", 1
        self.by_order[order_id] = slot

    def saw(self, order_id: int, version: int, status: str) -> None:
        slot = self.by_order.get(order_id)
        if slot is not None and slot.order_id == order_id and version >= slot.version:
            slot.version, slot.status = version, status


class Updater:
    """A client that changes orders, on a node that changes at random."""

    def __init__(self, name: str, board: Board) -> None:
        self._name, self._board = name, board
        self._random = board.random(name)
        self._node = self._random.choice(list(board.ports))
        self._connection = Connection(board.ports[self._node])
        self._failures = 0

    async def run(self, kind: Literal["kitchen", "bulk", "courier", "creator", "simulation"], every_s: float) -> None:
        step = {
            "kitchen": self._update, "bulk": self._update_many, "courier": self._assign,
            "creator": self._replace_ended, "simulation": self._simulate,
        }[kind]  # fmt: skip
        try:
            while not self._board.updates_end.is_set():
                if self._random.random() < 0.3:
                    self._move()
                await step()
                await asyncio.sleep(every_s * self._random.uniform(0.5, 1.5))
        finally:
            self._connection.close()

    def _move(self) -> None:
        self._connection.close()
        names = list(self._board.ports)
        self._node = names[(names.index(self._node) + 1) % len(names)]
        self._connection = Connection(self._board.ports[self._node])

    async def _send(
        self, attempts: Sequence[Attempt], method: str, target: str, body: object, key: str = ""
    ) -> HttpResponse | None:
        """Send a request for these attempts and record them. Back off and move after a failure."""
        now_s = time.monotonic()
        try:
            await self._connection.connect()
        except Broken:  # nothing was sent: these attempts did not take place
            await self._back_off()
            return None
        for attempt in attempts:
            attempt.sent_s, attempt.node = now_s, self._node
        self._board.history.attempts += attempts
        try:
            headers = {"Idempotency-Key": key} if key else {}
            response = await self._connection.ask(method, target, body, headers, limit_s=ANSWER_S)
        except (Broken, TimeoutError):
            for attempt in attempts:
                attempt.done_s = time.monotonic()
            await self._back_off()
            return None
        done_s, is_open = time.monotonic(), False
        if response.status >= 500:
            is_open = msgspec.json.decode(response.body, type=Problem).error in UNDECIDED or response.status == 500
        for attempt in attempts:
            attempt.done_s, attempt.http_status = done_s, response.status
            if response.status >= 400 and not is_open:
                attempt.outcome = "refused"
        if response.status in (429, 503):
            await self._back_off(float(response.header(b"retry-after") or 0))
            return None
        self._failures = 0
        return response

    async def _back_off(self, retry_after_s: float = 0.0) -> None:
        self._failures += 1
        self._move()
        longest_s = min(BACKOFF_CAP_S, BACKOFF_BASE_S * 2**self._failures)
        await asyncio.sleep(min(retry_after_s, BACKOFF_CAP_S) + self._random.random() * longest_s)

    def _token(self) -> str:
        return f"{self._name}-{next(self._board.tokens)}"

    def _attempt(self, kind: Literal["status", "courier", "create"], order_id: int, token: str) -> Attempt:
        return Attempt(token, kind, self._node, order_id, 0.0)

    def _active(self) -> Slot | None:
        active = [slot for slot in self._board.slots if slot.order_id and slot.status not in ENDED]
        return self._random.choice(active) if active else None

    def _change(self, slot: Slot) -> dict[str, Any]:
        """Choose a change: mostly the next step, at times a skip, an undo, a repetition or a cancellation."""
        at = PROGRESSION.index(slot.status)
        chance = self._random.random()
        if chance < 0.40 and at:
            return {"status": self._random.choice(PROGRESSION[:at]), "undo": True}
        if chance < 0.46:
            return {"status": slot.status}
        if chance < 0.48:
            return {"status": "cancelled"}
        skipped = 1 if chance < 0.55 and at + 2 < len(PROGRESSION) else 0
        return {"status": PROGRESSION[at + 1 + skipped]}

    async def _update(self) -> None:
        slot = self._active()
        if slot is None:
            return
        attempt = self._attempt("status", slot.order_id, self._token())
        body = self._change(slot) | {"reason": attempt.token}
        response = await self._send([attempt], "PUT", f"{ORDERS}/{slot.order_id}/status", body)
        self._record(attempt, response)

    def _record(self, attempt: Attempt, response: HttpResponse | None) -> None:
        if response is not None and response.status in (200, 201):
            answer = msgspec.json.decode(response.body, type=_Changed)
            self._acknowledge(attempt, answer.data.id, answer.data.version, answer.data.status, answer.changed)

    def _acknowledge(self, attempt: Attempt, order_id: int, version: int, status: str, changed: bool) -> None:
        attempt.outcome, attempt.order_id, attempt.changed = "acknowledged", order_id, changed
        attempt.version, attempt.status = version, status
        self._board.saw(order_id, version, status)

    async def _update_many(self) -> None:
        """Update several orders in one request. An order is in it once: the second change would be a guess."""
        active = [slot for slot in self._board.slots if slot.order_id and slot.status not in ENDED]
        if not active:
            return
        attempts, updates = [], []
        for slot in self._random.sample(active, min(len(active), self._random.randint(3, 12))):
            attempts.append(self._attempt("status", slot.order_id, self._token()))
            updates.append({"order_id": slot.order_id, "reason": attempts[-1].token, **self._change(slot)})
        response = await self._send(attempts, "POST", BULK, {"updates": updates})
        if response is None or response.status != 200:
            return
        results = msgspec.json.decode(response.body, type=_BulkChanged).data.results
        for attempt, result in zip(attempts, results, strict=True):
            if result.success:
                self._acknowledge(attempt, result.order_id, result.version, result.status, result.changed)
            else:
                attempt.outcome = "refused"

    async def _assign(self) -> None:
        slot = self._active()
        if slot is None:
            return
        courier_id = f"k{self._random.randrange(COURIERS)}"
        attempt = self._attempt("courier", slot.order_id, self._token())
        attempt.courier_id = courier_id
        target = f"{ORDERS}/{slot.order_id}/courier"
        self._record(attempt, await self._send([attempt], "PUT", target, {"courier_id": courier_id}))

    async def _replace_ended(self) -> None:
        for slot in self._board.slots:
            is_free = not slot.order_id or slot.status in ENDED
            if is_free and not self._board.updates_end.is_set():
                courier_id = f"k{self._random.randrange(COURIERS)}" if self._random.random() < 0.5 else None
                order_id = await self._create(slot.customer_id, slot.restaurant_id, courier_id)
                if order_id:
                    self._board.put(slot, order_id)

    async def _create(self, customer_id: str, restaurant_id: str, courier_id: str | None) -> int:
        """Create an order, with the same key on one node after another until the outcome is known. Return its id."""
        key = self._token()
        body = {"customer_id": customer_id, "restaurant_id": restaurant_id, "note": key, "courier_id": courier_id}
        while not self._board.updates_end.is_set():
            attempt = self._attempt("create", 0, key)
            response = await self._send([attempt], "POST", ORDERS, body, key)
            self._record(attempt, response)
            if attempt.outcome == "acknowledged":
                if attempt.version != 1:  # a repetition shows the order as it is now
                    attempt.changed = False
                return attempt.order_id
            if attempt.outcome == "refused" and attempt.http_status < 429:
                break
        return 0

    async def _simulate(self) -> None:
        """Create an order and start its simulation, on any node. The nodes share the steps."""
        number = self._random.randrange(SLOTS)
        order_id = await self._create(f"c{number % CUSTOMERS}", f"r{number % RESTAURANTS}", None)
        while order_id and not self._board.updates_end.is_set():
            target, body = f"{ORDERS}/{order_id}/simulate-workflow", {"speed": SIMULATION_SPEED}
            response = await self._send([], "POST", target, body)
            if response is not None and (response.status == 202 or response.status == 409):
                self._board.history.simulated.append(order_id)
                return
