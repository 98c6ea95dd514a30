"""The composition root: create every object from the settings and connect them. No rules here."""

from __future__ import annotations

import os
import random
import secrets
import socket
from functools import partial

from ordertrack import __version__
from ordertrack.adapters.memory.store import MemoryStore
from ordertrack.adapters.postgres.signal import PostgresSignal
from ordertrack.adapters.postgres.store import PostgresStore
from ordertrack.adapters.redis.signal import RedisSignal
from ordertrack.adapters.sqlite.store import SqliteStore
from ordertrack.adapters.system.clock import SystemClock
from ordertrack.adapters.system.process import PsutilProcess
from ordertrack.app.service import Service
from ordertrack.app.token_keys import access_control
from ordertrack.core.eta.estimator import ArrivalEstimator
from ordertrack.core.eta.rules import NO_ETA, EtaRules
from ordertrack.core.event import Status
from ordertrack.core.hub import FULL_RETRY_AFTER_S, Caps, Hub
from ordertrack.core.rate import Quota, RateLimiter
from ordertrack.database_url import DatabaseKind, parse_database_url
from ordertrack.http.app import HttpApp
from ordertrack.http.endpoints.order_page import PageDefaults
from ordertrack.http.policy.admission import Admission, Budget
from ordertrack.http.policy.client_address import Addresses, parse_networks
from ordertrack.http.policy.cors import Cors, parse_origins
from ordertrack.http.wire.negotiation import accepts_gzip
from ordertrack.ports.clock import Clock
from ordertrack.ports.commits import CommitMeter
from ordertrack.ports.feed_store import FeedStore
from ordertrack.ports.shared_store import SharedStore
from ordertrack.ports.signal import Signal
from ordertrack.ports.store import Store
from ordertrack.service.cluster.cluster import Cluster
from ordertrack.service.cluster.partitions import Partitions
from ordertrack.service.cluster.refresher import Refresher
from ordertrack.service.cluster.subscribed_feeds import SubscribedFeeds
from ordertrack.service.eta_timer import EtaTimer
from ordertrack.service.links import Links, new_link_token
from ordertrack.service.monitoring.loop_lag import LoopLagTimer
from ordertrack.service.monitoring.monitor import Monitor
from ordertrack.service.monitoring.statistics import Statistics
from ordertrack.service.orders import Orders
from ordertrack.service.simulator import Simulator
from ordertrack.service.tracking.tracking import Tracking
from ordertrack.service.tracking.waiter import Waiter
from ordertrack.settings import Settings
from ordertrack.web.pages import pages
from ordertrack.web.static_files import static_files
from ordertrack.web.tracking_page import Pages

GUESSES_PER_FAILURE = 10
"""The budget of unknown tokens that are verified, as a multiple of the failures answered as such."""
MAX_BUDGETS = 100_000
"""Budgets of each kind; beyond that the least recently used are reset."""


def build(settings: Settings) -> Service:
    """Return the service that the settings describe, not yet opened.

    Raises: InvalidSetting, for a key that cannot be used.
    """
    clock = SystemClock()
    tokens = access_control(settings, clock)
    statistics = Statistics()
    eta_rules = _eta_rules(settings)
    shared = _shared_store(settings, clock, statistics.commit, eta_rules)
    store = shared or _store(settings, clock, statistics.commit, eta_rules)
    caps = Caps(
        per_feed=settings.max_connections_per_order,
        per_client=settings.max_polls_per_client,
        total=settings.max_held_polls,
        reserved=settings.max_held_polls * settings.resuming_reserve_percent // 100,
    )
    hub: Hub[Waiter] = Hub(caps, full_retry_after_s=lambda: random.randint(*FULL_RETRY_AFTER_S))
    feeds: FeedStore = store
    if shared is not None:
        partitions = Partitions(hub, clock, announced=lambda feed, state: tracking.announced(feed, state))
        feeds = SubscribedFeeds(shared, partitions)
    tracking = Tracking(feeds, hub, clock, statistics, max_timeout_s=settings.longest_hold_s, draw=random.random)
    simulator = Simulator(store, clock, shared)
    links = Links(
        store,
        clock,
        draw_token=lambda: new_link_token(secrets.token_bytes(16)),
        kept_after_end_s=settings.link_kept_h * 3600,
        revoked=tracking.revoked,
    )
    addresses = Addresses(parse_networks(settings.trusted_proxies))
    admission = Admission(tokens, links, _limiters(settings), addresses, clock)
    node = settings.node_name or f"{socket.gethostname()}:{settings.port or os.getpid()}"
    monitor = Monitor(store, tracking.hub, tracking.statistics, PsutilProcess(), clock, node=node, version=__version__)
    cluster = None
    if shared is not None:
        refresher = Refresher(shared, hub, partitions, clock, statistics)
        cluster = Cluster(
            secrets.token_hex(4),
            partial(_signal, settings),
            hub,
            partitions,
            refresher,
            clock,
            stats=lambda: monitor.node_stats(simulator.running),
            forget_links=links.forget,
            revoked=tracking.revoked,
        )
        shared.doubtful = cluster.doubtful
        tracking.confirm = refresher.confirm
        links.revoked_here = cluster.revoked
        monitor.cluster = cluster

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
        templates=Pages(),
        page_defaults=PageDefaults(settings.page_language, settings.time_zone),
        handlers=[*pages(), *static_files(accepts_gzip)],
    )
    shared_by = () if cluster is None else (cluster.nodes, cluster.may_move_windows)
    eta_timer = EtaTimer(store, clock, eta_rules, statistics, *shared_by)
    loop_lag_timer = LoopLagTimer(statistics.record_loop_lag)
    return Service(settings, store, clock, tracking, simulator, eta_timer, links, loop_lag_timer, http, tokens, cluster)


def _limiters(settings: Settings) -> dict[Budget, RateLimiter]:
    """Return a limiter for each budget that has a limit."""
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


def _eta_rules(settings: Settings) -> EtaRules:
    if not settings.eta:
        return NO_ETA
    times_s = {
        Status.CONFIRMED: settings.eta_confirmed_s,
        Status.PREPARING: settings.eta_preparing_s,
        Status.READY: settings.eta_ready_s,
        Status.PICKED_UP: settings.eta_picked_up_s,
    }
    return EtaRules(ArrivalEstimator(times_s), round(settings.eta_change_threshold_s * 1000))


def _store(settings: Settings, clock: Clock, meter: CommitMeter, eta_rules: EtaRules) -> Store:
    if settings.database.kind is DatabaseKind.MEMORY:
        return MemoryStore(secrets.token_hex(4), clock, eta_rules)
    return SqliteStore(settings.database.data_dir(settings.data_dir), clock, meter, eta_rules)


def _shared_store(settings: Settings, clock: Clock, meter: CommitMeter, eta_rules: EtaRules) -> SharedStore | None:
    """Return the store of a cluster; None for one of a single process."""
    if not settings.is_cluster:
        return None
    return PostgresStore(
        settings.database.dsn,
        clock,
        meter,
        pool=settings.database_connections,
        is_pooled=settings.database_listen_url is not None,
        eta_rules=eta_rules,
    )


def _signal(settings: Settings, epoch: str) -> Signal:
    prefix = f"{settings.cluster_prefix}:{epoch}"
    if settings.redis_url is not None:
        return RedisSignal(settings.redis_url, prefix)
    listen_url = settings.database_listen_url
    return PostgresSignal(parse_database_url(listen_url).dsn if listen_url else settings.database.dsn, prefix)
