"""The dashboard and the alert rules use declared metrics and their labels."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ordertrack.http.metrics.declarations import METRICS, PREFIX, MetricKind
from ordertrack.http.wire.problems import KINDS

DOCS = Path(__file__).parents[2] / "docs"
DASHBOARD = json.loads((DOCS / "grafana" / "ordertrack.json").read_text(encoding="utf-8"))
RULES = re.findall(r"^ +expr: (.+)$", (DOCS / "operating.md").read_text(encoding="utf-8"), re.MULTILINE)

FROM_PROMETHEUS = {"job", "instance"}
_SELECTOR = re.compile(rf"({PREFIX}\w+)(?:\{{([^}}]*)\}})?")
_MATCHER = re.compile(r'(\w+)(?:=~|!~|!=|=)"([^"]*)"')
_GROUPING = re.compile(r"\b(?:by|without|on|ignoring) \(([^)]*)\)")


def _panels() -> list[dict[str, Any]]:
    return [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]


def _expressions() -> list[str]:
    asked = [target["expr"] for panel in _panels() for target in panel["targets"]]
    variables = [variable["definition"] for variable in DASHBOARD["templating"]["list"] if variable["type"] == "query"]
    return [*asked, *variables, *RULES]


SAMPLES = {
    metric.name + suffix: metric
    for metric in METRICS
    for suffix in (("_bucket", "_sum", "_count") if metric.kind is MetricKind.HISTOGRAM else ("",))
}


def _labels(expression: str) -> Iterator[tuple[str, str | None]]:
    """Yield the labels of an expression, each with its value or None."""
    for _, matchers in _SELECTOR.findall(expression):
        yield from _MATCHER.findall(matchers)
    for names in _GROUPING.findall(expression):
        yield from ((name.strip(), None) for name in names.split(","))


def test_expressions_use_declared_metrics():
    for expression in _expressions():
        asked = [name for name, _ in _SELECTOR.findall(expression)]
        assert asked, expression
        assert [name for name in asked if name not in SAMPLES] == [], expression
        assert expression.count("(") == expression.count(")"), expression


def test_expressions_use_labels_and_errors_of_their_metrics():
    for expression in _expressions():
        metrics = [SAMPLES[name] for name, _ in _SELECTOR.findall(expression)]
        known = FROM_PROMETHEUS | {metric.label for metric in metrics}
        known |= {"le"} if any(metric.kind is MetricKind.HISTOGRAM for metric in metrics) else set()
        for name, value in _labels(expression):
            assert name in known, expression
            if name == "error" and value is not None:
                assert set(value.split("|")) <= {kind.code for kind in KINDS.values()}, expression


def test_counters_are_used_as_rates():
    for expression in _expressions():
        for name, _ in _SELECTOR.findall(expression):
            if SAMPLES[name].kind is not MetricKind.GAUGE and name != "ordertrack_lost_wakeups_total":
                assert re.search(rf"\b(rate|increase)\({name}\b", expression), expression


def test_there_are_alert_rules_and_one_is_for_lost_wakeups():
    assert len(RULES) >= 5
    assert any("ordertrack_lost_wakeups_total" in rule for rule in RULES)


def test_a_lost_wakeup_turns_its_panel_red():
    panels = [panel for panel in _panels() if "lost_wakeups" in panel["targets"][0]["expr"]]
    assert panels
    for panel in panels:
        steps = panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
        assert (steps[0]["color"], steps[-1]["color"]) == ("green", "red")
        assert 0 < steps[-1]["value"] <= 1


def test_the_dashboard_works_with_any_prometheus():
    variables = {variable["name"]: variable for variable in DASHBOARD["templating"]["list"]}
    assert variables["datasource"]["query"] == "prometheus"
    assert {panel["datasource"]["uid"] for panel in _panels()} == {"${datasource}"}
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
    for panel in _panels():
        for target in panel["targets"]:
            assert target["datasource"]["uid"] == "${datasource}"


def test_panels_do_not_overlap():
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        taken |= cells
