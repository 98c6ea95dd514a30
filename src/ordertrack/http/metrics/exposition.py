"""Write the table of metrics for a scrape. The only module that imports prometheus-client.

Nothing is kept between scrapes: the statistics are plain numbers, and become samples here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import accumulate

from prometheus_client import CollectorRegistry, exposition
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import Collector

from ordertrack.http.metrics import declarations
from ordertrack.http.metrics.declarations import METRICS, MetricKind
from ordertrack.http.wire import names
from ordertrack.http.wire.negotiation import prefers
from ordertrack.service.monitoring.monitor import Figures
from ordertrack.service.monitoring.statistics import Histogram

OPENMETRICS = "application/openmetrics-text"
OPENMETRICS_TYPE = f"{OPENMETRICS}; version=1.0.0; charset=utf-8"
TEXT_TYPE = f"{names.TEXT}; version=0.0.4"  # Litestar adds the charset to text


def scrape(figures: Figures, accept: str) -> tuple[bytes, str]:
    """Return the body of a scrape and its content type, in the format that `Accept` prefers."""
    registry = CollectorRegistry()
    registry.register(_Scrape(figures))
    if prefers(OPENMETRICS, names.TEXT, accept):
        body: bytes = openmetrics.generate_latest(registry, version="1.0.0")  # type: ignore[no-untyped-call]
        return body, OPENMETRICS_TYPE
    return exposition.generate_latest(registry), TEXT_TYPE


class _Scrape(Collector):
    def __init__(self, figures: Figures) -> None:
        self._figures = figures

    def collect(self) -> Iterator[Metric]:
        for metric in METRICS:
            yield _family(metric, metric.read(self._figures))

    def describe(self) -> list[Metric]:
        return []


def _family(metric: declarations.Metric, value: declarations.Value) -> Metric:
    if isinstance(value, Histogram):
        limits = [*(str(float(bound)) for bound in value.bounds), "+Inf"]
        buckets = list(zip(limits, accumulate(value.counts), strict=True))
        return HistogramMetricFamily(metric.name, metric.help, buckets, value.sum, unit=metric.unit)
    family_type = CounterMetricFamily if metric.kind is MetricKind.COUNTER else GaugeMetricFamily
    labels = [metric.label] if metric.label else []
    family = family_type(metric.name, metric.help, labels=labels, unit=metric.unit)
    for label_value, number in value.items() if isinstance(value, Mapping) else [("", value)]:
        family.add_metric([str(label_value)] if labels else [], number)
    return family
