"""Section 6, the OpenAPI document and the pages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

import jsonschema_rs
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from support.api import ORDERS, STATS, STATUSES, Api, Json

STATS_KEYS = {
    "active_connections", "orders_watched", "max_connections_per_order", "polls_total", "updates_total",
    "wake_latency_ms", "lost_wakeups_total", "bytes_per_held_poll", "cpu_percent", "memory_mb", "uptime_s",
    "orders_by_status", "simulations_running", "draining", "node", "nodes", "store", "signal", "version",
}  # fmt: skip
REASONS = {"snapshot", "changed", "reset", "terminal", "timeout", "drain", "superseded"}
DIALECT = "https://json-schema.org/draft/2020-12/schema"


@pytest.mark.protocol("6.1")
def test_statistics_have_every_key(api: Api):
    answer = api.http.get(STATS)
    stats = answer.json()["data"]
    assert answer.headers["Cache-Control"] == "no-store"
    assert stats.keys() >= STATS_KEYS
    assert set(stats["wake_latency_ms"]) == {"p50", "p99", "max"}
    assert set(stats["polls_total"]) == REASONS
    assert set(stats["orders_by_status"]) == set(STATUSES)
    assert (stats["lost_wakeups_total"], stats["draining"]) == (0, False)
    assert stats["node"] in stats["nodes"]
    assert stats["memory_mb"] > 0
    assert stats["uptime_s"] >= 0


@pytest.mark.protocol("6.1")
def test_statistics_count_requests(api: Api):
    order = api.create()
    before = api.stats()
    api.hold(order["id"])
    api.until_held(1)
    assert api.stats()["orders_watched"] == 1
    assert api.stats()["bytes_per_held_poll"] is None
    api.made(order["id"], "preparing")
    api.poll(order["id"])
    api.poll(order["id"], timeout=0)
    api.made(order["id"], "preparing")
    after = api.stats()
    assert after["updates_total"] - before["updates_total"] == 1
    counted = {reason: after["polls_total"][reason] - before["polls_total"][reason] for reason in REASONS}
    assert counted == {reason: int(reason in ("changed", "snapshot", "timeout")) for reason in REASONS}
    moved = {status: after["orders_by_status"][status] - before["orders_by_status"][status] for status in STATUSES}
    assert (moved["confirmed"], moved["preparing"]) == (-1, 1)


@pytest.mark.protocol("6.1")
def test_statistics_count_simulations(api: Api):
    order = api.create()
    before = api.stats()["simulations_running"]
    api.http.post(f"{ORDERS}/{order['id']}/simulate-workflow")
    assert api.stats()["simulations_running"] == before + 1
    api.http.delete(f"{ORDERS}/{order['id']}/simulate-workflow")
    assert api.stats()["simulations_running"] == before


@pytest.mark.protocol("6.2")
def test_a_running_server_is_healthy_and_ready(api: Api):
    for path in ("/healthz", "/readyz"):
        answer = api.http.get(path)
        assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")


@pytest.mark.protocol("6.3")
def test_metrics_have_the_text_format_of_prometheus(api: Api):
    order = api.create()
    api.poll(order["id"])
    answer = api.http.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    samples = [sample for family in parse_text(answer.text) for sample in family.samples]
    assert all(sample.name.startswith("ordertrack_") for sample in samples)
    snapshots = [sample for sample in samples if sample.labels == {"reason": "snapshot"}]
    assert [sample.value >= 1 for sample in snapshots] == [True]
    assert str(order["id"]) not in {value for sample in samples for value in sample.labels.values()}


@pytest.mark.protocol("6.3")
def test_metrics_have_openmetrics_when_accepted(api: Api):
    answer = api.http.get("/metrics", headers={"Accept": "application/openmetrics-text;version=1.0.0,*/*;q=0.1"})
    assert answer.headers["Content-Type"].split(";")[0] == "application/openmetrics-text"
    names = {family.name for family in parse_openmetrics(answer.text)}
    assert "ordertrack_lost_wakeups" in names
    assert all(name.startswith("ordertrack_") for name in names)


@pytest.mark.protocol("6.3")
def test_a_refused_request_is_counted_by_its_code(api: Api):
    def refused() -> dict[str, float]:
        families = parse_text(api.http.get("/metrics").text)
        samples = next(f.samples for f in families if f.name == "ordertrack_requests_refused")
        return {sample.labels["error"]: sample.value for sample in samples}

    before = refused()
    assert api.http.get("/no-such-page-of-mine").status_code == 404
    after = refused()
    assert after["not_found"] == before["not_found"] + 1
    assert after.keys() == before.keys()


@pytest.fixture(scope="module")
def document(url: str) -> Json:
    api = Api(url)
    answer = api.http.get("/openapi.json")
    api.close()
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/json")
    document: Json = answer.json()
    return document


def _operations(document: Json) -> Iterator[tuple[str, str, Json]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def _contents(document: Json) -> Iterator[tuple[str, Json]]:
    """Every `{schema, example, examples}`, with where it is."""
    for method, path, operation in _operations(document):
        bodies = {"body": operation["requestBody"]} if "requestBody" in operation else {}
        for name, described in {**bodies, **operation["responses"]}.items():
            for type_, content in described.get("content", {}).items():
                yield f"{method} {path} {name} {type_}", content


def _validator(document: Json, schema: Json) -> jsonschema_rs.Validator:
    return jsonschema_rs.validator_for({"$schema": DIALECT, **schema, "components": document["components"]})


@pytest.mark.protocol("2.1")
def test_the_description_is_valid_openapi(document: Json):
    definitions = pytest.importorskip("schemathesis.specs.openapi.definitions")
    assert document["openapi"].startswith("3.1")
    definitions.OPENAPI_31_VALIDATOR.validate(document)
    assert len(list(_operations(document))) >= 13


@pytest.mark.protocol("2.1")
def test_schemas_are_valid_and_their_references_exist(document: Json):
    for name, schema in document["components"]["schemas"].items():
        jsonschema_rs.meta.validate({"$schema": DIALECT, **schema})
        assert _validator(document, {"$ref": f"#/components/schemas/{name}"}) is not None


@pytest.mark.protocol("2.1", "2.2")
def test_examples_match_their_schemas(document: Json):
    checked = 0
    for where, content in _contents(document):
        validator = _validator(document, content["schema"])
        examples = [example["value"] for example in content.get("examples", {}).values()]
        examples += [content["example"]] if "example" in content else []
        for example in examples:
            errors = [error.message for error in validator.iter_errors(example)]
            assert errors == [], (where, example)
            checked += 1
    assert checked > 80


@pytest.mark.protocol("2.1", "2.2")
def test_every_operation_describes_answers_and_refusals(document: Json):
    for method, path, operation in _operations(document):
        assert operation["summary"], (method, path)
        assert any(status.startswith("2") for status in operation["responses"])
    track = document["paths"][f"{ORDERS}/{{order_id}}/track"]["get"]
    assert set(track["responses"]) == {"200", "304", "400", "401", "403", "404", "429", "431", "503"}


@pytest.mark.protocol("7.1", "7.7")
def test_the_description_names_operations_without_a_token(document: Json):
    public = {path for _, path, operation in _operations(document) if operation["security"] == []}
    assert public == {"/healthz", "/readyz", "/t/{token}", "/t/{token}/track"}


@pytest.mark.protocol("2.1", "2.2")
def test_success_is_a_required_constant(document: Json):
    schemas = document["components"]["schemas"]
    answers = {name: schema for name, schema in schemas.items() if name == "Problem" or name.endswith("Answer")}
    assert len(answers) >= 14
    for name, schema in answers.items():
        assert schema["properties"]["success"] == {"type": "boolean", "const": name != "Problem"}
        assert "success" in schema["required"]


@pytest.mark.protocol("3.5")
def test_the_description_of_a_poll_has_no_default_timeout(document: Json):
    """A client that sends a default waits for a change, where one without a timeout is answered at once."""
    polls = [operation for _, path, operation in _operations(document) if path.endswith("/track")]
    assert len(polls) == 5
    for poll in polls:
        (timeout,) = (one for one in poll["parameters"] if one["name"] == "timeout")
        assert "default" not in timeout["schema"]


@pytest.mark.protocol("2.1", "2.2")
def test_answers_match_the_description(api: Api, document: Json):
    order = api.at("picked_up")
    link = api.http.post(f"{ORDERS}/{order['id']}/links").json()["data"]["path"]
    path = f"{ORDERS}/{{order_id}}"
    answers = [
        ("get", f"{path}/track", api.http.get(f"{ORDERS}/{order['id']}/track")),
        ("get", f"{path}/track", api.http.get(f"{ORDERS}/{order['id']}/track?timeout=x")),
        ("put", f"{path}/status", api.set(order["id"], "confirmed")),
        ("put", f"{path}/status", api.set(order["id"], "cancelled")),
        ("put", f"{path}/courier", api.assign(order["id"], 7)),
        ("get", path, api.http.get(f"{ORDERS}/{order['id']}")),
        ("get", path, api.http.get(f"{ORDERS}/{2**62}")),
        ("get", f"{path}/events", api.http.get(f"{ORDERS}/{order['id']}/events")),
        ("get", ORDERS, api.http.get(ORDERS)),
        ("get", STATS, api.http.get(STATS)),
        ("get", "/healthz", api.http.get("/healthz")),
        ("get", "/t/{token}", api.http.get(link)),
        ("get", "/t/{token}/track", api.http.get(f"{link}/track")),
        ("get", "/t/{token}/track", api.http.get(f"{link}x/track")),
    ]
    for method, template, answer in answers:
        described = document["paths"][template][method]["responses"][str(answer.status_code)]
        content = described["content"][answer.headers["Content-Type"]]
        assert _validator(document, content["schema"]).is_valid(answer.json()), (method, template, answer.text)


class _References(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value for name, value in attrs if name in ("src", "href") and value]


@pytest.mark.protocol("2.1")
def test_pages_load_nothing_from_other_hosts(api: Api):
    page = api.http.get("/apidocs/")
    assert (page.status_code, page.headers["Content-Type"].split(";")[0]) == (200, "text/html")
    references = _References()
    references.feed(page.text)
    assert len(references.found) >= 4
    for reference in references.found:
        target = urljoin(f"{api.url}/apidocs/", reference)
        assert target.startswith(f"{api.url}/"), reference
        answer = api.http.get(target)
        assert (answer.status_code, bool(answer.content)) == (200, True), reference
        if target.endswith(".css"):
            assert _elsewhere(re.findall(r"(?:url\(|@import\s+)[\"']?([^\"')\s]+)", answer.text)) == []
        if target.endswith("start.js"):
            assert "validatorUrl: null" in answer.text
            assert _elsewhere(re.findall(r"[\"'`]((?:https?:)?//[^\"'`]+)", answer.text)) == []
    assert _elsewhere(re.findall(r"(?:https?:)?//[^\"'\s<>]+", page.text)) == []


def _elsewhere(references: list[str]) -> list[str]:
    return [reference for reference in references if urlsplit(reference).netloc]


@pytest.mark.protocol("2.1")
def test_the_root_redirects_to_the_pages(api: Api):
    answer = api.http.get("/")
    assert (answer.status_code // 100, answer.headers["Location"]) == (3, "/apidocs/")
    assert api.http.get("/apidocs", follow_redirects=True).status_code == 200


@pytest.mark.protocol("2.2")
@pytest.mark.parametrize(
    "path",
    ["/apidocs/../app.py", "/apidocs/%2e%2e/%2e%2e/pages.py", "/apidocs/..%2f..%2fpages.py", "/apidocs//etc/passwd",
     "/apidocs/%00", "/apidocs/" + "x" * 5000],
)  # fmt: skip
def test_no_other_file_is_served(api: Api, path: str):
    with api.connect() as connection:
        answer = connection.ask("GET", path)
    assert (answer.status, answer.json()["error"]) == (404, "not_found")
