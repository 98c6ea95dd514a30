"""The table of metrics as a scrape reads it. The only module that knows prometheus-client.

Nothing is kept between scrapes: numbers are counted elsewhere, as plain ints, and become samples here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import accumulate

from prometheus_client import CollectorRegistry, exposition
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import Collector

from ordertrack.http.metrics import declarations
from ordertrack.http.metrics.declarations import METRICS, Kind
from ordertrack.service.monitoring import Figures
from ordertrack.service.statistics import Histogram

OPENMETRICS = "application/openmetrics-text"
OPENMETRICS_TYPE = f"{OPENMETRICS}; version=1.0.0; charset=utf-8"
TEXT_TYPE = "text/plain; version=0.0.4"  # Litestar adds the charset to text


def scrape(figures: Figures, accept: str) -> tuple[bytes, str]:
    """The body of a scrape and its content type: OpenMetrics for whoever names it in `Accept`, else the text format."""
    registry = CollectorRegistry()
    registry.register(_Scrape(figures))
    if any(media.split(";")[0].strip().lower() == OPENMETRICS for media in accept.split(",")):
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
    family_type = CounterMetricFamily if metric.kind is Kind.COUNTER else GaugeMetricFamily
    labels = [metric.label] if metric.label else []
    family = family_type(metric.name, metric.help, labels=labels, unit=metric.unit)
    for label_value, number in value.items() if isinstance(value, Mapping) else [("", value)]:
        family.add_metric([str(label_value)] if labels else [], number)
    return family
