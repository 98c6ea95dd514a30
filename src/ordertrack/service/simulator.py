"""Simulated workflows: apply each step when it is due, as a real update by the actor `simulator`.

The store keeps the schedule, so a restart continues it; late steps follow at once and in order. The copy here changes
only when the store announces it, in commit order, and when `_give_up` fails. So no race leaves a simulation here that
is not in the store.
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq

import structlog

from ordertrack.core.errors import OrdertrackError, Overloaded, SimulationNotRunning
from ordertrack.core.order_rules import ChangeStatus
from ordertrack.core.principal import ANYONE, Action, Principal
from ordertrack.core.simulation import ACTOR, Step, WorkflowOptions
from ordertrack.ports.clock import Clock
from ordertrack.ports.shared_store import SharedStore
from ordertrack.ports.simulation_store import SimulationStore
from ordertrack.service.authorization import load_authorized

MAX_SLEEP_S = 60.0
"""Steps are due by the wall clock, which may jump: check at least this often."""
RETRY_AFTER_S = 1.0
MAX_STEPS_AT_ONCE = 500
"""Steps per commit, so that other updates do not wait for all steps that came due while the server was down."""
LOOK_EVERY_S = 1.0
OVERDUE_MS = 1_500
"""By the database's clock. A step is due by that of the node that started the simulation."""
MAX_STALE_ENTRIES = 1_000
"""Entries of finished simulations that the heap may hold before it is rebuilt."""

log = structlog.get_logger("ordertrack.simulation")


class Simulator:
    """With a `shared` store each node performs the steps of the simulations that it started. Every node also looks for
    steps that are overdue, because their node has gone, and takes these simulations over. The store decides which node
    takes a step."""

    def __init__(self, store: SimulationStore, clock: Clock, shared: SharedStore | None = None) -> None:
        self._store = store
        self._shared = shared
        self._clock = clock
        self._next: dict[int, tuple[Step, ...]] = {}
        """Pending steps by order. The heap may also hold steps of finished simulations."""
        self._heap: list[tuple[int, int, int]] = []
        self._woken = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def open(self) -> None:
        """Resume the simulations that were running when the process ended."""
        if self._shared is None:
            for order_id, steps in (await self._store.simulations()).items():
                self.announced(order_id, steps)
            if self._next:
                log.info("simulations resumed", orders=len(self._next))
        else:
            self._tasks.append(asyncio.create_task(self._take_over(self._shared)))
        self._tasks.append(asyncio.create_task(self._drive()))

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def running(self) -> int:
        return len(self._next)

    def announced(self, order_id: int, steps: tuple[Step, ...]) -> None:
        """Replace the pending steps of an order; the simulation listener of the store."""
        if not steps:
            self._next.pop(order_id, None)
            return
        self._next[order_id] = steps
        self._push(steps[0])
        self._woken.set()

    async def start(self, order_id: int, options: WorkflowOptions, by: Principal = ANYONE) -> tuple[Step, ...]:
        """Raises: OrderNotFound, Forbidden, OrderEnded, SimulationRunning, InvalidInput."""
        await load_authorized(self._store, order_id, by, Action.SIMULATE)
        return await self._store.start_simulation(order_id, options, self._clock.now_ms())

    async def stop(self, order_id: int, by: Principal = ANYONE) -> tuple[Step, ...]:
        """Return the steps that will not happen.

        Raises: OrderNotFound, Forbidden, SimulationNotRunning.
        """
        await load_authorized(self._store, order_id, by, Action.SIMULATE)
        return await self._store.stop_simulation(order_id)

    def _push(self, step: Step) -> None:
        """Add a step. The heap is rebuilt when it exceeds twice the running simulations plus MAX_STALE_ENTRIES."""
        heapq.heappush(self._heap, _entry(step))
        if len(self._heap) > 2 * len(self._next) + MAX_STALE_ENTRIES:
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
                    await self._postpone(due)
                continue
            wait_s = MAX_SLEEP_S
            if self._heap:
                wait_s = min(wait_s, max(0.0, (self._heap[0][0] - self._clock.now_ms()) / 1000))
            self._woken.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), wait_s)

    async def _take_over(self, store: SharedStore) -> None:
        """Adopt simulations whose next step is overdue."""
        is_failing = False
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            try:
                overdue = await store.overdue(OVERDUE_MS, MAX_STEPS_AT_ONCE)
            except Exception as error:  # of a fault too: this task must go on
                if not is_failing:  # once for an outage
                    is_fault = not isinstance(error, OrdertrackError)
                    log.warning("overdue steps could not be read, trying again", error=repr(error), exc_info=is_fault)
                is_failing = True
                continue
            is_failing = False
            for order_id, steps in overdue.items():
                if self._next.get(order_id) != steps:
                    self.announced(order_id, steps)

    def _take_due(self) -> list[Step]:
        """Take the next step of every simulation that is due: one per order, so that steps stay in order."""
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
            await self._postpone(due)
            return
        for step, result in zip(due, results, strict=True):
            if self._next_step(step.order_id) != step:
                continue
            if isinstance(result, SimulationNotRunning):  # another node took the step, or ended the simulation
                del self._next[step.order_id]
            elif isinstance(result, OrdertrackError):
                await self._give_up(step, result)

    async def _postpone(self, due: list[Step]) -> None:
        await asyncio.sleep(RETRY_AFTER_S)
        for step in due:
            if self._next_step(step.order_id) == step:
                self._push(step)

    async def _give_up(self, step: Step, error: OrdertrackError) -> None:
        """Stop the simulation. If the store cannot, ignore it until the server restarts."""
        log.warning("simulation stopped", order_id=step.order_id, error=str(error))
        try:
            await self._store.stop_simulation(step.order_id)
        except OrdertrackError as stopping:
            log.warning("stopping it failed", order_id=step.order_id, error=str(stopping))
            self._next.pop(step.order_id, None)


def _entry(step: Step) -> tuple[int, int, int]:
    return step.due_at_ms, step.order_id, step.seq
