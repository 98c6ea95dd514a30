"""The composition root: settings in, a service out. It connects and decides nothing."""

from __future__ import annotations

import asyncio
import random
import secrets
import socket
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass

import structlog

from ordertrack import __version__
from ordertrack.adapters.memory.store import MemoryStore
from ordertrack.adapters.sqlite.store import SqliteStore
from ordertrack.adapters.system.clock import SystemClock
from ordertrack.adapters.system.process import PsutilProcess
from ordertrack.core.hub import FULL_RETRY_AFTER_S, Caps, Hub
from ordertrack.core.rate import Quota, RateLimiter
from ordertrack.http.addresses import Addresses, parse_networks
from ordertrack.http.admission import Admission, Budget
from ordertrack.http.app import HttpApp
from ordertrack.http.asgi.transport import AsgiApp
from ordertrack.http.cors import Cors, parse_origins
from ordertrack.http.gate.gate import Gate
from ordertrack.http.gate.timeouts import Timeouts
from ordertrack.keys import access_control
from ordertrack.ports.clock import Clock
from ordertrack.ports.store import CommitMeter, Committed, Store
from ordertrack.ports.tokens import Tokens
from ordertrack.service.links import Links, new_link_token
from ordertrack.service.loop_watch import LoopWatch
from ordertrack.service.monitoring import Monitor
from ordertrack.service.orders import Orders
from ordertrack.service.samples import load_samples
from ordertrack.service.simulation import Simulator
from ordertrack.service.statistics import Statistics
from ordertrack.service.tracking import Tracking, Waiter
from ordertrack.settings import Settings
from ordertrack.web.pages import pages

GUESSES_PER_FAILURE = 10
"""So many times the failures that are answered as such are verified before nothing unknown is."""
MAX_BUDGETS = 100_000
"""Of each kind; of more, those that asked least recently start anew."""
EXIT_MARGIN_S = 1.0
"""From the end of the drain window and the grace to the end of `close`."""
MIN_CLOSE_S = 0.5

log = structlog.get_logger("ordertrack")


@dataclass
class Service:
    """Everything that runs. `open` before the first request, `close` after the last."""

    settings: Settings
    store: Store
    clock: Clock
    tracking: Tracking
    simulator: Simulator
    links: Links
    loop_watch: LoopWatch
    http: HttpApp
    tokens: Tokens | None
    samples_loaded: bool = False
    exit_by_s: float | None = None
    """When `close` has to end, in seconds of the monotonic clock; None until the node is drained."""

    async def open(self) -> None:
        """Raises StoreCannotOpen."""
        if self.tokens is not None:
            await self.tokens.open()
        await self.store.open(self._committed, self.simulator.announced)
        if self.settings.sample_orders:
            self.samples_loaded = await load_samples(self.store, self.clock)
        await self.simulator.open()
        self.loop_watch.start()

    @property
    def timeouts(self) -> Timeouts:
        settings = self.settings
        return Timeouts(
            settings.keep_alive_s, settings.head_timeout_s, settings.body_timeout_s, settings.read_timeout_s
        )

    @property
    def asgi(self) -> AsgiApp:
        """The application for an ASGI server, which may open and close the service by the lifespan protocol."""
        return AsgiApp(self.http, on_startup=self.open, on_shutdown=self.close)

    def gate(self, listener: socket.socket) -> Gate | None:
        """Return the gate for this listener; None where an ASGI server is to have it."""
        if not self.settings.has_gate:
            return None
        return Gate(listener, self.http, self.tracking.statistics.gate, self.timeouts)

    def _committed(self, commits: Sequence[Committed], committed_at_s: float) -> None:
        self.tracking.committed(commits, committed_at_s)
        self.links.committed(commits)

    async def drain(self) -> None:
        """Answer all held polls. What is left of the time to exit is for `close`."""
        settings = self.settings
        self.exit_by_s = self.clock.monotonic_s() + settings.drain_window_s + settings.shutdown_grace_s + EXIT_MARGIN_S
        await self.tracking.drain(settings.drain_window_s)

    async def close(self) -> None:
        """Close everything, each step within its share of the time that is left; a step that takes longer is left.

        After `drain` this ends at `exit_by_s`, which is more than a second before the process has to end, or after
        MIN_CLOSE_S, whichever is later. Without it, within `shutdown_grace_s` + EXIT_MARGIN_S.
        """
        self.loop_watch.stop()
        now_s = self.clock.monotonic_s()
        exit_by_s = self.exit_by_s or now_s + self.settings.shutdown_grace_s + EXIT_MARGIN_S
        limit_s = max(MIN_CLOSE_S, exit_by_s - now_s)
        steps: tuple[tuple[str, Callable[[float], Coroutine[None, None, None]]], ...] = (
            ("simulations", lambda limit_s: self.simulator.close()),
            ("polls", lambda limit_s: self.tracking.drain()),
            ("tokens", lambda limit_s: self.tokens.close() if self.tokens is not None else asyncio.sleep(0)),
            ("store", self.store.close),
        )
        for name, step in steps:  # the store last, with all that is left: it may have changes to commit
            left_s = now_s + limit_s - self.clock.monotonic_s()
            await _within(left_s if name == "store" else left_s / 4, name, step)


