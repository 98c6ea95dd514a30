"""The state of this node for operators: readiness, metrics and statistics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import msgspec

from ordertrack.core.errors import Overloaded
from ordertrack.core.event import Status
from ordertrack.core.feed import FeedKind
from ordertrack.core.hub import Hub
from ordertrack.core.poll import Reason
from ordertrack.ports.clock import Clock
from ordertrack.ports.process import ProcessFigures, ProcessView
from ordertrack.ports.store import Store
from ordertrack.service.monitoring.statistics import Statistics, WakeLatency

MIN_POLLS_TO_MEASURE = 100
"""With fewer held polls, other memory dominates the memory per poll."""


class NodeStats(msgspec.Struct, frozen=True):
    """The figures of one node of a cluster, in the statistics of all nodes."""

    node: str
    active_connections: int = 0
    orders_watched: int = 0
    polls_total: dict[str, int] = {}
    updates_total: int = 0
    lost_wakeups_total: int = 0
    simulations_running: int = 0
    uptime_s: float = 0.0
    draining: bool = False


class SystemStats(msgspec.Struct, frozen=True):
    """The statistics of section 6 of PROTOCOL.md. Those that `NodeStats` has are sums over all nodes; the others are of
    this node."""

    active_connections: int
    orders_watched: int
    max_connections_per_order: int
    polls_total: dict[str, int]
    updates_total: int
    wake_latency_ms: WakeLatency
    lost_wakeups_total: int
    bytes_per_held_poll: int | None
    cpu_percent: float
    memory_mb: float
    uptime_s: float
    orders_by_status: dict[str, int]
    simulations_running: int
    draining: bool
    node: str
    nodes: list[str]
    by_node: list[NodeStats]
    store: str
    signal: str
    version: str


class ClusterFigures(NamedTuple):
    """`partitions` are those that this node is subscribed to; `messages_dropped` could not be sent to other nodes."""

    nodes: int = 1
    signal_in_trouble: bool = False
    messages_dropped: int = 0
    partitions: int = 0


class Figures(NamedTuple):
    """The state of this node at one moment, for metrics; counters are in `statistics`.

    `orders_by_status` is empty while the store cannot be read.
    """

    statistics: Statistics
    polls_held: Mapping[FeedKind, int]
    max_polls_held: int
    feeds_watched: int
    commits_waiting: int
    orders_left_out: int
    cached_orders: int
    store_in_trouble: bool
    orders_by_status: Mapping[Status, int]
    simulations_running: int
    draining: bool
    process: ProcessView
    version: str
    cluster: ClusterFigures = ClusterFigures()


class ClusterView(Protocol):
    """The cluster as the statistics see it."""

    @property
    def signal_name(self) -> str: ...

    def peers(self) -> Sequence[NodeStats]: ...

    def figures(self) -> ClusterFigures: ...


class Monitor:
    def __init__(
        self,
        store: Store,
        hub: Hub[Any],
        statistics: Statistics,
        process: ProcessFigures,
        clock: Clock,
        *,
        node: str,
        version: str,
    ) -> None:
        self._store = store
        self._hub = hub
        self._statistics = statistics
        self._process = process
        self._clock = clock
        self._node = node
        self._version = version
        self.cluster: ClusterView | None = None
        self._started_at_s = clock.monotonic_s()
        self._idle_memory_bytes = process.memory_bytes()
        self._idle_cached_bytes = store.cached_bytes

    async def not_ready(self) -> str | None:
        """Return None when the node accepts requests, else the reason, as an adjective for "This node is ..."."""
        return "draining" if self._hub.draining else self._store.trouble

    async def figures(self, simulations_running: int) -> Figures:
        """Return the figures for metrics. A store that fails is no error: metrics matter most then."""
        hub = self._hub
        try:
            by_status = await self._store.orders_by_status()
        except Overloaded:
            by_status = {}
        return Figures(
            statistics=self._statistics,
            polls_held=hub.held_by_kind,
            max_polls_held=hub.caps.total,
            feeds_watched=hub.feeds_watched,
            commits_waiting=self._store.waiting,
            orders_left_out=self._store.left_out,
            cached_orders=self._store.cached_orders,
            store_in_trouble=self._store.trouble is not None,
            orders_by_status=by_status,
            simulations_running=simulations_running,
            draining=hub.draining,
            process=self._process.view(),
            version=self._version,
            cluster=ClusterFigures() if self.cluster is None else self.cluster.figures(),
        )

    def node_stats(self, simulations_running: int) -> NodeStats:
        hub, statistics = self._hub, self._statistics
        return NodeStats(
            node=self._node,
            active_connections=hub.held,
            orders_watched=hub.feeds_watched,
            polls_total={reason.value: statistics.polls[reason] for reason in Reason},
            updates_total=statistics.updates,
            lost_wakeups_total=statistics.lost_wakeups,
            simulations_running=simulations_running,
            uptime_s=round(self._clock.monotonic_s() - self._started_at_s, 1),
            draining=hub.draining,
        )

    async def snapshot(self, simulations_running: int) -> SystemStats:
        hub, statistics = self._hub, self._statistics
        own = self.node_stats(simulations_running)
        nodes = [own, *(self.cluster.peers() if self.cluster else ())]
        memory_bytes = self._process.memory_bytes()
        cached_bytes = self._store.cached_bytes
        if hub.held == 0:
            self._idle_memory_bytes, self._idle_cached_bytes = memory_bytes, cached_bytes
        by_status = await self._store.orders_by_status()
        return SystemStats(
            active_connections=sum(node.active_connections for node in nodes),
            orders_watched=sum(node.orders_watched for node in nodes),
            max_connections_per_order=hub.caps.per_feed,
            polls_total={reason: sum(node.polls_total.get(reason, 0) for node in nodes) for reason in own.polls_total},
            updates_total=sum(node.updates_total for node in nodes),
            wake_latency_ms=statistics.wake_latency_ms(),
            lost_wakeups_total=sum(node.lost_wakeups_total for node in nodes),
            bytes_per_held_poll=self._bytes_per_held_poll(memory_bytes, cached_bytes, hub.held),
            cpu_percent=self._process.cpu_percent(),
            memory_mb=round(memory_bytes / 1e6, 1),
            uptime_s=own.uptime_s,
            orders_by_status={status.value: by_status[status] for status in Status},
            simulations_running=sum(node.simulations_running for node in nodes),
            draining=hub.draining,
            node=self._node,
            nodes=[node.node for node in nodes],
            by_node=nodes,
            store=self._store.name,
            signal=self.cluster.signal_name if self.cluster else "in-process",
            version=self._version,
        )

    def _bytes_per_held_poll(self, memory_bytes: int, cached_bytes: int, held: int) -> int | None:
        """Return the growth since the node was idle, without that of the store's cache. Orders that left the cache do
        not count: the process keeps their memory for others."""
        if held < MIN_POLLS_TO_MEASURE:
            return None
        of_cache = max(0, cached_bytes - self._idle_cached_bytes)
        return max(0, memory_bytes - self._idle_memory_bytes - of_cache) // held
