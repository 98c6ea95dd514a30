"""Write the table of metrics for a scrape. The only module that imports prometheus-client.

Nothing is kept between scrapes: the statistics are plain numbers, and become samples here. The format is negotiated
here too: prometheus-client and Litestar's `Accept` do not follow RFC 9110 in weights of 0 and in precedence.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import accumulate

from prometheus_client import CollectorRegistry, exposition
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import Collector

from ordertrack.http.metrics import declarations
from ordertrack.http.metrics.declarations import METRICS, MetricKind
from ordertrack.http.wire import names
from ordertrack.service.monitoring.monitor import Figures
from ordertrack.service.monitoring.statistics import Histogram

OPENMETRICS = "application/openmetrics-text"
OPENMETRICS_TYPE = f"{OPENMETRICS}; version=1.0.0; charset=utf-8"
TEXT_TYPE = f"{names.TEXT}; version=0.0.4"  # Litestar adds the charset to text
_WEIGHT = re.compile(r"0(\.[0-9]{0,3})?|1(\.0{0,3})?", re.ASCII)
"""RFC 9110, 12.4.2."""


def scrape(figures: Figures, accept: str) -> tuple[bytes, str]:
    """Return the body of a scrape and its content type, in the format that `Accept` prefers."""
    registry = CollectorRegistry()
    registry.register(_Scrape(figures))
    if _prefers_openmetrics(accept):
        body: bytes = openmetrics.generate_latest(registry, version="1.0.0")  # type: ignore[no-untyped-call]
        return body, OPENMETRICS_TYPE
    return exposition.generate_latest(registry), TEXT_TYPE


def _prefers_openmetrics(accept: str) -> bool:
    """Compare the weights of the two formats. At equal weights OpenMetrics must be named. When neither is acceptable
    the text format is sent, as RFC 9110 (12.5.1) allows."""
    weights = _weights(accept)
    openmetrics_weight, text_weight = _weight_of(OPENMETRICS, weights), _weight_of(names.TEXT, weights)
    return openmetrics_weight > text_weight or (openmetrics_weight == text_weight > 0 and OPENMETRICS in weights)


def _weights(accept: str) -> dict[str, float]:
    """Parse `Accept` into the weight of each media range, the highest of a repeated one. Versions are ignored, since
    each format has one. A range with a malformed weight is left out."""
    weights: dict[str, float] = {}
    for element in accept.lower().split(","):
        media_range, *parameters = (part.strip() for part in element.split(";"))
        weight = next((parameter[2:] for parameter in parameters if parameter.startswith("q=")), "1")
        if _WEIGHT.fullmatch(weight):
            weights[media_range] = max(float(weight), weights.get(media_range, 0.0))
    return weights


def _weight_of(media_type: str, weights: Mapping[str, float]) -> float:
    """Return the weight of the most specific range that has the media type; 0 when none has."""
    ranges = (media_type, f"{media_type.partition('/')[0]}/*", "*/*")
    return next((weights[media_range] for media_range in ranges if media_range in weights), 0.0)


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
