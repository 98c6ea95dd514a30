"""`/metrics`: the table of declarations, and what a scrape makes of it."""

from __future__ import annotations

import re

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import Metric as Family
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from ordertrack.app.build import build
from ordertrack.app.service import Service
from ordertrack.core.event import Status
from ordertrack.core.feed import FeedKind
from ordertrack.core.poll import Reason
from ordertrack.http.metrics.declarations import METRICS, PREFIX, MetricKind
from ordertrack.http.metrics.exposition import OPENMETRICS_TYPE, TEXT_TYPE, scrape
from ordertrack.http.openapi.document import openapi_document
from ordertrack.http.routes.description import OPERATIONS
from ordertrack.http.wire.problems import KINDS
from ordertrack.ports.process import ProcessView
from ordertrack.service.monitoring.monitor import Figures
from ordertrack.service.monitoring.statistics import GateCounters, Histogram, Statistics
from ordertrack.settings import Settings

PROMETHEUS_ASKS = (
    "application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,"
    "text/plain;version=1.0.0;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1"
)
CODES = {kind.code for kind in KINDS.values()}
LABELS = {
    "feed": set(FeedKind),
    "reason": set(Reason),
    "error": CODES,
    "cause": {"slow", "unread", "room"},
    "status": set(Status),
    "version": {"1.2.3"},
}


def _figures(statistics: Statistics) -> Figures:
    return Figures(
        statistics=statistics,
        polls_held=dict.fromkeys(FeedKind, 7),
        max_polls_held=1_000,
        feeds_watched=5,
        commits_waiting=4,
        orders_left_out=8,
        cached_orders=6,
        store_in_trouble=False,
        orders_by_status=dict.fromkeys(Status, 3),
        simulations_running=2,
        draining=True,
        process=ProcessView(1.5, 50_000_000, 30_000_000, 42, 1_024, 1_795_256_100.0),
        version="1.2.3",
    )


def _families(statistics: Statistics) -> dict[str, Family]:
    body, _ = scrape(_figures(statistics), "")
    return {family.name: family for family in parse_text(body.decode())}


def _samples(statistics: Statistics) -> dict[tuple[str, str], float]:
    """Values by name and label value."""
    return {
        (sample.name, "".join(sample.labels.values())): sample.value
        for family in _families(statistics).values()
        for sample in family.samples
    }


def test_a_scrape_has_exactly_the_declared_metrics():
    families = _families(Statistics())
    assert [
        (family.name + "_total" * (family.type == "counter"), family.type, family.documentation)
        for family in families.values()
    ] == [(metric.name, metric.kind, metric.help) for metric in METRICS]
    assert all(family.samples for family in families.values())


def test_a_scrape_is_valid_openmetrics():
    body, content_type = scrape(_figures(Statistics()), PROMETHEUS_ASKS)
    assert content_type == OPENMETRICS_TYPE
    families = {family.name: family for family in parse_openmetrics(body.decode())}
    assert len(families) == len(METRICS)
    for metric in METRICS:
        assert families[metric.name.removesuffix("_total")].unit == metric.unit


