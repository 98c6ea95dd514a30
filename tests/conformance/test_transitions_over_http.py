"""Section 1: the table of transitions, every cell of it, as written in PROTOCOL.md."""

from __future__ import annotations

import httpx
import pytest

from support.api import PROGRESSION, STATUSES, Api, Json
from support.protocol_page import transitions

TABLE = transitions()
FORWARD = {"next", "skip", "cancel", "cancel, with a reason"}


def _cells(*moves: str) -> list[tuple[str, str]]:
    return [cell for cell, move in TABLE.items() if move in moves]


def _refused(answer: httpx.Response, status: int, code: str, before: Json, after: Json) -> None:
    """Says why, says where the order stands, and changed nothing."""
    problem = answer.json()
    assert (answer.status_code, problem["error"]) == (status, code)
    assert problem["current_status"] == before["status"]
    assert problem["current_version"] == before["version"]
    legal = [to for to in STATUSES if TABLE[before["status"], to] in FORWARD]
    assert sorted(problem["legal_next"]) == sorted(legal)
    assert after == before


@pytest.mark.protocol("1.5")
@pytest.mark.parametrize(("start", "to"), _cells("next", "skip", "cancel"))
def test_a_step_forward_is_a_plain_update(api: Api, start: str, to: str):
    order = api.at(start)
    answer = api.set(order["id"], to)
    assert (answer.status_code, answer.json()["changed"]) == (200, True)
    changed = answer.json()["data"]
    assert (changed["status"], changed["version"]) == (to, order["version"] + 1)
    event = changed["timeline"][-1]
    assert (event["type"], event["status"], event["version"]) == ("status_changed", to, changed["version"])
    skipped = (
        list(PROGRESSION[PROGRESSION.index(start) + 1 : PROGRESSION.index(to)]) if TABLE[start, to] == "skip" else []
    )
    assert event.get("skipped", []) == skipped
    assert api.order(order["id"]) == changed


@pytest.mark.protocol("1.6")
@pytest.mark.parametrize(("start", "to"), _cells("same"))
def test_the_same_status_again_changes_nothing_and_wakes_nobody(api: Api, start: str, to: str):
    order = api.at(start)
    ended = start in ("delivered", "cancelled")
    held = None if ended else api.hold(order["id"])
    if held:
        api.until_held(1)
    answer = api.set(order["id"], to, reason="once more")
    assert (answer.status_code, answer.json()["changed"]) == (200, False)
    assert answer.json()["data"] == api.order(order["id"]) == order
    if held:
        assert api.held() == 1
        assert held.silent()


@pytest.mark.protocol("1.7", "1.9")
@pytest.mark.parametrize(("start", "to"), _cells("back", "restore"))
def test_a_step_back_is_never_a_plain_update(api: Api, start: str, to: str):
    order = api.at(start)
    _refused(api.set(order["id"], to), 409, "illegal_transition", order, api.order(order["id"]))


@pytest.mark.protocol("1.7")
@pytest.mark.parametrize(("start", "to"), _cells("back"))
def test_a_step_back_is_an_undo_recorded_as_reverted(api: Api, start: str, to: str):
    order = api.at(start)
    reverted = api.made(order["id"], to, undo=True, reason="mistake")
    event = reverted["timeline"][-1]
    assert (reverted["status"], reverted["version"]) == (to, order["version"] + 1)
    assert (event["type"], event["status"], event["reason"]) == ("reverted", to, "mistake")
    assert reverted["timeline"][:-1] == order["timeline"]
    assert event["undoes"] == PROGRESSION.index(to) + 2, "the earliest step that is taken back"


@pytest.mark.protocol("1.7")
@pytest.mark.parametrize("before", PROGRESSION[:-1])
@pytest.mark.parametrize("to", PROGRESSION[:-1])
def test_a_cancelled_order_can_be_restored_only_to_the_status_it_had(api: Api, before: str, to: str):
    order = api.at("cancelled", after=before)
    answer = api.set(order["id"], to, undo=True)
    if to != before:
        _refused(answer, 409, "illegal_transition", order, api.order(order["id"]))
        return
    restored = answer.json()["data"]
    assert (restored["status"], restored["cancellation"]) == (before, None)
    event = restored["timeline"][-1]
    assert (event["type"], event["undoes"]) == ("reverted", order["version"])


@pytest.mark.protocol("1.9")
@pytest.mark.parametrize(("start", "to"), _cells("next", "skip", "cancel", "cancel, with a reason", "no"))
def test_what_is_no_step_back_cannot_be_an_undo(api: Api, start: str, to: str):
    order = api.at(start)
    answer = api.set(order["id"], to, undo=True, reason="mistake")
    _refused(answer, 409, "illegal_transition", order, api.order(order["id"]))


@pytest.mark.protocol("1.9")
@pytest.mark.parametrize(("start", "to"), _cells("no"))
def test_what_the_table_does_not_allow_is_refused(api: Api, start: str, to: str):
    order = api.at(start)
    answer = api.set(order["id"], to, reason="please")
    _refused(answer, 409, "illegal_transition", order, api.order(order["id"]))


@pytest.mark.protocol("1.8")
@pytest.mark.parametrize(("start", "to"), _cells("cancel, with a reason"))
@pytest.mark.parametrize("without", [{}, {"reason": None}, {"reason": ""}])
def test_cancelling_an_order_on_its_way_needs_a_reason(api: Api, start: str, to: str, without: Json):
    order = api.at(start)
    _refused(api.set(order["id"], to, **without), 400, "reason_required", order, api.order(order["id"]))
    cancelled = api.made(order["id"], to, reason="bike broke down")
    assert cancelled["cancellation"]["reason"] == "bike broke down"


@pytest.mark.protocol("1.9")
def test_a_refused_update_wakes_nobody(api: Api):
    order = api.at("ready")
    held = api.hold(order["id"])
    api.until_held(1)
    assert api.set(order["id"], "confirmed").status_code == 409
    assert api.held() == 1
    assert held.silent()


@pytest.mark.protocol("1.7")
def test_an_undo_of_a_skip_can_go_to_a_status_the_order_never_had(api: Api):
    id_ = api.create()["id"]
    api.made(id_, "delivered")
    event = api.made(id_, "ready", undo=True)["timeline"][-1]
    assert (event["type"], event["status"], event["undoes"]) == ("reverted", "ready", 2)
