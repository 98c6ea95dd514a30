"""Section 1: one transition for each outcome over HTTP. `tests/core` has every cell of the table."""

from __future__ import annotations

import httpx
import pytest

from support.api import PROGRESSION, STATUSES, Api, Json
from support.protocol_page import transitions

TABLE = transitions()
FORWARD = {"next", "skip", "cancel", "cancel, with a reason"}


def _examples(*moves: str) -> list[tuple[str, str]]:
    """Return the last transition of the table for each of these moves."""
    last = {move: transition for transition, move in TABLE.items()}
    return [last[move] for move in moves]


def _refused(answer: httpx.Response, status: int, code: str, before: Json, after: Json) -> None:
    """Check a refusal: its code, the state of the order beside it, and that the order is unchanged."""
    problem = answer.json()
    assert (answer.status_code, problem["error"]) == (status, code)
    assert problem["current_status"] == before["status"]
    assert problem["current_version"] == before["version"]
    legal = [to for to in STATUSES if TABLE[before["status"], to] in FORWARD]
    assert sorted(problem["legal_next"]) == sorted(legal)
    assert after == before


@pytest.mark.protocol("1.5")
@pytest.mark.parametrize(("start", "to"), _examples("next", "skip", "cancel"))
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
@pytest.mark.parametrize("status", ["preparing", "delivered"])
def test_repeating_a_status_changes_nothing_and_answers_no_poll(api: Api, status: str):
    order = api.at(status)
    held = None if status == "delivered" else api.hold(order["id"])
    if held:
        api.until_held(1)
    answer = api.set(order["id"], status, reason="once more")
    assert (answer.status_code, answer.json()["changed"]) == (200, False)
    assert answer.json()["data"] == api.order(order["id"]) == order
    if held:
        assert api.held() == 1
        assert held.silent()


@pytest.mark.protocol("1.7", "1.9")
@pytest.mark.parametrize(("start", "to"), _examples("back", "restore"))
def test_a_step_back_is_never_a_plain_update(api: Api, start: str, to: str):
    order = api.at(start)
    _refused(api.set(order["id"], to), 409, "illegal_transition", order, api.order(order["id"]))


@pytest.mark.protocol("1.7")
@pytest.mark.parametrize(("start", "to"), [("preparing", "confirmed"), ("delivered", "preparing")])
def test_a_step_back_is_an_undo_recorded_as_reverted(api: Api, start: str, to: str):
    order = api.at(start)
    reverted = api.made(order["id"], to, undo=True, reason="mistake")
    event = reverted["timeline"][-1]
    assert (reverted["status"], reverted["version"]) == (to, order["version"] + 1)
    assert (event["type"], event["status"], event["reason"]) == ("reverted", to, "mistake")
    assert reverted["timeline"][:-1] == order["timeline"]
    assert event["undoes"] == PROGRESSION.index(to) + 2, "the earliest step that is undone"


@pytest.mark.protocol("1.7")
@pytest.mark.parametrize(("before", "to"), [("ready", "ready"), ("ready", "preparing")])
def test_a_cancelled_order_is_restored_only_to_its_last_status(api: Api, before: str, to: str):
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
@pytest.mark.parametrize(("start", "to"), _examples("next", "skip", "cancel", "cancel, with a reason", "no"))
def test_an_undo_must_be_a_step_back(api: Api, start: str, to: str):
    order = api.at(start)
    answer = api.set(order["id"], to, undo=True, reason="mistake")
    _refused(answer, 409, "illegal_transition", order, api.order(order["id"]))


@pytest.mark.protocol("1.9")
@pytest.mark.parametrize(("start", "to"), _examples("no"))
def test_a_transition_outside_the_table_is_refused(api: Api, start: str, to: str):
    order = api.at(start)
    answer = api.set(order["id"], to, reason="please")
    _refused(answer, 409, "illegal_transition", order, api.order(order["id"]))


@pytest.mark.protocol("1.8")
@pytest.mark.parametrize(("start", "to"), _examples("cancel, with a reason"))
@pytest.mark.parametrize("without", [{}, {"reason": None}, {"reason": ""}])
def test_cancelling_a_picked_up_order_needs_a_reason(api: Api, start: str, to: str, without: Json):
    order = api.at(start)
    _refused(api.set(order["id"], to, **without), 400, "reason_required", order, api.order(order["id"]))
    cancelled = api.made(order["id"], to, reason="bike broke down")
    assert cancelled["cancellation"]["reason"] == "bike broke down"


@pytest.mark.protocol("1.9")
def test_a_refused_update_answers_no_poll(api: Api):
    order = api.at("ready")
    held = api.hold(order["id"])
    api.until_held(1)
    assert api.set(order["id"], "confirmed").status_code == 409
    assert api.held() == 1
    assert held.silent()


@pytest.mark.protocol("1.7")
def test_undoing_a_skip_may_set_a_skipped_status(api: Api):
    id_ = api.create()["id"]
    api.made(id_, "delivered")
    event = api.made(id_, "ready", undo=True)["timeline"][-1]
    assert (event["type"], event["status"], event["undoes"]) == ("reverted", "ready", 2)
