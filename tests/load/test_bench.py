"""`ordertrack bench` with few polls, against the real server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from client.servers import RealServer, real_server
from ordertrack.cli.bench import bench
from ordertrack.client import OrdertrackClient


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealServer]:
    with real_server(tmp_path_factory.mktemp("data")) as running:
        yield running


def test_every_answer_of_the_real_server_is_right(server: RealServer):
    result = CliRunner().invoke(bench, [server.url, "--polls", "60", "--orders", "12", "--json"])
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)["data"]
    assert (report["answers"], report["missing"], report["late"], report["wrong"]) == (4 * 60, 0, 0, {})
    assert report["server_lost_wakeups"] == 0
    assert report["update_to_all_p50_ms"] > 0
    with OrdertrackClient(server.url) as client:
        orders = [order for order in client.all_orders() if order.customer_id.startswith("ordertrack-bench-")]
    assert len(orders) == 12
    assert {order.status for order in orders} == {"delivered"}


def test_bench_prints_a_table(server: RealServer):
    result = CliRunner().invoke(bench, [server.url, "--polls", "10", "--orders", "5"])
    assert result.exit_code == 0, result.output
    assert "40: all correct" in result.stdout
    assert "opening 10 polls" in result.stderr


def test_more_polls_per_order_than_allowed_are_refused(server: RealServer):
    result = CliRunner().invoke(bench, [server.url, "--polls", "11", "--orders", "1"])
    assert result.exit_code == 1
    assert "The server holds 10 polls per order" in result.stderr


def test_bench_reports_refused_polls_at_once(tmp_path: Path):
    with real_server(tmp_path / "data", "--max-held-polls", "5") as small:
        result = CliRunner().invoke(bench, [small.url, "--polls", "10", "--orders", "5"])
    assert result.exit_code == 1
    assert "status 503" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["http://192.0.2.1:5001"], "not a loopback address"),
        (["http://127.0.0.1:9"], "No connection"),
        (["http://127.0.0.1:9", "--polls", "7", "--orders", "3"], "multiple"),
    ],
)
def test_unusable_target_is_one_line_of_error(arguments: list[str], says: str, tmp_path: Path):
    result = CliRunner().invoke(bench, arguments)
    assert result.exit_code == 1
    assert says in result.stderr
    assert result.stderr.startswith("Error: ")
    assert len(result.stderr.splitlines()) == 1
