"""`feed`, `link`, `audit`, and `watch` with a tracking link."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import msgspec
import pytest
import segno
from click.testing import CliRunner

from cli.test_remote import Shell, flowing
from client.servers import WAIT_S, RealServer, answers, lines_of, scripted
from client.wire_answers import event, feed, order, update
from ordertrack.cli.hints import command
from ordertrack.cli.main import main
from ordertrack.cli.watch_feed import FeedLines
from ordertrack.client import FeedUpdate
from support.forked import Forked
from support.server import environment

TOKEN = "otl_abcdefghijklmnopqrstuv"
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.fixture
def shell(server: RealServer) -> Shell:
    return Shell(server.url)


@contextmanager
def following(url: str, *words: str) -> Iterator[tuple[Forked, Iterator[str]]]:
    process = Forked(["feed", *words, "--url", url], environment())
    try:
        yield process, lines_of(process)
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(WAIT_S) == 130
        process.stdout.close()
        process.stderr.close()


def feed_lines(*updates: dict[str, object]) -> list[str]:
    lines = FeedLines("courier 7")
    found = [line for each in updates for line in lines.of(msgspec.convert(each, FeedUpdate), NOW)]
    return [re.sub(r"^[\d: -]+  ", "", line) for line in found]


def snapshot_of(version: int, status: str, order_id: int = 101) -> dict[str, object]:
    return order(version, status, id=order_id, timeline=[event(each, status) for each in range(1, version + 1)])


def test_feed_prints_a_line_for_each_event(shell: Shell) -> None:
    first, second = shell.create("--courier-id=feed"), 0
    with following(shell.url, "courier", "feed") as (_, lines):
        assert next(lines).endswith(f"order {first}  confirmed")
        second = shell.create("--courier-id=feed")
        assert next(lines).endswith(f"order {second}  confirmed")
        shell("status", str(first), "ready", "--reason", "early")
        assert next(lines).endswith(f"order {first}  ready (skipped: preparing): early")
        shell("courier", str(first), "other")
        assert next(lines) == f"order {first} is assigned to another courier"


def test_feed_prints_one_object_an_update(shell: Shell) -> None:
    order_id = shell.create("--customer-id=json")
    with following(shell.url, "customer", "json", "--json") as (_, lines):
        first = json.loads(next(lines))
        shell("status", str(order_id), "delivered")
        second = json.loads(next(lines))
    assert [[each["status"] for each in answer["data"]["orders"]] for answer in (first, second)] == [
        ["confirmed"], ["delivered"]
    ]  # fmt: skip


def test_an_empty_feed_says_that_it_waits(shell: Shell) -> None:
    with following(shell.url, "restaurant", "unknown") as (_, lines):
        assert next(lines) == "No orders of restaurant unknown yet. Waiting for changes; Ctrl-C stops."


def test_feed_of_an_unknown_kind_is_refused(shell: Shell) -> None:
    assert "'customer', 'restaurant', 'courier'" in flowing(shell("feed", "shop", "1", fails=2).stderr)


def test_feed_line_is_printed_once_for_each_version() -> None:
    assert feed_lines(
        feed(1, "snapshot", snapshot_of(2, "preparing")),
        feed(4, "changed", snapshot_of(4, "ready")),
        feed(5, "changed", snapshot_of(5, "delivered")),
    ) == ["order 101  preparing, by kitchen", *2 * ["order 101  ready, by kitchen"], "order 101  delivered, by kitchen"]


def test_feed_shows_the_state_again_after_a_reset() -> None:
    before = feed(1, "snapshot", snapshot_of(2, "preparing"))
    assert feed_lines(before, feed(1, "reset", snapshot_of(1, "confirmed")))[1:] == [
        "The server's history has been replaced. Orders of courier 7 now:", "order 101  confirmed, by kitchen"
    ]  # fmt: skip


def test_link_create_prints_only_the_url_on_stdout(shell: Shell) -> None:
    order_id = shell.create()
    made = shell("link", "create", str(order_id))
    url = made.stdout.strip()
    assert re.fullmatch(rf"{shell.url}/t/otl_[A-Za-z0-9_-]{{22}}", url)
    assert f"watch it: {command()} watch {url}\n" in made.stderr
    assert f"Revoke it: {command()} link revoke {order_id} " in made.stderr
    assert shell.json("link", "create", str(order_id))["data"]["path"].startswith("/t/otl_")


def test_links_are_listed_and_revoked(shell: Shell) -> None:
    order_id = str(shell.create())
    assert f"Create one: {command()} link create {order_id}" in shell("link", "list", order_id).stdout
    link_id = str(shell.json("link", "create", order_id)["data"]["id"])
    listed = shell("link", "list", order_id).stdout
    assert listed.endswith(f"Revoke one: {command()} link revoke {order_id} {link_id}\n")
    assert shell("link", "revoke", order_id, link_id).stdout == f"Link {link_id} of order {order_id} is revoked.\n"
    assert "Revoke one" not in shell("link", "list", order_id).stdout
    missing = shell("link", "revoke", order_id, "987654", fails=1).stderr
    assert missing == f"Error: Order {order_id} has no link 987654. List them: {command()} link list {order_id}\n"


def test_qr_code_has_every_module(shell: Shell) -> None:
    url, *lines = shell("link", "create", str(shell.create()), "--qr").stdout.splitlines()
    halves = {"█": (0, 0), "▄": (1, 0), "▀": (0, 1), " ": (1, 1)}
    rows = [[halves[character][half] for character in line] for line in lines for half in (0, 1)]
    modules = [list(row) for row in segno.make(url, error="l", micro=False).matrix_iter(border=2)]
    assert rows[: len(modules)] == modules


def test_qr_code_needs_utf8(shell: Shell) -> None:
    refused = CliRunner(charset="ascii").invoke(main, ["link", "create", "101", "--qr", "--url", shell.url])
    assert refused.exit_code == 2
    assert "--qr needs an output in UTF-8." in refused.stderr


def test_watch_takes_a_link(shell: Shell) -> None:
    order_id = str(shell.create())
    link = shell("link", "create", order_id).stdout.strip()
    shell("status", order_id, "delivered")
    watched = Shell("http://127.0.0.1:9")("watch", link).stdout
    assert [line.split("  ")[1:] for line in watched.splitlines()] == [
        [f"order {order_id}", "confirmed"], [f"order {order_id}", "delivered (skipped: preparing, ready, picked_up)"]
    ]  # fmt: skip
    assert shell.json("watch", link.rpartition("/")[2])["data"]["customer_id"] is None


def test_watch_sends_no_token_to_the_server_of_a_link() -> None:
    with scripted(answers(200, update(1, status="delivered"))) as server:
        Shell("http://127.0.0.1:9")("watch", f"{server.url}/t/{TOKEN}", ORDERTRACK_TOKEN="own")
    assert "authorization" not in server.requests[0].headers


def test_an_invalid_link_is_explained(shell: Shell) -> None:
    refused = shell("watch", f"{shell.url}/t/{TOKEN}", fails=1).stderr
    assert refused.startswith("Error: The link is not valid: it was revoked, is too old or incomplete.")
    assert "is not a tracking link: it has no /t/" in flowing(shell("watch", "https://h.example/x", fails=2).stderr)


def test_audit_shows_author_and_address(shell: Shell) -> None:
    order_id = str(shell.create())
    shell("courier", order_id, "7")
    *_, line = shell("audit", order_id, COLUMNS="200").stdout.splitlines()
    assert line.split()[:1] == ["2"]
    assert "courier 7 assigned" in line
    assert line.split()[-2:] == ["anonymous", "127.0.0.1"]
