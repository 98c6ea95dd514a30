"""The composition root: settings in, a service out. It connects and decides nothing."""

from __future__ import annotations

import random
import secrets
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ordertrack import __version__
from ordertrack.adapters.jwt.claims import ClaimNames, Rules
from ordertrack.adapters.jwt.jwks import PublishedKeys
from ordertrack.adapters.jwt.keys import Key, KeySource, OneKey, pem_key, secret_key
from ordertrack.adapters.jwt.tokens import JwtTokens
from ordertrack.adapters.memory.store import MemoryStore
from ordertrack.adapters.sqlite.store import SqliteStore
from ordertrack.adapters.system.clock import SystemClock
from ordertrack.adapters.system.process import PsutilProcess
from ordertrack.core.hub import FULL_RETRY_AFTER_S, Caps, Hub
from ordertrack.core.rate import Quota, RateLimiter
from ordertrack.http.addresses import Addresses, parse_networks
from ordertrack.http.admission import Admission, Budget
from ordertrack.http.app import HttpApp
from ordertrack.http.cors import Cors, parse_origins
from ordertrack.http.gate.gate import Gate
from ordertrack.http.gate.head import Bounds
from ordertrack.http.poll_answers import PollAnswers
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
from ordertrack.settings import InvalidSetting, Settings
from ordertrack.web.pages import pages

GUESSES_PER_FAILURE = 10
"""So many times the failures that are answered as such are verified before nothing unknown is."""
MAX_BUDGETS = 100_000
"""Of each kind: some 15 MB when all are in use."""
MAX_KEY_FILE_BYTES = 64 * 1024


@dataclass
class Service:
    """Everything that runs. `open` before the first request, `close` after the last."""

    settings: Settings
    store: Store
    clock: Clock
    tracking: Tracking
    simulator: Simulator
    links: Links
    admission: Admission
    loop_watch: LoopWatch
    http: HttpApp
    tokens: Tokens | None
    samples_loaded: bool = False

    async def open(self) -> None:
        """Raises StoreCannotOpen."""
        if self.tokens is not None:
            await self.tokens.open()
        await self.store.open(self._committed)
        if self.settings.sample_orders:
            self.samples_loaded = await load_samples(self.store, self.clock)
        await self.simulator.open()
        self.loop_watch.start()

    @property
    def bounds(self) -> Bounds:
        settings = self.settings
        return Bounds(settings.keep_alive_s, settings.head_timeout_s, settings.body_timeout_s, settings.read_timeout_s)

    def gate(self, listener: socket.socket) -> Gate | None:
        """The gate for this listener; None where the ASGI route is to hold the polls."""
        if not self.settings.has_gate:
            return None
        statistics = self.tracking.statistics
        return Gate(
            listener,
            self.tracking,
            PollAnswers(self.clock, self.tracking.max_timeout_s, statistics.refused),
            self.http.status_updates,
            self.admission,
            self.http.cors,
            self.clock,
            statistics.gate,
            self.bounds,
        )

    def _committed(self, commits: Sequence[Committed], committed_at_s: float) -> None:
        self.tracking.committed(commits, committed_at_s)
        self.simulator.committed(commits)
        self.links.committed(commits)

    async def close(self) -> None:
        self.loop_watch.stop()
        await self.simulator.close()
        await self.tracking.drain()
        await self.tracking.close()
        await self.store.close()
        if self.tokens is not None:
            await self.tokens.close()


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

    async def opened() -> None:
        await service.open()

    async def closed() -> None:
        await service.close()

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
        on_startup=opened,
        on_shutdown=closed,
        pages=pages(),
    )
    loop_watch = LoopWatch(statistics.lagged)
    service = Service(settings, store, clock, tracking, simulator, links, admission, loop_watch, http, tokens)
    return service


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


def access_control(settings: Settings, clock: Clock) -> Tokens | None:
    """What checks tokens; None: nobody is asked for one. Raises InvalidSetting."""
    if not settings.has_access_control:
        return None
    keys: KeySource
    if settings.token_jwks_url:
        keys = PublishedKeys(settings.token_jwks_url, clock, refresh_s=settings.token_jwks_refresh_s)
    else:
        keys = OneKey(signing_key(settings) or _public_key(settings))
    return JwtTokens(keys, token_rules(settings), clock, max_remembered=settings.max_remembered_tokens)


def signing_key(settings: Settings) -> Key | None:
    """The shared secret, if that is what is configured. Raises InvalidSetting."""
    name, secret = "token_secret", settings.token_secret
    if settings.token_secret_file:
        name = "token_secret_file"
        try:
            secret = _read(name, settings.token_secret_file).decode().rstrip("\r\n")
        except UnicodeDecodeError:
            raise InvalidSetting(name, f"{settings.token_secret_file} is no text.") from None
    elif not secret:
        return None
    try:
        return secret_key(secret)
    except ValueError as error:
        raise InvalidSetting(name, f"{settings.token_secret_file} {error}.".lstrip()) from None


def token_rules(settings: Settings) -> Rules:
    names = ClaimNames(
        role=settings.token_role_claim,
        name=settings.token_name_claim,
        customer=settings.token_customer_claim,
        restaurant=settings.token_restaurant_claim,
        courier=settings.token_courier_claim,
        restaurants=settings.token_restaurants_claim,
    )
    return Rules(settings.token_audience, settings.token_issuer, settings.token_leeway_s, names)


def _public_key(settings: Settings) -> Key:
    name, file = "token_public_key_file", settings.token_public_key_file
    try:
        return pem_key(_read(name, file))
    except ValueError as error:
        raise InvalidSetting(name, f"{file} {error}.") from None


def _read(name: str, file: str) -> bytes:
    try:
        with Path(file).open("rb") as opened:
            return opened.read(MAX_KEY_FILE_BYTES)
    except OSError as error:
        raise InvalidSetting(name, f"{file} cannot be read: {error.strerror or error}.") from None
