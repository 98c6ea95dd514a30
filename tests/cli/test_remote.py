"""The commands that call a server: output as text and JSON, and errors."""

from __future__ import annotations

import json
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import httpx
import msgspec
import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from client.servers import RealServer
from ordertrack.cli.hints import command, url_option_here
from ordertrack.cli.main import loaded_commands, main
from ordertrack.cli.output import clock_time
from ordertrack.cli.remote import _figures
from ordertrack.client import OrdertrackClient, Pace
from ordertrack.client.server_url import server_url

NOWHERE = "http://127.0.0.1:9"


def flowing(text: str) -> str:
    """Return the text without its frame and line breaks."""
    return re.sub(r"[\s│╭╮╰╯─]+", " ", text)


@contextmanager
def other_service(greeting: bytes) -> Iterator[str]:
    """A service that sends a greeting to each connection and does not speak HTTP."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    with connection:
                        connection.sendall(greeting)
                        connection.recv(65536)

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


class Shell:
    """`shell("orders --limit 1")` as in a terminal with ORDERTRACK_URL set."""

    def __init__(self, url: str) -> None:
        self.url = url

    def __call__(self, *words: str, fails: int = 0, **env: str) -> Result:
        result = CliRunner(env={"ORDERTRACK_URL": self.url, "COLUMNS": "80", **env}).invoke(main, words)
        assert result.exit_code == fails, result.output
        return result

    def json(self, *words: str, fails: int = 0) -> Any:
        result = self(*words, "--json", fails=fails)
        assert result.stderr == ""
        (line,) = result.stdout.splitlines()
        return json.loads(line)

    def create(self, *words: str) -> int:
        order_id = self.json("create", "--customer-id=1", "--restaurant-id=2", *words)["data"]["id"]
        assert isinstance(order_id, int)
        return order_id


@pytest.fixture
def shell(server: RealServer) -> Shell:
    return Shell(server.url)


def test_create_prints_the_order_and_the_next_step(shell: Shell) -> None:
    out = shell("create", "--customer-id=1", "--restaurant-id=2").stdout
    number = out.split()[1]
    assert out == f"Order {number} is confirmed.\nWatch it: {command()} watch {number}\n"


def test_create_takes_everything_a_customer_sees(shell: Shell) -> None:
    order_id = shell.create("--item", "2x Margherita", "--item", "10 × Cola", "--item", "7up", "--total=23.5",
                            "--currency=eur", "--address", "Elm Street 1", "--note=hot", "--courier-id=7",
                            "--restaurant-name=Aurora", "--reference=A-17")  # fmt: skip
    with OrdertrackClient(shell.url) as client:
        order = client.order(order_id)
    assert [(item.quantity, item.name) for item in order.items] == [(2, "Margherita"), (10, "Cola"), (1, "7up")]
    assert (order.total, order.currency, order.address, order.note) == (23.5, "EUR", "Elm Street 1", "hot")
    assert order.restaurant_name == "Aurora"
    assert (order.courier_id, order.reference) == ("7", "A-17")


@pytest.mark.parametrize("item", ["", "0x Margherita"])
def test_invalid_item_is_refused_with_an_example(shell: Shell, item: str) -> None:
    refused = shell("create", "--customer-id=1", "--restaurant-id=2", "--item", item, fails=2)
    assert "is not an item" in refused.stderr


def test_status_reports_if_it_changed_the_order(shell: Shell) -> None:
    order_id = shell.create()
    now = f"Order {order_id} is now preparing (version 2).\nWatch it: {command()} watch {order_id}\n"
    assert shell("status", str(order_id), "preparing").stdout == now
    assert "nothing changed" in shell("status", str(order_id), "PREPARING").stdout
    assert shell("status", str(order_id), "delivered").stdout == f"Order {order_id} is now delivered (version 3).\n"


def test_refused_status_is_one_line_with_a_hint(shell: Shell) -> None:
    order_id = shell.create()
    shell("status", str(order_id), "ready")
    refused = shell("status", str(order_id), "preparing", fails=1)
    assert refused.stdout == ""
    assert refused.stderr.startswith(f"Error: Order {order_id} is ready and cannot become preparing.")
    assert refused.stderr.endswith("add --undo.\n")
    assert refused.stderr.count("\n") == 1
    assert "now preparing" in shell("status", str(order_id), "preparing", "--undo").stdout


def test_a_condition_and_a_reason_are_passed_on(shell: Shell) -> None:
    order_id = shell.create()
    assert "version 1" in shell("status", str(order_id), "ready", "--expected-version=9", fails=1).stderr
    shell("status", str(order_id), "cancelled", "--reason", "no dough")
    assert "by anonymous" not in shell("watch", str(order_id)).stdout
    assert "cancelled: no dough" in shell("watch", str(order_id)).stdout


def test_problems_are_json_on_stdout_for_programs(shell: Shell) -> None:
    problem = shell.json("status", "987654", "ready", fails=1)
    assert (problem["success"], problem["error"], problem["status"]) == (False, "order_not_found", 404)


def test_courier_assigns_and_replaces(shell: Shell) -> None:
    order_id = shell.create()
    assert f"Order {order_id} is now with courier 7" in shell("courier", str(order_id), "7").stdout
    assert "already" in shell("courier", str(order_id), "7").stdout
    assert shell.json("courier", str(order_id), "8")["data"]["courier_id"] == "8"


def test_orders_is_a_table_that_fits_a_terminal(shell: Shell) -> None:
    order_id = shell.create("--reference", "a-very-long-reference-" + "x" * 40)
    out = shell("orders", "--limit=2").stdout
    assert max(map(len, out.splitlines())) <= 80
    assert str(order_id) in out
    assert "Confirmed" in out
    assert "--all" in out
    assert f"Watch one: {command()} watch {order_id}\n" in out


def test_orders_can_be_filtered_and_followed_through_all_pages(shell: Shell) -> None:
    ids = [shell.create("--courier-id=paging") for _ in range(3)]
    found = shell.json("orders", "--courier-id=paging", "--status=confirmed", "--status=ready", "--limit=2")["data"]
    assert [order["id"] for order in found["orders"]] == ids[:0:-1]
    everything = shell.json("orders", "--courier-id=paging", "--all")["data"]
    assert [order["id"] for order in everything["orders"]] == ids[::-1]
    nothing = shell("orders", "--courier-id=unknown").stdout
    assert nothing.startswith(f"No orders.\nCreate one: {command()} create")


def test_simulate_shows_the_steps_and_the_cancelled_ones(shell: Shell) -> None:
    order_id = str(shell.create())
    out = shell("simulate", order_id, "--timing=confirmed=100", "--timing", "preparing=30", "--speed=2",
                "--cancel-at=ready").stdout  # fmt: skip
    assert [line.split()[1] for line in out.splitlines()[1:4]] == ["preparing", "ready", "cancelled"]
    assert f"ordertrack watch {order_id}" in out
    assert "running" in shell("simulate", order_id, fails=1).stderr
    assert "preparing, ready, cancelled" in shell("simulate", order_id, "--stop").stdout
    assert shell.json("simulate", order_id, "--stop", fails=1)["error"] == "simulation_not_running"


@pytest.mark.parametrize("words", [["--timing=preparing"], ["--timing=lunch=3"], ["--stop", "--speed=3"]])
def test_simulate_refuses_invalid_options(shell: Shell, words: list[str]) -> None:
    shell("simulate", "101", *words, fails=2)


def test_orders_in_a_pipe_have_whole_ids(shell: Shell) -> None:
    customer, courier = "c" * 64, "味" * 64
    shell.create("--courier-id", courier, "--customer-id", customer, "--reference", 64 * "r")
    runner = CliRunner(env={"ORDERTRACK_URL": shell.url, "COLUMNS": None})
    out = runner.invoke(main, ["orders", "--limit=1"]).stdout
    assert all(text in out for text in (customer, courier, 64 * "r"))


def test_counts_agree_with_their_nouns(server: RealServer) -> None:
    with OrdertrackClient(server.url) as client:
        figures = dict(_figures(msgspec.structs.replace(client.stats(), active_connections=1, orders_watched=1)))
        assert figures["Held polls"] == "1 on 1 order"
        figures = dict(_figures(msgspec.structs.replace(client.stats(), active_connections=3, orders_watched=2)))
        assert figures["Held polls"] == "3 on 2 orders"


@pytest.mark.parametrize("option", ["--polls", "--orders"])
def test_bench_reports_the_allowed_numbers(option: str) -> None:
    said = Shell(NOWHERE)("bench", f"{option}=0", fails=2).stderr
    assert "must be a whole number, 1 or more; it is '0'." in flowing(said)
    assert ">=" not in flowing(Shell(NOWHERE)("bench", "--help").stdout)


def test_ended_order_is_not_simulated_and_a_new_one_is_hinted(shell: Shell) -> None:
    order_id = str(shell.create())
    shell("status", order_id, "delivered")
    said = shell("simulate", order_id, fails=1).stderr
    assert said.startswith(f"Error: Order {order_id} is delivered: an ended order cannot change. Create a new order: ")
    assert "create --customer-id 1 --restaurant-id 1" in said


def test_stats_are_readable_and_complete_for_programs(shell: Shell) -> None:
    out = shell("stats").stdout
    assert "Held polls" in out
    assert re.search(r"Lost wake-ups +0\b", out)
    assert shell.json("stats")["data"]["lost_wakeups_total"] == 0


def test_watch_in_a_pipe_prints_one_line_per_event(shell: Shell) -> None:
    order_id = shell.create("--courier-id=7")
    shell("status", str(order_id), "preparing")
    shell("courier", str(order_id), "8")
    shell("status", str(order_id), "delivered", "--reason", "left at the door")
    lines = shell("watch", str(order_id)).stdout.splitlines()
    assert [line.split(f"order {order_id}  ")[1] for line in lines] == [
        "confirmed", "preparing", "courier 8 assigned", "delivered (skipped: ready, picked_up): left at the door"
    ]  # fmt: skip


def test_watch_prints_one_object_per_update_for_programs(shell: Shell) -> None:
    order_id = shell.create()
    shell("simulate", str(order_id), "--speed=3600", "--timing=confirmed=100", "--timing=preparing=0",
          "--timing=ready=0", "--timing=picked_up=0")  # fmt: skip
    updates = [json.loads(line) for line in shell("watch", str(order_id), "--json").stdout.splitlines()]
    versions = [event["version"] for update in updates for event in update["events"]]
    assert versions == [1, 2, 3, 4, 5]
    assert updates[-1]["terminal"]
    assert updates[-1]["data"]["status"] == "delivered"
    assert updates[-1]["data"]["updated_at"].endswith("Z")


@pytest.mark.parametrize("words", [["watch", "987654"], ["status", "987654", "ready"], ["simulate", "987654"]])
def test_unknown_order_is_reported_with_id_and_server(shell: Shell, words: list[str]) -> None:
    said = f"Error: There is no order 987654 at {shell.url}. List them: {command()} orders\n"
    assert shell(*words, fails=1).stderr == said


@pytest.mark.parametrize("words", [["watch", "1"], ["orders"], ["stats"], ["courier", "1", "7"]])
def test_without_a_server_commands_tell_how_to_start_one(words: list[str]) -> None:
    shell = Shell(NOWHERE)
    for typed in (words, [*words, "--url", NOWHERE]):
        failed = shell(*typed, fails=1)
        start = f"{command()} serve --port 9"
        assert failed.stderr == f"Error: No server answers at {NOWHERE}. Start one with `{start}`.\n"
    assert shell.json(*words, fails=1)["error"] == "unreachable"


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://no-such.invalid:5001",
         "The host no-such.invalid is not known. Set --url to the address of a server, such as http://127.0.0.1:5001."),
        ("https://127.0.0.1:9", "No server answers at https://127.0.0.1:9. An ordertrack server without a proxy has no "
                                "TLS: try --url http://127.0.0.1:9"),
    ],
)  # fmt: skip
def test_hint_matches_the_error(url: str, said: str) -> None:
    for words in (["orders"], ["watch", "101"]):
        assert Shell(url)(*words, fails=1).stderr == f"Error: {said}\n"


def test_https_to_a_plain_port_is_explained() -> None:
    with other_service(b"HTTP/1.1 400 Bad Request\r\n\r\n") as url:
        https = url.replace("http://", "https://")
        said = Shell(https)("stats", fails=1).stderr
    hint = f"An ordertrack server without a proxy has no TLS: try --url {url}"
    assert said == f"Error: No TLS connection can be made to {https}. {hint}\n"


def test_orders_show_the_date_when_it_is_not_today() -> None:
    now = datetime.now(UTC)
    today = now.astimezone().strftime("%H:%M:%S")
    assert clock_time(now, now) == today
    past = datetime(2025, 1, 2, 3, 4, 5).astimezone()
    assert clock_time(past.astimezone(UTC), now) == "2025-01-02 03:04:05"


def test_a_suggested_command_reaches_the_same_server(shell: Shell) -> None:
    words = ["create", "--customer-id=1", "--restaurant-id=2", "--url", shell.url]
    assert Shell(NOWHERE)(*words).stdout.endswith(f" --url {shell.url}\n")


def test_suggested_command_quotes_the_url() -> None:
    assert url_option_here("http://x/?a=1&b") == " --url 'http://x/?a=1&b'"


NO_SERVER_URLS = (
    "localhost:5001", "http://", "http://[::1", "http://127.0.0.1:five", "ftp://x", "http://127.0.0.1:99999",
    "http://[::1]:70000", "https://127.0.0.1:65536", "http://127.0.0.1:99999999999999999999", "http://127.0.0.1:-1",
    "http://127.0.0.1:٣", "http://127.0.0.1:0", "http://a..b", "http://xn--a", "http://ex℀m",
    "http://a b", "http://x/?a=1", "http://x/#a",
)  # fmt: skip


@pytest.mark.parametrize("url", NO_SERVER_URLS)
def test_invalid_url_is_refused_by_its_option(url: str) -> None:
    said = flowing(Shell(NOWHERE)("stats", "--url", url, fails=2).stderr)
    assert f"--url: must be the address of a server, such as http://127.0.0.1:5001; it is '{url}'" in said


@pytest.mark.parametrize("url", [url for url in NO_SERVER_URLS if "://" in url])
def test_malformed_url_of_bench_is_one_line(url: str) -> None:
    said = Shell(NOWHERE)("bench", url, fails=1).stderr
    assert said.count("\n") == 1
    assert said.startswith("Error: ")


@given(st.from_regex(r"http://[!-~]{0,20}(:[0-9]{0,7})?", fullmatch=True) | st.text().map("http://{}".format))
def test_server_url_gives_a_url_or_a_value_error(text: str) -> None:
    with suppress(ValueError):
        url = server_url(text)
        assert url.host.encode("idna")
        assert 0 < (urlsplit(str(url)).port or 80) < 65_536


def test_url_with_an_extra_path_is_explained(shell: Shell) -> None:
    said = shell("orders", "--url", f"{shell.url}/api", fails=1).stderr
    assert said.startswith(f"Error: There is no ordertrack API at {shell.url}/api. Set --url to the server's address")


def test_every_command_reports_a_server_that_is_not_ordertrack(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ordertrack.cli.watch.PACE", Pace(backoff_base_s=0.01))
    with other_service(b"SSH-2.0-OpenSSH_9.6\r\n") as url:
        for words in (["watch", "101"], ["orders"], ["watch", "101", "--json"]):
            failed = Shell(url)(*words, fails=1)
            assert "The connection broke before the answer was complete" in failed.output
            assert f"Check that an ordertrack server runs at {url}." in failed.stderr or "--json" in words


def test_a_refusal_names_the_option_that_helps(shell: Shell) -> None:
    order_id = str(shell.create())
    shell("simulate", order_id)
    stop = f"{command()} simulate {order_id} --stop"
    running = shell("simulate", order_id, fails=1).stderr
    assert running == f"Error: A simulation of order {order_id} is running. Stop it first: {stop}\n"
    shell("status", order_id, "picked_up")
    why = shell("status", order_id, "cancelled", fails=1).stderr
    assert why.startswith(f"Error: Order {order_id} is picked up: add a reason, such as --reason")
    forward = shell("status", order_id, "delivered", "--undo", fails=1).stderr
    assert forward == f"Error: Order {order_id} is picked_up: delivered is not a step back, so leave out --undo.\n"
    currency = shell("create", "--customer-id=1", "--restaurant-id=2", "--currency=E", fails=1).stderr
    assert currency == "Error: --currency must be three capital letters such as EUR.\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["orders", "--limit=0"], "'--limit': must be a whole number from 1 to 100; it is '0'."),
        (["orders", "--limit=some"], "'--limit': must be a whole number from 1 to 100; it is 'some'."),
        (["watch", "0"], "'ORDER_ID|LINK': must be a whole number, 1 or more; it is '0'."),
        (["simulate", "1", "--speed=fast"], "'--speed': must be a number; it is 'fast'."),
        (
            ["create", "--customer-id=1", "--restaurant-id=1", "--total=nan"],
            "must be a number, 0 or more; it is 'nan'.",
        ),
    ],
)
def test_a_number_out_of_range_is_refused_in_words(shell: Shell, words: list[str], said: str) -> None:
    assert said in flowing(shell(*words, fails=2).stderr)


def test_json_output_is_the_answer_of_the_api(shell: Shell) -> None:
    made = shell.json("create", "--customer-id=1", "--restaurant-id=2", "--item=Cola", "--total=5", "--courier-id=json")
    order_id = str(made["data"]["id"])
    api = httpx.Client(base_url=f"{shell.url}/api/v1")
    assert made == api.get(f"/orders/{order_id}").json()
    moved = shell.json("status", order_id, "ready")
    assert moved == {"success": True, "changed": True, "data": api.get(f"/orders/{order_id}").json()["data"]}
    for words in (["--limit=1"], ["--all"]):
        assert shell.json("orders", "--courier-id=json", *words) == {
            "success": True, "data": {"orders": [moved["data"]], "next_cursor": None}
        }  # fmt: skip
    steps = shell.json("simulate", order_id)["data"]
    assert steps.keys() == {"order_id", "steps"}
    assert shell.json("stats")["data"].keys() == api.get("/orders/system/stats").json()["data"].keys()
    shell("status", order_id, "cancelled", "--reason=late")
    update = shell.json("watch", order_id)
    polled = api.get(f"/orders/{order_id}/track").json()
    assert update | {"server_time": None} == polled | {"server_time": None}
    api.close()


@pytest.mark.parametrize("more", [[], ["--json"]])
def test_watch_retries_within_5_s(monkeypatch: pytest.MonkeyPatch, more: list[str]) -> None:
    paces: list[Pace] = []

    def track(*_: object, pace: Pace, **__: object) -> list[object]:
        paces.append(pace)
        return []

    monkeypatch.setattr(OrdertrackClient, "track", track)
    Shell(NOWHERE)("watch", "101", *more)
    assert [pace.backoff_cap_s for pace in paces] == [5]


def test_interrupting_a_command_is_quiet(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(OrdertrackClient, "track", interrupted)
    result = shell("watch", "101", fails=130)
    assert (result.stdout, result.stderr) == ("", "")


def test_every_command_prints_one_json_shape(shell: Shell) -> None:
    order_id = str(shell.create())
    words = {
        "orders": ["--limit=1"], "create": ["--customer-id=1", "--restaurant-id=2"], "stats": [], "config": [],
        "courier": [order_id, "7"], "simulate": [order_id], "status": [order_id, "delivered"], "watch": [order_id],
        "audit": [order_id], "link create": [order_id], "link list": [order_id],
        "token": ["--role=admin"], "secret": [], "bench": [shell.url, "--polls=2", "--orders=1"],
    }  # fmt: skip
    commands = loaded_commands()
    # Every test that starts a server reads what `serve` prints, tests/process what those of databases print, and
    # test_demo.py and test_feeds_and_links.py the other three.
    elsewhere = {"serve", "migrate", "db check", "db backup", "db new-epoch", "demo", "feed", "link revoke"}
    with_json = {name for name, made in commands.items() if any(p.name == "as_json" for p in made.params)}
    assert with_json == set(commands) == {*words, *elsewhere}
    for name, arguments in words.items():
        said = shell(
            *name.split(), *arguments, "--json", **({"ORDERTRACK_TOKEN_SECRET": "s" * 32} if name == "token" else {})
        )
        (line,) = said.stdout.splitlines()
        answer = json.loads(line)
        assert list(answer)[:1] == ["success"]
        assert (answer["success"], type(answer["data"])) == (True, dict)
