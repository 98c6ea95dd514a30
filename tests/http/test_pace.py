"""Tight loops get one answer a second; everybody else is answered at once."""

from __future__ import annotations

from ordertrack.core.feed import order_feed
from ordertrack.core.poll import PollRequest
from ordertrack.http.pace import MAX_PACES, Pace, Paces, asked

QUESTION = asked(order_feed(1), PollRequest(last_update_ms=5))


def test_the_third_answer_within_a_second_waits_and_so_do_all_that_follow() -> None:
    pace, now_s, pauses = Pace(), 100.0, []
    for _ in range(5):
        pause_s = pace.pause_s(QUESTION, now_s)
        pauses.append(pause_s)
        now_s += pause_s + 0.01
    assert pauses == [0, 0, 1, 1, 1]


def test_who_lets_a_second_pass_is_not_slowed() -> None:
    pace = Pace()
    assert [pace.pause_s(QUESTION, 100.0 + n) for n in range(5)] == [0] * 5


def test_another_position_is_another_question() -> None:
    pace = Pace()
    questions = [asked(order_feed(1), PollRequest(last_update_ms=n)) for n in range(5)]
    assert [pace.pause_s(question, 100.0) for question in questions] == [0] * 5


def test_asking_without_a_position_or_for_the_answer_now_is_no_loop() -> None:
    assert asked(order_feed(1), PollRequest()) is None
    assert asked(order_feed(1), PollRequest(last_update_ms=5, timeout_s=0)) is None


def test_only_so_many_connections_are_remembered() -> None:
    paces = Paces()
    first = paces.of(0)
    for n in range(1, MAX_PACES):
        paces.of(n)
    assert paces.of(0) is first
    paces.of(MAX_PACES)
    assert paces.of(0) is first
    assert paces.of(1).pause_s(QUESTION, 0.0) == 0
    assert len(paces._paces) == MAX_PACES
