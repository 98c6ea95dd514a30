"""The service: open its parts in order, drain, and close each within a deadline."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Coroutine
from dataclasses import dataclass

import structlog

from ordertrack.http.app import HttpApp
from ordertrack.http.asgi.transport import AsgiApp
from ordertrack.http.gate.gate import Gate
from ordertrack.http.gate.timeouts import Timeouts
from ordertrack.ports.clock import Clock
from ordertrack.ports.store import Store
from ordertrack.ports.tokens import Tokens
from ordertrack.service.cluster.cluster import Cluster
from ordertrack.service.eta_timer import EtaTimer
from ordertrack.service.links import Links
from ordertrack.service.monitoring.loop_lag import LoopLagTimer
from ordertrack.service.samples import load_samples
from ordertrack.service.simulator import Simulator
from ordertrack.service.tracking.tracking import Tracking
from ordertrack.settings import Settings

EXIT_MARGIN_S = 1.0
"""Seconds after the drain window and the grace period until `close` must end."""
MIN_CLOSE_S = 0.5
CLUSTER_CLOSE_S = 0.3

log = structlog.get_logger("ordertrack")


@dataclass
class Service:
    """Everything that runs. Call `open` before the first request, `drain` at SIGTERM and `close` after the last."""

    settings: Settings
    store: Store
    clock: Clock
    tracking: Tracking
    simulator: Simulator
    eta_timer: EtaTimer
    links: Links
    loop_lag_timer: LoopLagTimer
    http: HttpApp
    tokens: Tokens | None
    cluster: Cluster | None = None
    samples_loaded: bool = False
    exit_by_s: float | None = None
    """Time by which `close` must end, on the monotonic clock; None before `drain`."""

    async def open(self) -> None:
        """Raises: StoreCannotOpen, SignalCannotOpen."""
        if self.tokens is not None:
            await self.tokens.open()
        await self.store.open(
            *([] if self.cluster is None else [self.cluster.committed]),  # first: it remembers what polls are told
            self.tracking.committed,
            self.links.committed,
            self.eta_timer.committed,
            simulations=self.simulator.announced,
            is_watched=self.tracking.hub.is_watched,
        )
        if self.cluster is not None:
            await self.cluster.open(self.store.epoch)
        if self.settings.sample_orders:
            self.samples_loaded = await load_samples(self.store, self.clock)
        await self.simulator.open()
        self.eta_timer.open()
        self.loop_lag_timer.start()

    def gate(self, listener: socket.socket) -> Gate | None:
        """Return the gate for this listener; None when an ASGI server serves it."""
        if not self.settings.has_gate:
            return None
        return Gate(listener, self.http, self.tracking.statistics.gate, self.timeouts)

    @property
    def asgi(self) -> AsgiApp:
        """The application for an ASGI server, which may open and close the service by the lifespan protocol."""
        return AsgiApp(self.http, on_startup=self.open, on_shutdown=self.close)

    @property
    def timeouts(self) -> Timeouts:
        settings = self.settings
        return Timeouts(
            settings.keep_alive_s, settings.head_timeout_s, settings.body_timeout_s, settings.read_timeout_s
        )

    async def drain(self) -> None:
        """Answer all held polls. `close` may use the rest of the time."""
        settings = self.settings
        self.exit_by_s = self.clock.monotonic_s() + settings.drain_window_s + settings.shutdown_grace_s + EXIT_MARGIN_S
        await self.tracking.drain(settings.drain_window_s)

    async def close(self) -> None:
        """Close all parts, each within its share of the remaining time; a part that takes longer is abandoned.

        After `drain` this ends at `exit_by_s`, more than a second before the process must end, or after MIN_CLOSE_S if
        that is later. Without `drain` it ends within `shutdown_grace_s` + EXIT_MARGIN_S.
        """
        self.loop_lag_timer.stop()
        now_s = self.clock.monotonic_s()
        exit_by_s = self.exit_by_s or now_s + self.settings.shutdown_grace_s + EXIT_MARGIN_S
        limit_s = max(MIN_CLOSE_S, exit_by_s - now_s)
        steps: tuple[tuple[str, Callable[[float], Coroutine[None, None, None]]], ...] = (
            ("simulations", lambda limit_s: self.simulator.close()),
            ("expected arrivals", lambda limit_s: self.eta_timer.close()),
            ("polls", lambda limit_s: self.tracking.drain()),
            ("tokens", lambda limit_s: self.tokens.close() if self.tokens is not None else asyncio.sleep(0)),
            ("store", self.store.close),
        )
        if self.cluster is not None:
            limit_s -= CLUSTER_CLOSE_S
        for name, step in steps:  # the store gets all remaining time: it may have changes to commit
            left_s = now_s + limit_s - self.clock.monotonic_s()
            await _within(left_s if name == "store" else left_s / 4, name, step)
        if self.cluster is not None:  # last: it tells the other nodes of the last commits
            await _within(CLUSTER_CLOSE_S, "signal", self.cluster.close)


async def _within(limit_s: float, name: str, step: Callable[[float], Coroutine[None, None, None]]) -> None:
    """Wait at most `limit_s` for a step of the shutdown. The step gets 90 % of it, so that it can end by itself."""
    task = asyncio.create_task(step(limit_s * 0.9))
    done, _ = await asyncio.wait([task], timeout=limit_s)
    if not done:
        task.cancel()
        log.error("a part did not close in time", part=name, limit_s=round(limit_s, 2))
    elif not task.cancelled() and (error := task.exception()) is not None:
        log.error("a part did not close", part=name, exc_info=error)
