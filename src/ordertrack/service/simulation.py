"""Drives simulated workflows: takes each step when it is due, as a real update by the actor `simulator`.

The schedule is the store's, so a restart goes on where it was; late steps follow one another at once and in order. What
is known of it here is what the store has announced, in the order of its commits, and never what a call returned: so no
race between a start, a stop, a step and another change of status leaves a simulation here that the store has not.
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq

import structlog

from ordertrack.core.errors import OrdertrackError, Overloaded
from ordertrack.core.order_rules import ChangeStatus
from ordertrack.core.principal import ANYONE, Action, Principal
from ordertrack.core.simulation import ACTOR, Step, WorkflowOptions
from ordertrack.ports.clock import Clock
from ordertrack.ports.simulation_store import SimulationStore
from ordertrack.service.authorization import checked

MAX_SLEEP_S = 60.0
"""The wall clock may jump, and steps are due by the wall clock: look again at least this often."""
RETRY_AFTER_S = 1.0
MAX_STEPS_AT_ONCE = 500
"""In one commit, so that updates of others do not wait for all that came due while the server was down."""
SPARE = 1_000
"""Entries of simulations that are over that the heap may always hold, so that it is not made anew all the time."""

log = structlog.get_logger("ordertrack.simulation")


class Simulator:
    def __init__(self, store: SimulationStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._next: dict[int, tuple[Step, ...]] = {}
        """Pending steps by order. The heap may hold steps of simulations that are over; this says which count."""
        self._heap: list[tuple[int, int, int]] = []
        self._woken = asyncio.Event()
        self._driver: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Go on with what was running when the process ended."""
        for order_id, steps in (await self._store.simulations()).items():
            self.announced(order_id, steps)
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

    def announced(self, order_id: int, steps: tuple[Step, ...]) -> None:
        """The store's simulation listener."""
        if not steps:
            self._next.pop(order_id, None)
            return
        self._next[order_id] = steps
        self._push(steps[0])
        self._woken.set()

    async def start(self, order_id: int, options: WorkflowOptions, by: Principal = ANYONE) -> tuple[Step, ...]:
        """Raises OrderNotFound, Forbidden, OrderEnded, SimulationRunning, InvalidInput."""
        await checked(self._store, order_id, by, Action.SIMULATE)
        return await self._store.start_simulation(order_id, options, self._clock.now_ms())

    async def stop(self, order_id: int, by: Principal = ANYONE) -> tuple[Step, ...]:
        """Returns the steps that will not happen. Raises OrderNotFound, Forbidden, SimulationNotRunning."""
        await checked(self._store, order_id, by, Action.SIMULATE)
        return await self._store.stop_simulation(order_id)

    def _push(self, step: Step) -> None:
        """When most of the heap is over, it is made anew: it holds at most twice what is running, and SPARE."""
        heapq.heappush(self._heap, _entry(step))
        if len(self._heap) > 2 * len(self._next) + SPARE:
            self._heap = [_entry(steps[0]) for steps in self._next.values()]
            heapq.heapify(self._heap)

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
        due: dict[int, Step] = {}
        now_ms = self._clock.now_ms()
        while self._heap and self._heap[0][0] <= now_ms and len(due) < MAX_STEPS_AT_ONCE:
            entry = heapq.heappop(self._heap)
            step = self._next_step(entry[1])
            if step is not None and _entry(step) == entry:
                due[step.order_id] = step
        return list(due.values())

    def _next_step(self, order_id: int) -> Step | None:
        steps = self._next.get(order_id)
        return steps[0] if steps else None

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
            if isinstance(result, OrdertrackError) and self._next_step(step.order_id) == step:
                await self._give_up(step, result)

    async def _put_off(self, due: list[Step]) -> None:
        await asyncio.sleep(RETRY_AFTER_S)
        for step in due:
            if self._next_step(step.order_id) == step:
                self._push(step)

    async def _give_up(self, step: Step, error: OrdertrackError) -> None:
        """What cannot be ended in the store now is left alone until the next start of the server."""
        log.warning("simulation stopped", order_id=step.order_id, error=str(error))
        try:
            await self._store.stop_simulation(step.order_id)
        except OrdertrackError as stopping:
            log.warning("stopping it failed", order_id=step.order_id, error=str(stopping))
            self._next.pop(step.order_id, None)


def _entry(step: Step) -> tuple[int, int, int]:
    return step.due_at_ms, step.order_id, step.seq
