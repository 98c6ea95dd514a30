"""Drives simulated workflows: takes each step when it is due, as a real update by the actor `simulator`.

The schedule is the store's, so a restart goes on where it was; late steps follow one another at once and in order. A
change of status by anybody else ends a simulation in the store itself, and the next step here finds it gone.
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
from collections.abc import Sequence

import structlog

from ordertrack.core.access import Action
from ordertrack.core.errors import OrdertrackError, Overloaded, SimulationNotRunning
from ordertrack.core.event import EventType
from ordertrack.core.order import ChangeStatus, Order
from ordertrack.core.principal import ANYONE, Principal
from ordertrack.core.workflow import ACTOR, Step, WorkflowOptions
from ordertrack.ports.clock import Clock
from ordertrack.ports.store import Committed, Store
from ordertrack.service.foreign import checked

MAX_SLEEP_S = 60.0
"""The wall clock may jump, and steps are due by the wall clock: look again at least this often."""
RETRY_AFTER_S = 1.0

log = structlog.get_logger("ordertrack.simulation")


class Simulator:
    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._next: dict[int, tuple[Step, ...]] = {}
        """Pending steps by order. The heap may hold steps of simulations that are over; this says which count."""
        self._heap: list[tuple[int, int, int]] = []
        self._woken = asyncio.Event()
        self._driver: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Go on with what was running when the process ended."""
        for steps in (await self._store.simulations()).values():
            self._schedule(steps)
        if self._next:
            log.info("simulations resumed", orders=len(self._next))
        self._driver = asyncio.create_task(self._drive())

    async def close(self) -> None:
        if self._driver is not None:
            self._driver.cancel()
            await asyncio.gather(self._driver, return_exceptions=True)

    @property
    def running(self) -> int:
        return len(self._next)

    def committed(self, commits: Sequence[Committed]) -> None:
        """Of the store's commit listener: a change of status by anybody else has ended the order's simulation."""
        for order, _, previous_version in commits:
            if order.id in self._next and _interfered(order, previous_version):
                del self._next[order.id]

    async def start(self, order_id: int, options: WorkflowOptions, by: Principal = ANYONE) -> tuple[Step, ...]:
        """Raises OrderNotFound, Forbidden, OrderEnded, SimulationRunning, InvalidInput."""
        await checked(self._store, order_id, by, Action.SIMULATE)
        steps = await self._store.start_simulation(order_id, options, self._clock.now_ms())
        self._schedule(steps)
        self._woken.set()
        return steps

    async def stop(self, order_id: int, by: Principal = ANYONE) -> tuple[Step, ...]:
        """Returns the steps that will not happen. Raises OrderNotFound, Forbidden, SimulationNotRunning."""
        await checked(self._store, order_id, by, Action.SIMULATE)
        steps = await self._store.stop_simulation(order_id)
        self._next.pop(order_id, None)
        return steps

    def _schedule(self, steps: tuple[Step, ...]) -> None:
        if steps:
            step = steps[0]
            self._next[step.order_id] = steps
            heapq.heappush(self._heap, (step.due_at_ms, step.order_id, step.seq))

    async def _drive(self) -> None:
        while True:
            due = self._take_due()
            if due:
                try:
                    await self._perform(due)
                except Exception:
                    log.exception("simulated steps failed, trying again", steps=len(due))
                    await self._put_off(due)
                continue
            wait_s = MAX_SLEEP_S
            if self._heap:
                wait_s = min(wait_s, max(0.0, (self._heap[0][0] - self._clock.now_ms()) / 1000))
            self._woken.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), wait_s)

    def _take_due(self) -> list[Step]:
        """The next step of every simulation whose time has come: one per order, so that they stay in order."""
        due: list[Step] = []
        now_ms = self._clock.now_ms()
        while self._heap and self._heap[0][0] <= now_ms:
            due_at_ms, order_id, seq = heapq.heappop(self._heap)
            steps = self._next.get(order_id)
            if steps and (steps[0].due_at_ms, steps[0].seq) == (due_at_ms, seq):
                due.append(steps[0])
        return due

    async def _perform(self, due: list[Step]) -> None:
        changes = [
            ChangeStatus(step.order_id, step.status, ACTOR, reason=step.reason, simulated=(step.seq, step.due_at_ms))
            for step in due
        ]
        try:
            results = await self._store.apply(changes, self._clock.now_ms())
        except Overloaded as error:
            log.warning("the store did not take simulated steps, trying again", steps=len(due), error=str(error))
            await self._put_off(due)
            return
        for step, result in zip(due, results, strict=True):
            steps = self._next.get(step.order_id, ())
            if not steps or steps[0] is not step:
                continue
            del self._next[step.order_id]
            if not isinstance(result, OrdertrackError):
                self._schedule(steps[1:])
            elif not isinstance(result, SimulationNotRunning):
                await self._give_up(step, result)

    async def _put_off(self, due: list[Step]) -> None:
        for step in due:
            heapq.heappush(self._heap, (step.due_at_ms, step.order_id, step.seq))
        await asyncio.sleep(RETRY_AFTER_S)

    async def _give_up(self, step: Step, error: OrdertrackError) -> None:
        log.warning("simulation stopped", order_id=step.order_id, error=str(error))
        try:
            await self._store.stop_simulation(step.order_id)
        except OrdertrackError as stopping:
            log.warning("stopping it failed", order_id=step.order_id, error=str(stopping))


def _interfered(order: Order, previous_version: int) -> bool:
    statuses = (EventType.STATUS_CHANGED, EventType.REVERTED)
    return any(e.actor != ACTOR and e.type in statuses for e in order.events_after(previous_version))
