"""Orders that nothing is heard of get later windows."""

from __future__ import annotations

import pytest

from support.api import Api, Json

SOON = tuple(f"--eta-{name}-s=1" for name in ("change-threshold", "confirmed", "preparing", "ready", "picked-up"))
"""Each status takes a second, and a second counts as late."""


def _moved(api: Api, order: Json) -> Json:
    """Return the answer to a poll that is held until the window moves."""
    answer: Json = api.poll(order["id"], cursor=api.cursor(order["id"]), timeout=30).json()
    return answer


@pytest.mark.protocol("1.17", "1.18")
def test_a_silent_order_gets_a_later_window(start, api_of):
    api = api_of(start(*SOON))
    order = api.create()
    answer = _moved(api, order)
    (event,) = answer["events"]
    assert (event["type"], event["status"], event["actor"]) == ("eta_changed", "confirmed", "server")
    eta = answer["data"]["eta"]
    assert event["eta"] == eta["current"]
    assert eta["promised"] == order["eta"]["promised"]
    assert eta["current"]["to"] > eta["promised"]["to"]
    assert eta["late"] is True
    assert event["recorded_at"] < eta["current"]["to"]
    delivered = api.made(order["id"], "delivered")
    assert delivered["eta"]["current"] is None
    assert delivered["eta"]["late"] is (delivered["updated_at"] > eta["promised"]["to"][:-1])


@pytest.mark.protocol("1.17")
def test_windows_move_after_a_restart(start, api_of):
    server = start(*SOON)
    order = api_of(server).create()
    server.kill()
    api = api_of(start(*SOON))
    answer = _moved(api, order)
    assert [event["type"] for event in answer["events"]] == ["eta_changed"]
    assert answer["data"]["eta"]["promised"] == order["eta"]["promised"]


@pytest.mark.protocol("1.14")
def test_without_eta_orders_have_none(start, api_of):
    api = api_of(start("--no-eta"))
    order = api.made(api.create()["id"], "preparing")
    assert order["eta"] is None
    assert [event for event in order["timeline"] if "eta" in event] == []