OM, TEXT = OPENMETRICS_TYPE, TEXT_TYPE


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        ("", TEXT), ("*/*", TEXT), ("text/html, text/plain;version=0.0.4", TEXT), ("text/plain;version=1.0.0", TEXT),
        (",;", TEXT), ("text/*, */*", TEXT), ("application/*;q=0.2, text/*;q=0.3", TEXT),
        ("application/openmetrics-text", OM), ("Application/OpenMetrics-Text", OM), (PROMETHEUS_ASKS, OM),
        ("application/openmetrics-text;q=0.5, text/plain", TEXT),
        ("application/openmetrics-text;q=0.3, text/plain;q=0.5", TEXT),
        ("application/openmetrics-text; q=0.501 , text/plain ; Q=0.5", OM),
        ("application/openmetrics-text;q=0.3, text/plain;q=0.3", OM),
        ("application/openmetrics-text;q=0.2, */*;q=0.1", OM),
        ("application/openmetrics-text, */*", OM),
        ("application/openmetrics-text;q=0", TEXT), ("application/openmetrics-text;q=0.000, */*", TEXT),
        ("application/openmetrics-text;q=0.001, text/plain;q=0", OM),
        ("text/plain;q=0, */*;q=0.1", OM), ("text/*;q=0, application/*", OM),
        ("application/openmetrics-text;q=inf, text/plain;q=0.1", TEXT),
        ("application/openmetrics-text;q=2", TEXT), ("application/openmetrics-text;q=nan", TEXT),
        ("application/openmetrics-text;q=0.5;escaping=underscores, text/plain;q=0.4", OM),
        ('text/plain;x="a,b";q=0.5, application/openmetrics-text;q=0.4', TEXT),
    ],
)  # fmt: skip
def test_accept_weights_choose_the_format(accept: str, chosen: str):
    """RFC 9110, 12.5.1. A range with a malformed weight is ignored."""
    assert scrape(_figures(Statistics()), accept)[1] == chosen


@given(st.text(max_size=80))
def test_any_accept_header_gets_an_answer(accept: str):
    assert scrape(_figures(Statistics()), accept)[1] in (OM, TEXT)


def test_names_follow_the_conventions_of_prometheus():
    names = [metric.name for metric in METRICS]
    assert len(set(names)) == len(names)
    for metric in METRICS:
        assert re.fullmatch(PREFIX + r"[a-z]+(_[a-z]+)*", metric.name)
        assert metric.name.endswith("_total") == (metric.kind is MetricKind.COUNTER), metric.name
        assert metric.name.removesuffix("_total").endswith(metric.unit), metric.name
        assert metric.unit in ("", "seconds", "bytes", "requests")
        assert metric.help.endswith("."), metric.name


def test_label_values_are_known_in_advance():
    statistics = Statistics()
    statistics.refused["never/heard/of"] += 1
    labelled = {metric.name.removesuffix("_total"): metric.label for metric in METRICS}
    for family in _families(statistics).values():
        for sample in family.samples:
            labels = {name: value for name, value in sample.labels.items() if name != "le"}
            assert list(labels) == ([labelled[family.name]] if labelled[family.name] else []), family.name
            assert all(value in LABELS[name] for name, value in labels.items()), sample


def test_counters_begin_at_0():
    samples = _samples(Statistics())
    assert [samples["ordertrack_polls_answered_total", reason] for reason in Reason] == [0] * len(Reason)
    assert [samples["ordertrack_requests_refused_total", code] for code in CODES] == [0] * len(CODES)
    assert samples["ordertrack_wake_latency_seconds_count", ""] == 0


def test_a_scrape_has_the_counted_values():
    statistics = Statistics()
    statistics.polls[Reason.CHANGED] += 3
    statistics.refused["node_full"] += 2
    statistics.updates, statistics.lost_wakeups = 11, 1
    statistics.record_loop_lag(0.3)
    statistics.record_loop_lag(0.002)
    statistics.commit(40, 0.003)
    statistics.commit(1, 0.001)
    samples = _samples(statistics)
    assert samples["ordertrack_polls_answered_total", "changed"] == 3
    assert samples["ordertrack_requests_refused_total", "node_full"] == 2
    assert samples["ordertrack_updates_total", ""] == 11
    assert samples["ordertrack_lost_wakeups_total", ""] == 1
    assert samples["ordertrack_loop_lag_max_seconds", ""] == 0.3
    assert samples["ordertrack_loop_lag_seconds_count", ""] == 2
    assert samples["ordertrack_commit_latency_seconds_sum", ""] == pytest.approx(0.004)
    assert samples["ordertrack_commit_batch_requests_sum", ""] == 41
    assert samples["ordertrack_commit_queue_requests", ""] == 4
    assert samples["ordertrack_polls_held", "courier"] == 7
    assert samples["ordertrack_orders", "picked_up"] == 3
    assert samples["ordertrack_draining", ""] == 1
    assert samples["ordertrack_process_cpu_seconds_total", ""] == 1.5
    assert samples["ordertrack_build_info", "1.2.3"] == 1


