"""Orders that nothing is heard of get later windows, also after a restart."""

from __future__ import annotations

import pytest

THRESHOLD = "--eta-change-threshold-s=1"
STAGES = ("confirmed", "preparing", "ready", "picked-up")


@pytest.mark.protocol("1.15", "1.17", "1.18")
def test_a_silent_order_gets_a_later_window(start, api_of):
    """The restarted server expects longer times, so the window does not hold any more."""
    server = start(THRESHOLD, *(f"--eta-{stage}-s=1" for stage in STAGES))
    order = api_of(server).create()
    server.kill()
    api = api_of(start(THRESHOLD, *(f"--eta-{stage}-s=3600" for stage in STAGES)))
    answer = api.poll(order["id"], cursor=api.cursor(order["id"]), timeout=30).json()
    (event,) = answer["events"]
    eta = answer["data"]["eta"]
    assert (event["type"], event["status"], event["actor"]) == ("eta_changed", "confirmed", "server")
    assert event["eta"] == eta["current"]
    assert eta["promised"] == order["eta"]["promised"]
    assert eta["current"]["to"] > eta["promised"]["to"]
    assert eta["late"] is True
    delivered = api.made(order["id"], "delivered")
    assert delivered["eta"] == {"promised": eta["promised"], "current": None, "late": False}


@pytest.mark.protocol("1.14")
def test_without_eta_orders_have_none(start, api_of):
    api = api_of(start("--no-eta"))
    order = api.made(api.create()["id"], "preparing")
    assert order["eta"] is None
    assert [event for event in order["timeline"] if "eta" in event] == []
