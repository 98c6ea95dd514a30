"""The table of metrics: the name, kind, help and source of each one.

`/metrics` and `docs/reference/metrics.md` are made from this table; dashboards and alert rules are tested against it.
Names follow Prometheus: base units, `_total` for what only grows. A label has few values, known in advance or
one at a time: never an id or text of a client. To add a metric: count it in `service/monitoring/statistics.py`, declare
it here, run `make docs`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, NamedTuple

from ordertrack.core.poll import Reason
from ordertrack.http.wire.problems import KINDS
from ordertrack.service.monitoring.monitor import Figures
from ordertrack.service.monitoring.statistics import Histogram


class MetricKind(StrEnum):
    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


COUNTER, GAUGE, HISTOGRAM = MetricKind
Value = float | Mapping[Any, float] | Histogram
"""One number, or one for each value of the label."""


class Metric(NamedTuple):
    """`help` is one sentence for operators; `unit` is empty for counts."""

    name: str
    kind: MetricKind
    help: str
    read: Callable[[Figures], Value]
    label: str = ""
    unit: str = ""


PREFIX = "ordertrack_"

METRICS: tuple[Metric, ...] = (
    # Polls
    Metric(
        "ordertrack_polls_held",
        GAUGE,
        "Polls held now, by the kind of feed they wait for.",
        lambda f: f.polls_held,
        label="feed",
    ),
    Metric(
        "ordertrack_polls_held_limit",
        GAUGE,
        "Polls this node may hold; one more is refused with node_full.",
        lambda f: f.max_polls_held,
    ),
    Metric("ordertrack_feeds_watched", GAUGE, "Feeds with held polls now.", lambda f: f.feeds_watched),
    Metric(
        "ordertrack_polls_answered_total",
        COUNTER,
        "Polls answered, held before or not, by the reason given in the answer.",
        lambda f: {reason: f.statistics.polls[reason] for reason in Reason},
        label="reason",
    ),
    Metric(
        "ordertrack_wake_latency_seconds",
        HISTOGRAM,
        "Time from the request of a change to the last write of an answer to it, for each held poll. The wait for its "
        "commit is included.",
        lambda f: f.statistics.wake_s,
        unit="seconds",
    ),
    Metric(
        "ordertrack_lost_wakeups_total",
        COUNTER,
        "Polls that got news only at their deadline. Above 0 the server has a bug, or signals between nodes get lost.",
        lambda f: f.statistics.lost_wakeups,
    ),
    # Requests and connections
    Metric(
        "ordertrack_requests_refused_total",
        COUNTER,
        "Requests answered with an error, by its code (errors.md).",
        lambda f: {kind.code: f.statistics.refused[kind.code] for kind in KINDS.values()},
        label="error",
    ),
    Metric(
        "ordertrack_connections_open",
        GAUGE,
        "Connections of the gate now: held polls, running requests and idle ones.",
        lambda f: f.statistics.gate.open,
    ),
    Metric(
        "ordertrack_connections_accepted_total",
        COUNTER,
        "Connections accepted by the gate.",
        lambda f: f.statistics.gate.accepted,
    ),
    Metric(
        "ordertrack_connections_dropped_total",
        COUNTER,
        "Connections the gate closed: slow to send a request, answer not read, or to make room for others.",
        lambda f: {
            "slow": f.statistics.gate.closed_slow,
            "unread": f.statistics.gate.closed_unread,
            "room": f.statistics.gate.closed_for_room,
        },
        label="cause",
    ),
    Metric(
        "ordertrack_heads_refused_total",
        COUNTER,
        "Requests whose head was too large or not HTTP.",
        lambda f: f.statistics.gate.refused_head,
    ),
    Metric(
        "ordertrack_accept_pauses_total",
        COUNTER,
        "Times the gate paused accepting because the process had no file descriptor left.",
        lambda f: f.statistics.gate.out_of_descriptors,
    ),
    # Orders and their store
    Metric(
        "ordertrack_updates_total",
        COUNTER,
        "Events committed: changes of orders, and new orders.",
        lambda f: f.statistics.updates,
    ),
    Metric(
        "ordertrack_orders",
        GAUGE,
        "Orders in the store, by status; every node of a cluster counts all. Missing while the store cannot be read.",
        lambda f: f.orders_by_status,
        label="status",
    ),
    Metric(
        "ordertrack_simulations_running",
        GAUGE,
        "Simulated workflows that are running.",
        lambda f: f.simulations_running,
    ),
    Metric(
        "ordertrack_eta_changes_total",
        COUNTER,
        "Expected arrivals that this node moved because nothing was heard of the order.",
        lambda f: f.statistics.eta_changes,
    ),
    Metric(
        "ordertrack_commit_latency_seconds",
        HISTOGRAM,
        "Time from the begin of a transaction until it is durable, without the wait before it.",
        lambda f: f.statistics.commit_s,
        unit="seconds",
    ),
    Metric(
        "ordertrack_commit_batch_requests",
        HISTOGRAM,
        "Requests that shared one commit.",
        lambda f: f.statistics.commit_requests,
        unit="requests",
    ),
    Metric(
        "ordertrack_commit_queue_requests",
        GAUGE,
        "Requests that wait for a commit or are in the running one.",
        lambda f: f.commits_waiting,
        unit="requests",
    ),
    Metric(
        "ordertrack_store_in_trouble",
        GAUGE,
        "1 while the store takes no changes or reads (/readyz has the reason), else 0.",
        lambda f: float(f.store_in_trouble),
    ),
    Metric(
        "ordertrack_damaged_orders_left_out_total",
        COUNTER,
        "Times a damaged order was left out of a list or a feed; the log has its id.",
        lambda f: f.orders_left_out,
    ),
    Metric(
        "ordertrack_store_cached_orders",
        GAUGE,
        "Orders the store keeps in memory: recently used ones and those with held polls; the memory store keeps all.",
        lambda f: f.cached_orders,
    ),
    # The cluster
    Metric(
        "ordertrack_nodes",
        GAUGE,
        "Nodes of the cluster that this node hears of, itself included.",
        lambda f: f.cluster.nodes,
    ),
    Metric(
        "ordertrack_signal_in_trouble",
        GAUGE,
        "1 while this node gets no signals from other nodes and reads the feeds of its polls every second, else 0.",
        lambda f: float(f.cluster.signal_in_trouble),
    ),
    Metric(
        "ordertrack_signal_messages_dropped_total",
        COUNTER,
        "Messages to other nodes that were dropped because the signal was interrupted or its queue was full.",
        lambda f: f.cluster.messages_dropped,
    ),
    Metric(
        "ordertrack_partitions_subscribed",
        GAUGE,
        "Partitions of feeds, of 256, that this node receives signals of.",
        lambda f: f.cluster.partitions,
    ),
    # The process
    Metric(
        "ordertrack_loop_lag_seconds",
        HISTOGRAM,
        "Delay of a timer of the event loop, measured twice a second.",
        lambda f: f.statistics.loop_lag_s,
        unit="seconds",
    ),
    Metric(
        "ordertrack_loop_lag_max_seconds",
        GAUGE,
        "The longest delay of a timer of the event loop in the last minute.",
        lambda f: f.statistics.max_loop_lag_s(),
        unit="seconds",
    ),
    Metric(
        "ordertrack_process_cpu_seconds_total",
        COUNTER,
        "CPU time used, user and system.",
        lambda f: f.process.cpu_s,
        unit="seconds",
    ),
    Metric(
        "ordertrack_process_resident_memory_bytes",
        GAUGE,
        "Resident memory.",
        lambda f: f.process.resident_bytes,
        unit="bytes",
    ),
    Metric(
        "ordertrack_process_private_memory_bytes",
        GAUGE,
        "Resident memory that is not shared with other processes.",
        lambda f: f.process.private_bytes,
        unit="bytes",
    ),
    Metric("ordertrack_process_open_fds", GAUGE, "Open file descriptors.", lambda f: f.process.open_files),
    Metric(
        "ordertrack_process_max_fds",
        GAUGE,
        "File descriptors this process may open.",
        lambda f: f.process.max_open_files,
    ),
    Metric(
        "ordertrack_process_start_time_seconds",
        GAUGE,
        "Start time of the process, in seconds since 1970.",
        lambda f: f.process.started_at_s,
        unit="seconds",
    ),
    Metric("ordertrack_draining", GAUGE, "1 while the node is draining, else 0.", lambda f: float(f.draining)),
    Metric(
        "ordertrack_build_info",
        GAUGE,
        "Always 1, with the version of the server as label.",
        lambda f: {f.version: 1},
        label="version",
    ),
)
