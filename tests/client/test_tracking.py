"""`track` on real sockets against a scripted server: restarts, resets, partial answers, silence."""

from __future__ import annotations

import pytest

from client.drivers import Driver
from client.servers import Act, answers, closes, half_answers, resets, scripted, stays_silent
from client.wire_answers import problem, update
from ordertrack.client import (
    Connection,
    ConnectionLost,
    NotFound,
    ServerFailed,
    ServerUnreachable,
    UnexpectedAnswer,
    Update,
)

SNAPSHOT = answers(200, update(1, "snapshot"))
NOTHING = answers(200, update(1, "timeout"))
DELIVERED = answers(200, update(2, status="delivered"))


def versions(updates: list[Update]) -> list[int]:
    return [each.order.version for each in updates]


def test_an_order_is_followed_from_its_snapshot_to_its_end(driver: Driver) -> None:
    with scripted(SNAPSHOT, NOTHING, answers(200, update(2, status="ready")),
                  answers(200, update(3, status="delivered"))) as server:  # fmt: skip
        updates = driver.track(server.url)
    assert [(each.order.status, each.reason) for each in updates] == [
        ("preparing", "snapshot"), ("ready", "changed"), ("delivered", "changed")
    ]  # fmt: skip
    asked = [(each.get("cursor"), each.get("timeout")) for each in server.queries]
    assert asked == [(None, None), ("e.1", "0.2"), ("e.1", "0.4"), ("e.2", "0.4")]
    assert {each.path for each in server.requests} == {"/api/v1/orders/101/track"}
    assert (driver.slept, driver.connections) == ([], [])


def test_each_track_call_has_its_own_client_id(driver: Driver) -> None:
    with scripted(SNAPSHOT, NOTHING, DELIVERED, SNAPSHOT, DELIVERED) as server:
        driver.track(server.url)
        driver.track(server.url)
    ids = [each.query["client_id"] for each in server.requests]
    assert len(set(ids[:3])) == 1
    assert len(set(ids)) == 2
    assert all(0 < len(each) <= 64 for each in ids)


@pytest.mark.parametrize("loss", [resets, closes, half_answers, stays_silent], ids=lambda act: act.__name__)
def test_lost_hold_is_retried_from_the_same_cursor(driver: Driver, loss: Act) -> None:
    with scripted(SNAPSHOT, NOTHING, loss, NOTHING, DELIVERED) as server:
        assert versions(driver.track(server.url)) == [1, 2]
    assert [each["timeout"] for each in server.queries[1:]] == ["0.2", "0.4", "0", "0.2"]
    assert {each["cursor"] for each in server.queries[1:]} == {"e.1"}
    assert driver.slept == [0.5]
    assert [each.online for each in driver.connections] == [False, True]
    assert isinstance(driver.connections[0].error, ConnectionLost)


@pytest.mark.parametrize("status", [502, 504, 524])
def test_a_proxy_that_cuts_holds_gets_shorter_ones(driver: Driver, status: int) -> None:
    with scripted(SNAPSHOT, NOTHING, answers(status, b"<html>Bad gateway"), NOTHING, DELIVERED) as server:
        assert versions(driver.track(server.url)) == [1, 2]
    assert [each["timeout"] for each in server.queries[1:]] == ["0.2", "0.4", "0", "0.2"]
    assert isinstance(driver.connections[0].error, ServerFailed)


def test_learned_hold_is_kept_for_the_next_order(driver: Driver) -> None:
    with scripted(SNAPSHOT, NOTHING, DELIVERED, SNAPSHOT, DELIVERED) as server:
        driver.track(server.url)
        driver.track(server.url)
    assert [each.get("timeout") for each in server.queries] == [None, "0.2", "0.4", None, "0.4"]


def test_first_answer_after_reconnect_has_the_missed_events(driver: Driver) -> None:
    with scripted(SNAPSHOT, resets, resets, resets, answers(200, update(5, status="delivered"))) as server:
        assert versions(driver.track(server.url)) == [1, 5]
    assert driver.slept == [0.5, 1.0, 2.0]
    assert [each.attempts for each in driver.connections] == [1, 2, 3, 0]


def test_a_busy_server_is_given_the_time_it_asks_for(driver: Driver) -> None:
    busy = answers(503, problem(503, "node_full"), retry_after="8")
    with scripted(SNAPSHOT, busy, DELIVERED) as server:
        assert versions(driver.track(server.url)) == [1, 2]
    assert driver.slept == [8.5]


def test_drain_is_followed_by_a_new_poll_without_an_error(driver: Driver) -> None:
    with scripted(SNAPSHOT, answers(200, update(1, "drain"), connection="close"), DELIVERED) as server:
        assert versions(driver.track(server.url)) == [1, 2]
    assert (driver.slept, driver.connections) == ([0.5], [])


def test_replaced_history_is_delivered_as_a_reset(driver: Driver) -> None:
    with scripted(answers(200, update(8, "snapshot")), answers(200, update(3, "reset", epoch="f")),
                  answers(200, update(4, epoch="f", status="cancelled"))) as server:  # fmt: skip
        updates = driver.track(server.url)
    assert [(each.order.version, each.reset) for each in updates] == [(8, False), (3, True), (4, False)]
    assert server.queries[2]["cursor"] == "f.3"


def test_an_unknown_order_is_an_error_at_once(driver: Driver) -> None:
    refusal = answers(404, problem(404, "order_not_found", "There is no such order."))
    with scripted(refusal) as server, pytest.raises(NotFound, match="There is no such order"):
        driver.track(server.url)
    assert len(server.requests) == 1


def test_a_page_that_is_no_ordertrack_server_is_an_error_at_once(driver: Driver) -> None:
    with scripted(answers(200, b"<html>It works!</html>")) as server, pytest.raises(UnexpectedAnswer):
        driver.track(server.url)


def test_saver_mode_pauses_between_polls_and_stops_at_the_end(driver: Driver) -> None:
    with scripted(answers(200, update(1, "snapshot", next_poll_interval=120)), NOTHING, DELIVERED) as server:
        assert versions(driver.track(server.url, mode="saver")) == [1, 2]
    assert [each.get("timeout") for each in server.queries] == [None, "0", "0"]
    assert driver.slept == [120, 60]


def test_going_on_from_a_cursor_names_it_in_the_first_request(driver: Driver) -> None:
    with scripted(NOTHING, DELIVERED) as server:
        updates = driver.track(server.url, cursor="e.1")
    assert [(each.order.version, each.has_update) for each in updates] == [(1, False), (2, True)]
    assert [each["cursor"] for each in server.queries] == ["e.1", "e.1"]


def test_a_server_that_is_not_there_yet_is_waited_for(driver: Driver) -> None:
    """An exception of the listener ends `track`, so that a program can stop."""

    class EnoughError(Exception):
        pass

    class Impatient(list[Connection]):
        def append(self, connection: Connection, /) -> None:
            super().append(connection)
            if connection.attempts == 4:
                raise EnoughError

    driver.connections = Impatient()
    with scripted() as server:
        url = server.url
    with pytest.raises(EnoughError):
        driver.track(url, wait_for_server=True)
    assert [type(each.error) for each in driver.connections] == [ServerUnreachable] * 4
    assert driver.slept == [0.5, 1.0, 2.0]
