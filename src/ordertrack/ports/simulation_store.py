"""Simulations in the store, with the orders they change. `ports/store.py` has the contract."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from ordertrack.core.simulation import Step, WorkflowOptions
from ordertrack.ports.order_store import OrderReader, OrderWriter

SimulationListener = Callable[[int, tuple[Step, ...]], None]
"""Called with an order's id and the pending steps of its simulation. It must not raise."""


class SimulationStore(OrderReader, OrderWriter, Protocol):
    async def start_simulation(self, order_id: int, options: WorkflowOptions, now_ms: int) -> tuple[Step, ...]:
        """Raises: OrderNotFound, SimulationRunning, and what `core.simulation.plan_steps` raises."""

    async def stop_simulation(self, order_id: int) -> tuple[Step, ...]:
        """Return the steps that will not happen.

        Raises: OrderNotFound, SimulationNotRunning.
        """

    async def simulations(self) -> dict[int, tuple[Step, ...]]:
        """Return all pending steps by order."""