def test_a_scrape_has_the_counts_of_the_gate():
    statistics = Statistics()
    for number, name in enumerate(GateCounters.__slots__, start=1):
        setattr(statistics.gate, name, number)
    samples = _samples(statistics)
    told = {
        "accepted": ("ordertrack_connections_accepted_total", ""),
        "closed_slow": ("ordertrack_connections_dropped_total", "slow"),
        "closed_unread": ("ordertrack_connections_dropped_total", "unread"),
        "open": ("ordertrack_connections_open", ""),
        "out_of_descriptors": ("ordertrack_accept_pauses_total", ""),
        "refused_head": ("ordertrack_heads_refused_total", ""),
        "closed_for_room": ("ordertrack_connections_dropped_total", "room"),
    }
    assert set(told) == set(GateCounters.__slots__)
    for name, sample in told.items():
        assert samples[sample] == getattr(statistics.gate, name), name


def test_a_bucket_counts_values_up_to_its_bound():
    histogram = Histogram((1, 10))
    for value in (0.5, 1, 1.5, 10, 11, 1000):
        histogram.observe(value)
    assert (histogram.counts, histogram.sum) == ([2, 2, 2], 1024.0)


def test_buckets_grow_up_to_the_count():
    statistics = Statistics()
    for latency_s in (0.0005, 0.0006, 0.02, 99.0):
        statistics.record_wake_latency(latency_s)
    samples = _samples(statistics)
    bucket = "ordertrack_wake_latency_seconds_bucket"
    assert [samples[bucket, le] for le in ("0.0005", "0.001", "0.01", "0.025", "5.0", "+Inf")] == [1, 2, 2, 3, 3, 4]
    assert samples["ordertrack_wake_latency_seconds_count", ""] == 4


def _service() -> Service:
    return build(Settings(database_url="memory:"))


def _client(service: Service) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(service.asgi)  # type: ignore[arg-type]
    return httpx.AsyncClient(transport=transport, base_url="http://test")


@pytest.mark.anyio
async def test_every_problem_is_counted_by_its_code():
    service = _service()
    openapi_document("1", OPERATIONS)  # the examples in it are no answers
    async with _client(service) as client:
        answers = [
            await client.get("/api/v1/orders/999/track"),  # the poll route
            await client.get("/api/v1/orders/999"),  # a handler
            await client.get("/nowhere"),  # the framework
            await client.put("/api/v1/orders/1/status", content=b"{", headers={"Content-Type": "application/json"}),
        ]
    codes = [answer.json()["error"] for answer in answers]
    assert codes == ["order_not_found", "order_not_found", "not_found", "invalid_json"]
    assert service.tracking.statistics.refused == {"order_not_found": 2, "not_found": 1, "invalid_json": 1}


@pytest.mark.anyio
async def test_a_scrape_has_the_accepted_format_and_is_not_cached():
    async with _client(_service()) as client:
        text = await client.get("/metrics")
        openmetrics = await client.get("/metrics", headers={"Accept": PROMETHEUS_ASKS})
    assert (text.status_code, openmetrics.status_code) == (200, 200)
    assert text.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert openmetrics.headers["Content-Type"] == OPENMETRICS_TYPE
    assert text.headers["Cache-Control"] == "no-store"
    assert openmetrics.text.endswith("# EOF\n")


@pytest.mark.anyio
async def test_services_in_one_process_count_separately():
    one, other = _service(), _service()
    async with _client(one) as client:
        await client.get("/nowhere")
    async with _client(other) as client:
        assert 'refused_total{error="not_found"} 0.0' in (await client.get("/metrics")).text
