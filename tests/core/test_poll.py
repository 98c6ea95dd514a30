"""The decision on a poll: the table of PROTOCOL.md section 3."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordertrack.core import poll
from ordertrack.core.cursor import Cursor
from ordertrack.core.event import Status
from ordertrack.core.order import NewOrder, Order, create, evolve
from ordertrack.core.order_rules import ChangeStatus, advance
from ordertrack.core.poll import (
    NEWS,
    NEXT_POLL_INTERVAL_S,
    Answer,
    Hold,
    PollRequest,
    Reason,
    answer_now,
    decide,
    decide_at,
    decide_drained,
    hold_s,
)
from support.protocol_page import requirements

EPOCH = "a1b2"
START_MS = 1_795_342_530_000
MAX_TIMEOUT_S = 120.0


def order_at(*statuses: str) -> Order:
    """Return an order after `statuses`, a second apart: version 1 at START_MS."""
    order = create(7, NewOrder(customer_id="c1", restaurant_id="r1"), START_MS)
    for status in statuses:
        event = advance(order, ChangeStatus(7, Status(status), "test"), order.updated_at_ms + 1_000)
        assert event is not None
        order = evolve(order, event)
    return order


ACTIVE = order_at("preparing", "ready")
ENDED = order_at("preparing", "delivered")
CANCELLED = order_at("preparing", "cancelled")
BEFORE_MS, CURRENT_MS, FUTURE_MS = START_MS + 1_000, START_MS + 2_000, START_MS + 9_999_999


def cursor(version: int, epoch: str = EPOCH) -> Cursor:
    return Cursor(epoch, version)


def make(**fields: Any) -> PollRequest:
    return PollRequest(**fields)


def decided(request: PollRequest, order: Order) -> Answer | Hold:
    return decide(request, order, EPOCH, hold_s(request, MAX_TIMEOUT_S))


ANSWERED = [
    # requirement, request, order, reason, position
    pytest.param(make(), ACTIVE, "snapshot", None, id="3.5 nothing at all"),
    pytest.param(make(), ENDED, "snapshot", None, id="3.5 nothing at all, ended"),
    pytest.param(make(wait_s=5.0), ACTIVE, "snapshot", None, id="3.5 only Prefer"),
    pytest.param(make(client_id="me"), ACTIVE, "snapshot", None, id="3.5 only a client id"),
    pytest.param(make(timeout_s=0.0), ACTIVE, "timeout", 3, id="3.6 and 3.11 no position, timeout 0"),
    pytest.param(make(timeout_s=30.0), ENDED, "terminal", 3, id="3.6 and 3.10 no position but a timeout, ended"),
    pytest.param(make(cursor=cursor(2)), ACTIVE, "changed", 2, id="3.8 cursor one behind"),
    pytest.param(make(cursor=cursor(0)), ACTIVE, "changed", 0, id="3.8 cursor before the first version"),
    pytest.param(make(cursor=cursor(2), timeout_s=30.0), ACTIVE, "changed", 2, id="3.8 with a timeout"),
    pytest.param(make(cursor=cursor(2), timeout_s=0.0), ACTIVE, "changed", 2, id="3.8 with timeout 0"),
    pytest.param(make(etag=cursor(1)), ACTIVE, "changed", 1, id="3.8 etag behind"),
    pytest.param(make(last_update_ms=BEFORE_MS), ACTIVE, "changed", 2, id="3.8 last_update behind"),
    pytest.param(make(last_update_ms=CURRENT_MS - 1), ACTIVE, "changed", 2, id="3.8 last_update a millisecond behind"),
    pytest.param(make(last_update_ms=0), ACTIVE, "changed", 0, id="3.8 last_update before the order"),
    pytest.param(make(cursor=cursor(2)), ENDED, "changed", 2, id="3.8 before 3.10"),
    pytest.param(make(cursor=cursor(3, "ffff")), ACTIVE, "reset", None, id="3.7 cursor of another epoch"),
    pytest.param(make(cursor=cursor(9, "ffff")), ACTIVE, "reset", None, id="3.7 before 3.9"),
    pytest.param(make(cursor=cursor(1, "ffff")), ENDED, "reset", None, id="3.7 before 3.8 and 3.10"),
    pytest.param(make(etag=cursor(3, "ffff")), ACTIVE, "reset", None, id="3.7 etag of another epoch"),
    pytest.param(make(cursor=cursor(3)), ENDED, "terminal", 3, id="3.10 delivered"),
    pytest.param(make(cursor=cursor(3)), CANCELLED, "terminal", 3, id="3.10 cancelled"),
    pytest.param(make(cursor=cursor(3), timeout_s=0.0), ENDED, "terminal", 3, id="3.10 with timeout 0"),
    pytest.param(make(etag=cursor(3)), ENDED, "terminal", 3, id="3.10 etag"),
    pytest.param(make(any_etag=True), ENDED, "terminal", 3, id="3.10 If-None-Match: *"),
    pytest.param(make(last_update_ms=CURRENT_MS), ENDED, "terminal", 3, id="3.10 last_update"),
    pytest.param(make(last_update_ms=FUTURE_MS), ENDED, "terminal", 3, id="3.10 last_update in the future"),
    pytest.param(make(cursor=cursor(3), timeout_s=0.0), ACTIVE, "timeout", 3, id="3.11 timeout 0"),
    pytest.param(make(cursor=cursor(3), wait_s=0.0), ACTIVE, "timeout", 3, id="3.11 Prefer: wait=0"),
    pytest.param(make(cursor=cursor(4), timeout_s=0.0), ACTIVE, "reset", None, id="3.9 ahead with timeout 0"),
    pytest.param(make(cursor=cursor(4), timeout_s=30.0), ENDED, "reset", None, id="3.9 ahead of an ended order"),
    pytest.param(make(etag=cursor(9)), CANCELLED, "reset", None, id="3.9 etag ahead of an ended order"),
]

HELD = [
    pytest.param(make(timeout_s=30.0), ACTIVE, Hold(3, 30.0), id="3.6 no position but a timeout"),
    pytest.param(make(cursor=cursor(3)), ACTIVE, Hold(3, 30.0), id="3.11 cursor"),
    pytest.param(make(cursor=cursor(3), timeout_s=0.5), ACTIVE, Hold(3, 0.5), id="3.11 decimal timeout"),
    pytest.param(make(cursor=cursor(3), timeout_s=999.0), ACTIVE, Hold(3, 120.0), id="3.11 clamped timeout"),
    pytest.param(make(cursor=cursor(3), wait_s=7.0), ACTIVE, Hold(3, 7.0), id="3.11 Prefer"),
    pytest.param(make(etag=cursor(3)), ACTIVE, Hold(3, 30.0), id="3.11 etag"),
    pytest.param(make(any_etag=True), ACTIVE, Hold(3, 30.0), id="3.11 If-None-Match: *"),
    pytest.param(make(last_update_ms=CURRENT_MS), ACTIVE, Hold(3, 30.0), id="3.11 last_update"),
    pytest.param(make(last_update_ms=FUTURE_MS), ACTIVE, Hold(3, 30.0), id="3.11 last_update in the future"),
    pytest.param(make(cursor=cursor(4)), ACTIVE, Hold(4, 2.0), id="3.9 ahead"),
    pytest.param(make(etag=cursor(9)), ACTIVE, Hold(9, 2.0), id="3.9 etag ahead"),
    pytest.param(make(cursor=cursor(4), timeout_s=1.5), ACTIVE, Hold(4, 1.5), id="3.9 with less than 2 seconds"),
]


@pytest.mark.parametrize(("request_", "order", "reason", "position"), ANSWERED)
def test_a_poll_is_answered_now(request_: PollRequest, order: Order, reason: str, position: int | None) -> None:
    answer = decided(request_, order)
    assert isinstance(answer, Answer)
    assert (answer.reason, answer.position, answer.order) == (reason, position, order)
    assert (answer.reason in NEWS) is (reason in ("snapshot", "changed", "reset"))


@pytest.mark.parametrize(("request_", "order", "expected"), HELD)
def test_a_poll_is_held(request_: PollRequest, order: Order, expected: Hold) -> None:
    assert decided(request_, order) == expected


# The deadline: the same rows again


@pytest.mark.parametrize(
    ("position", "order", "left_s", "waited", "expected"),
    [
        pytest.param(3, ACTIVE, 0.0, False, "timeout", id="nothing new"),
        pytest.param(3, ACTIVE, -0.1, False, "timeout", id="nothing new, and late"),
        pytest.param(2, ACTIVE, 0.0, False, "changed", id="a lost wake-up"),
        pytest.param(2, ENDED, 0.0, False, "changed", id="a lost wake-up of an ended order"),
        pytest.param(4, ACTIVE, 0.0, False, "reset", id="ahead and no time left"),
        pytest.param(4, ACTIVE, 28.0, True, "reset", id="still ahead after waiting for it"),
        pytest.param(4, ENDED, 28.0, True, "reset", id="still ahead of an ended order"),
        pytest.param(4, ENDED, 28.0, False, "reset", id="ahead of an ended order"),
        pytest.param(3, ACTIVE, 28.0, True, Hold(3, 28.0), id="caught up: held for the rest"),
        pytest.param(3, ACTIVE, 0.0, True, "timeout", id="caught up at the very end"),
        pytest.param(3, ENDED, 28.0, True, "terminal", id="caught up with the end of the order"),
        pytest.param(2, ACTIVE, 28.0, True, "changed", id="overtaken"),
    ],
)
def test_an_expired_poll_is_decided_again(
    position: int, order: Order, left_s: float, waited: bool, expected: str | Hold
) -> None:
    decision = decide_at(position, order, left_s, waited=waited)
    if isinstance(expected, Hold):
        assert decision == expected
    else:
        assert isinstance(decision, Answer)
        assert decision.reason == expected


@pytest.mark.parametrize(
    ("position", "order", "reason"),
    [
        pytest.param(3, ACTIVE, "drain", id="nothing new"),
        pytest.param(2, ACTIVE, "changed", id="news"),
        pytest.param(2, ENDED, "changed", id="the end"),
        pytest.param(3, ENDED, "terminal", id="ended and known"),
        pytest.param(4, ACTIVE, "reset", id="ahead"),
    ],
)
def test_a_drained_poll_gets_its_news_first(position: int, order: Order, reason: str) -> None:
    answer = decide_drained(position, order)
    assert (answer.reason, answer.order) == (reason, order)


# Precedence


@pytest.mark.parametrize(
    ("request_", "position"),
    [
        pytest.param(
            make(cursor=cursor(1), etag=cursor(2), any_etag=True, last_update_ms=0), 1, id="cursor before everything"
        ),
        pytest.param(make(cursor=cursor(0), etag=cursor(2)), 0, id="cursor 0 before etag"),
        pytest.param(make(cursor=cursor(1), any_etag=True), 1, id="cursor before If-None-Match: *"),
        pytest.param(make(cursor=cursor(1), last_update_ms=BEFORE_MS), 1, id="cursor before last_update"),
        pytest.param(make(etag=cursor(1), last_update_ms=BEFORE_MS), 1, id="etag before last_update"),
        pytest.param(make(any_etag=True, last_update_ms=BEFORE_MS), 3, id="If-None-Match: * before last_update"),
    ],
)
def test_positions_have_an_order_of_precedence(request_: PollRequest, position: int) -> None:
    decision = decided(request_, ACTIVE)
    assert decision.position == position


def test_a_foreign_cursor_resets_despite_a_valid_etag() -> None:
    decision = decided(make(cursor=cursor(3, "ffff"), etag=cursor(3)), ACTIVE)
    assert isinstance(decision, Answer)
    assert decision.reason == "reset"


# 304


@pytest.mark.parametrize(
    ("request_", "not_modified"),
    [
        pytest.param(make(etag=cursor(3), timeout_s=0.0), True, id="etag"),
        pytest.param(make(any_etag=True, timeout_s=0.0), True, id="If-None-Match: *"),
        pytest.param(make(etag=cursor(3), last_update_ms=0, timeout_s=0.0), True, id="etag and last_update"),
        pytest.param(make(cursor=cursor(3), timeout_s=0.0), False, id="cursor"),
        pytest.param(make(cursor=cursor(3), etag=cursor(3), timeout_s=0.0), False, id="cursor and etag"),
        pytest.param(make(cursor=cursor(3), any_etag=True, timeout_s=0.0), False, id="cursor and *"),
        pytest.param(make(last_update_ms=CURRENT_MS, timeout_s=0.0), False, id="last_update"),
        pytest.param(make(timeout_s=0.0), False, id="no position"),
    ],
)
def test_only_if_none_match_gives_a_304(request_: PollRequest, not_modified: bool) -> None:
    answer = decided(request_, ACTIVE)
    assert isinstance(answer, Answer)
    assert (answer.reason, answer.not_modified) == ("timeout", not_modified)
    assert request_.conditional is not_modified


@pytest.mark.parametrize(
    ("request_", "order"),
    [
        pytest.param(make(etag=cursor(2)), ACTIVE, id="changed"),
        pytest.param(make(etag=cursor(3, "ffff")), ACTIVE, id="reset"),
        pytest.param(make(etag=cursor(3)), ENDED, id="terminal"),
    ],
)
def test_a_conditional_poll_with_news_is_no_304(request_: PollRequest, order: Order) -> None:
    answer = decided(request_, order)
    assert isinstance(answer, Answer)
    assert answer.not_modified is False


def test_a_held_conditional_poll_is_a_304_at_its_deadline() -> None:
    answer = decide_at(3, ACTIVE, 0.0, conditional=True)
    assert answer == Answer(ACTIVE, Reason.TIMEOUT, 3, not_modified=True)


# Times


@pytest.mark.parametrize(
    ("timeout_s", "wait_s", "expected"),
    [
        (None, None, 30.0),
        (0.0, None, 0.0),
        (0.25, None, 0.25),
        (119.0, None, 119.0),
        (120.0, None, 120.0),
        (121.0, None, 120.0),
        (1e9, None, 120.0),
        (None, 10.0, 10.0),
        (None, 60.0, 30.0),
        (60.0, 10.0, 10.0),
        (10.0, 60.0, 10.0),
        (500.0, 400.0, 120.0),
        (60.0, 0.0, 0.0),
    ],
)
def test_the_hold_is_the_least_of_request_and_limit(
    timeout_s: float | None, wait_s: float | None, expected: float
) -> None:
    assert hold_s(make(timeout_s=timeout_s, wait_s=wait_s), MAX_TIMEOUT_S) == expected


def test_the_default_hold_is_clamped_too() -> None:
    assert hold_s(make(), 20.0) == 20.0


def test_intervals_equal_the_original_contract() -> None:
    assert {status.value: seconds for status, seconds in NEXT_POLL_INTERVAL_S.items()} == {
        "confirmed": 120,
        "preparing": 60,
        "ready": 30,
        "picked_up": 30,
        "delivered": 0,
        "cancelled": 0,
    }


# Events in an answer


def test_an_answer_with_news_has_every_event_after_the_position() -> None:
    assert [event.version for event in Answer(ACTIVE, Reason.CHANGED, 1).events] == [2, 3]
    assert [event.version for event in Answer(ACTIVE, Reason.SNAPSHOT, None).events] == [1, 2, 3]
    assert [event.version for event in Answer(ACTIVE, Reason.RESET, None).events] == [1, 2, 3]


@pytest.mark.parametrize("reason", [Reason.TIMEOUT, Reason.TERMINAL, Reason.DRAIN, Reason.SUPERSEDED])
def test_an_answer_without_news_has_no_events(reason: Reason) -> None:
    assert Answer(ACTIVE, reason, 3).events == ()


positions = st.builds(Cursor, st.sampled_from([EPOCH, "ffff"]), st.integers(0, 6))
requests = st.builds(
    PollRequest,
    cursor=st.none() | positions,
    etag=st.none() | positions,
    any_etag=st.booleans(),
    last_update_ms=st.none() | st.integers(START_MS - 1_000, START_MS + 4_000),
    timeout_s=st.none() | st.floats(0, 200),
    wait_s=st.none() | st.floats(0, 200),
)


@given(requests, st.sampled_from([ACTIVE, ENDED, CANCELLED, order_at()]))
def test_neither_news_nor_an_ended_order_is_held(request: PollRequest, order: Order) -> None:
    decision = decided(request, order)
    if isinstance(decision, Hold):
        assert not order.status.ended
        assert decision.position >= order.version
        assert 0 < decision.for_s <= (2.0 if decision.position > order.version else MAX_TIMEOUT_S)
    elif decision.reason not in NEWS:
        assert decision.position == order.version
    elif decision.position is not None:
        assert decision.events != ()


@pytest.mark.parametrize(
    ("position", "order", "reason"),
    [(2, ACTIVE, "changed"), (2, ENDED, "changed"), (3, ENDED, "terminal"), (4, ENDED, "reset")],
)
def test_a_commit_ends_a_hold_with_its_reason(position: int, order: Order, reason: str) -> None:
    assert answer_now(position, order).reason == reason


def test_cited_requirements_are_in_the_protocol() -> None:
    source = Path(poll.__file__).read_text(encoding="utf-8")
    cited = set(re.findall(r"\b3\.\d+\b", source))
    assert cited >= {f"3.{n}" for n in range(5, 17)} - {"3.14", "3.13"}
    assert cited - set(requirements()) == set()
    assert re.findall(r"\brows? \d", source) == []