async def _within(limit_s: float, name: str, step: Callable[[float], Coroutine[None, None, None]]) -> None:
    """Wait for a step of the shutdown, and no longer than that. It is told a little less, to end by itself."""
    task = asyncio.create_task(step(limit_s * 0.9))
    done, _ = await asyncio.wait([task], timeout=limit_s)
    if not done:
        task.cancel()
        log.error("a part did not close in time", part=name, limit_s=round(limit_s, 2))
    elif not task.cancelled() and (error := task.exception()) is not None:
        log.error("a part did not close", part=name, exc_info=error)


def build(settings: Settings) -> Service:
    """Raises InvalidSetting for a key that cannot be used."""
    clock = SystemClock()
    tokens = access_control(settings, clock)
    statistics = Statistics()
    store = _store(settings, clock, statistics.commit)
    caps = Caps(
        per_feed=settings.max_connections_per_order,
        per_client=settings.max_polls_per_client,
        total=settings.max_held_polls,
        reserved=settings.max_held_polls * settings.resuming_reserve_percent // 100,
    )
    hub: Hub[Waiter] = Hub(caps, full_retry_after_s=lambda: random.randint(*FULL_RETRY_AFTER_S))
    tracking = Tracking(store, hub, clock, statistics, max_timeout_s=settings.longest_hold_s, draw=random.random)
    simulator = Simulator(store, clock)
    links = Links(
        store,
        clock,
        draw_token=lambda: new_link_token(secrets.token_bytes(16)),
        kept_after_end_s=settings.link_kept_h * 3600,
        revoked=tracking.revoked,
    )
    addresses = Addresses(parse_networks(settings.trusted_proxies))
    admission = Admission(tokens, links, _limiters(settings), addresses, clock)
    node = settings.node_name or f"{socket.gethostname()}:{settings.port}"
    monitor = Monitor(store, tracking, PsutilProcess(), clock, node=node, version=__version__)

    http = HttpApp(
        orders=Orders(store, clock),
        tracking=tracking,
        admission=admission,
        cors=Cors(parse_origins(settings.cors_origins)),
        links=links,
        simulator=simulator,
        monitor=monitor,
        clock=clock,
        undo_window_ms=round(settings.undo_window_s * 1000),
        version=__version__,
        pages=pages(),
    )
    loop_watch = LoopWatch(statistics.lagged)
    return Service(settings, store, clock, tracking, simulator, links, loop_watch, http, tokens)


def _limiters(settings: Settings) -> dict[Budget, RateLimiter]:
    """Those that are not boundless."""
    per_minute = {
        Budget.POLLS: settings.polls_per_minute,
        Budget.READS: settings.reads_per_minute,
        Budget.WRITES: settings.writes_per_minute,
        Budget.FAILURES: settings.failed_authentications_per_minute,
        Budget.GUESSES: settings.failed_authentications_per_minute * GUESSES_PER_FAILURE,
    }
    return {
        budget: RateLimiter(Quota(requests, 60), max_keys=MAX_BUDGETS)
        for budget, requests in per_minute.items()
        if requests
    }


def _store(settings: Settings, clock: Clock, meter: CommitMeter) -> Store:
    if settings.database_url == "memory:":
        return MemoryStore(secrets.token_hex(4), clock)
    return SqliteStore(settings.data_dir, clock, meter)
