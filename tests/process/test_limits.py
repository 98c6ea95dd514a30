"""Configured limits: held polls of the node, the longest hold, the undo window, the edge timeout."""

from __future__ import annotations

import pytest

from support.api import track


@pytest.mark.protocol("3.16")
def test_full_node_refuses_one_more_poll_but_answers_others(start, api_of):
    api = api_of(start("--max-held-polls", "6"))
    cursor = api.cursor(103)
    held = [api.hold(id_) for id_ in (101, 102) for _ in range(3)]
    api.until_held(6)
    refused = api.poll(103, timeout=30)
    assert (refused.status, refused.json()["error"]) == (503, "node_full")
    assert int(refused.headers["retry-after"]) >= 1
    assert api.poll(103).json()["reason"] == "snapshot"
    assert api.poll(103, timeout=0).json()["reason"] == "timeout"
    assert api.poll(103, cursor=cursor.removesuffix("3") + "1", timeout=30).json()["reason"] == "changed"
    assert api.http.get("/readyz").status_code == 200
    api.made(101, "preparing")
    assert {held.pop(0).answer().json()["reason"] for _ in range(3)} == {"changed"}
    again = api.hold(103)
    api.until_held(4)
    assert again.silent()


@pytest.mark.protocol("3.16")
def test_full_node_spreads_retry_after(start, api_of):
    api = api_of(start("--max-held-polls", "1"))
    api.hold(101)
    api.until_held(1)
    pauses = {int(api.poll(102, timeout=30).headers["retry-after"]) for _ in range(40)}
    assert len(pauses) > 1


@pytest.mark.protocol("3.3", "3.12", "3.11")
def test_timeouts_above_the_maximum_are_clamped(start, api_of):
    api = api_of(start("--max-timeout-s", "1"))
    held = [api.hold(101, timeout=timeout) for timeout in ("1.1", "30", "999999999999")]
    held.append(api.connect())
    held[-1].request("GET", track(101, cursor=api.cursor(101)))
    api.until_held(4)
    for connection in held:
        body = connection.answer().json()
        assert (body["reason"], body["max_timeout"]) == ("timeout", 1)


@pytest.mark.protocol("3.3")
def test_holds_end_before_the_edge_timeout(start, api_of):
    api = api_of(start("--edge-timeout-s", "3.25"))
    answer = api.poll(101, timeout=30).json()
    assert (answer["reason"], answer["max_timeout"]) == ("timeout", 1.25)


@pytest.mark.protocol("1.7")
def test_step_can_be_undone_only_within_the_window(start, api_of):
    """The window starts at the earliest event undone: a recent step does not allow to undo older ones."""
    api = api_of(start("--undo-window-s", "1"))
    api.made(101, "preparing")
    assert api.made(101, "confirmed", undo=True)["version"] == 3
    api.made(101, "ready")
    assert api.poll(103, timeout=1.3).json()["reason"] == "timeout"
    before = api.order(101)
    late = api.set(101, "preparing", undo=True)
    assert (late.status_code, late.json()["error"]) == (409, "undo_window_passed")
    assert (late.json()["current_status"], late.json()["current_version"]) == ("ready", 4)
    assert api.order(101) == before
    api.made(101, "picked_up")
    assert api.set(101, "preparing", undo=True).json()["error"] == "undo_window_passed"
    assert api.made(101, "ready", undo=True)["status"] == "ready"


@pytest.mark.protocol("1.7")
def test_cancellation_can_be_undone_only_within_the_window(start, api_of):
    api = api_of(start("--undo-window-s", "0"))
    api.made(102, "cancelled")
    assert api.poll(101, timeout=0.1).json()["reason"] == "timeout"
    late = api.set(102, "preparing", undo=True)
    assert (late.status_code, late.json()["error"]) == (409, "undo_window_passed")


@pytest.mark.protocol("3.15")
def test_limit_per_order_is_a_setting(start, api_of):
    api = api_of(start("--max-connections-per-order", "2"))
    for _ in range(2):
        api.hold(101)
    api.until_held(2)
    assert api.poll(101, timeout=30).status == 429
    assert api.stats()["max_connections_per_order"] == 2


@pytest.mark.protocol("3.16")
def test_reserve_of_a_full_node_is_for_polls_with_a_cursor(start, api_of):
    api = api_of(start("--max-held-polls", "4", "--resuming-reserve-percent", "50"))
    cursor = api.cursor(103)
    for id_ in (101, 102):
        api.hold(id_)
    api.until_held(2)
    newcomer = api.poll(103, timeout=30)
    assert (newcomer.status, newcomer.json()["error"]) == (503, "node_full")
    followers = [api.hold(103, cursor=cursor), api.hold(103, {"If-None-Match": f'W/"{cursor}"'})]
    api.until_held(4)
    assert api.poll(103, cursor=cursor, timeout=30).status == 503
    api.made(103, "picked_up")
    assert {follower.answer().json()["reason"] for follower in followers} == {"changed"}


@pytest.mark.protocol("3.15")
def test_a_client_may_hold_only_so_many_polls_over_all_orders(start, api_of):
    api = api_of(start("--max-polls-per-client", "2"))
    for id_ in (101, 102):
        api.hold(id_, client_id="greedy")
    api.until_held(2)
    refused = api.poll(103, client_id="greedy", timeout=30)
    assert (refused.status, refused.json()["error"]) == (429, "too_many_connections")
    assert int(refused.headers["retry-after"]) >= 1
    assert "client" in refused.json()["message"]
    api.hold(103, client_id="modest")
    newest = api.hold(101, client_id="greedy")
    api.until_held(3)
    assert newest.silent(), "it took the place of its older one"
