"""Every metric, once: its name, what it is, and where its value comes from.

`/metrics` and `docs/reference/metrics.md` are made from this table; dashboards and alert rules are held against it.
Names follow Prometheus: base units, `_total` for what only grows. A label has few values, all known beforehand or one
at a time: never an id, never anything a client wrote. To add one: count it in `service/statistics.py` where it happens,
declare it here, `make docs`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, NamedTuple

from ordertrack.core.poll import Reason
from ordertrack.http.wire.problems import KINDS
from ordertrack.service.monitoring.monitor import Figures
from ordertrack.service.monitoring.statistics import Histogram


class Kind(StrEnum):
    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


Value = float | Mapping[Any, float] | Histogram
"""One number; or one for each value of the label."""


class Metric(NamedTuple):
    """`help` is one sentence for an operator; `unit` is empty for what is counted."""

    name: str
    kind: Kind
    help: str
    read: Callable[[Figures], Value]
    label: str = ""
    unit: str = ""


PREFIX = "ordertrack_"

METRICS: tuple[Metric, ...] = (
    # Polls
    Metric(
        "ordertrack_polls_held",
        Kind.GAUGE,
        "Polls held now, by the kind of feed they wait for.",
        lambda f: f.polls_held,
        label="feed",
    ),
    Metric(
        "ordertrack_polls_held_limit",
        Kind.GAUGE,
        "Polls this node may hold; one more is refused with node_full.",
        lambda f: f.max_polls_held,
    ),
    Metric("ordertrack_feeds_watched", Kind.GAUGE, "Feeds that somebody waits for now.", lambda f: f.feeds_watched),
    Metric(
        "ordertrack_polls_answered_total",
        Kind.COUNTER,
        "Polls answered, held before or not, by the reason given in the answer.",
        lambda f: {reason: f.statistics.polls[reason] for reason in Reason},
        label="reason",
    ),
    Metric(
        "ordertrack_wake_latency_seconds",
        Kind.HISTOGRAM,
        "From the commit of a change to the last write of an answer it caused, one observation for each held poll.",
        lambda f: f.statistics.wake_s,
        unit="seconds",
    ),
    Metric(
        "ordertrack_lost_wakeups_total",
        Kind.COUNTER,
        "Polls that slept over news until their deadline. Above 0 something is broken.",
        lambda f: f.statistics.lost_wakeups,
    ),
    # Requests and connections
    Metric(
        "ordertrack_requests_refused_total",
        Kind.COUNTER,
        "Requests answered with an error, by its code (errors.md).",
        lambda f: {kind.code: f.statistics.refused[kind.code] for kind in KINDS.values()},
        label="error",
    ),
    Metric(
        "ordertrack_connections_open",
        Kind.GAUGE,
        "Connections the gate has now: held polls, running requests and idle ones.",
        lambda f: f.statistics.gate.open,
    ),
    Metric(
        "ordertrack_connections_accepted_total",
        Kind.COUNTER,
        "Connections accepted by the gate.",
        lambda f: f.statistics.gate.accepted,
    ),
    Metric(
        "ordertrack_connections_dropped_total",
        Kind.COUNTER,
        "Connections the gate closed: too slow to send a request, an answer left unread, or to make room for others.",
        lambda f: {
            "slow": f.statistics.gate.closed_slow,
            "unread": f.statistics.gate.closed_unread,
            "room": f.statistics.gate.closed_for_room,
        },
        label="cause",
    ),
    Metric(
        "ordertrack_heads_refused_total",
        Kind.COUNTER,
        "Requests whose head was too large or not HTTP.",
        lambda f: f.statistics.gate.refused_head,
    ),
    Metric(
        "ordertrack_accept_pauses_total",
        Kind.COUNTER,
        "Times the gate stopped accepting for a while, because the process had no file descriptor left.",
        lambda f: f.statistics.gate.out_of_descriptors,
    ),
    # Orders and their store
    Metric(
        "ordertrack_updates_total",
        Kind.COUNTER,
        "Events committed: changes of orders, and new orders.",
        lambda f: f.statistics.updates,
    ),
    Metric(
        "ordertrack_orders",
        Kind.GAUGE,
        "Orders in the store, by status; missing while the store cannot say.",
        lambda f: f.orders_by_status,
        label="status",
    ),
    Metric(
        "ordertrack_simulations_running",
        Kind.GAUGE,
        "Simulated workflows under way.",
        lambda f: f.simulations_running,
    ),
    Metric(
        "ordertrack_commit_latency_seconds",
        Kind.HISTOGRAM,
        "From the begin of a transaction until it is durable, without the wait before it.",
        lambda f: f.statistics.commit_s,
        unit="seconds",
    ),
    Metric(
        "ordertrack_commit_batch_requests",
        Kind.HISTOGRAM,
        "Requests that shared one commit.",
        lambda f: f.statistics.commit_requests,
        unit="requests",
    ),
    Metric(
        "ordertrack_commit_queue_requests",
        Kind.GAUGE,
        "Requests whose commit is running or has not begun.",
        lambda f: f.commits_waiting,
        unit="requests",
    ),
    Metric(
        "ordertrack_store_in_trouble",
        Kind.GAUGE,
        "1 while the store takes no changes or reads, as /readyz says why, else 0.",
        lambda f: float(f.store_in_trouble),
    ),
    Metric(
        "ordertrack_damaged_orders_left_out_total",
        Kind.COUNTER,
        "How often a damaged order was left out of a list or a feed; the log has its id.",
        lambda f: f.orders_left_out,
    ),
    # The process
    Metric(
        "ordertrack_loop_lag_seconds",
        Kind.HISTOGRAM,
        "How late the event loop came to a timer, looked at twice a second.",
        lambda f: f.statistics.loop_lag_s,
        unit="seconds",
    ),
    Metric(
        "ordertrack_loop_lag_max_seconds",
        Kind.GAUGE,
        "The longest such lag of the last minute.",
        lambda f: f.statistics.max_loop_lag_s(),
        unit="seconds",
    ),
    Metric(
        "ordertrack_process_cpu_seconds_total",
        Kind.COUNTER,
        "CPU time used, user and system.",
        lambda f: f.process.cpu_s,
        unit="seconds",
    ),
    Metric(
        "ordertrack_process_resident_memory_bytes",
        Kind.GAUGE,
        "Resident memory.",
        lambda f: f.process.resident_bytes,
        unit="bytes",
    ),
    Metric(
        "ordertrack_process_private_memory_bytes",
        Kind.GAUGE,
        "Resident memory that only this process has.",
        lambda f: f.process.private_bytes,
        unit="bytes",
    ),
    Metric("ordertrack_process_open_fds", Kind.GAUGE, "Open file descriptors.", lambda f: f.process.open_files),
    Metric(
        "ordertrack_process_max_fds",
        Kind.GAUGE,
        "File descriptors this process may open.",
        lambda f: f.process.max_open_files,
    ),
    Metric(
        "ordertrack_process_start_time_seconds",
        Kind.GAUGE,
        "When the process started, since 1970.",
        lambda f: f.process.started_at_s,
        unit="seconds",
    ),
    Metric("ordertrack_draining", Kind.GAUGE, "1 while the node goes away, else 0.", lambda f: float(f.draining)),
    Metric(
        "ordertrack_build_info",
        Kind.GAUGE,
        "Always 1, of the version that runs.",
        lambda f: {f.version: 1},
        label="version",
    ),
)
