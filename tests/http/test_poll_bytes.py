"""Answers to polls as bytes, and the responses that they share."""

from __future__ import annotations

import json
import re

import pytest

from ordertrack.core.feed import FeedChanges, FeedKey, FeedKind, FeedState
from ordertrack.core.order import NewOrder, create
from ordertrack.core.poll import Answer, Reason
from ordertrack.http.endpoints.poll_responses import SHARED_FOR_MS, PollAnswers
from ordertrack.http.wire.responses import Response, bytes_of

DATE = b"Sun, 22 Nov 2026 10:15:30 GMT"
ORDER = create(101, NewOrder("c1", "r1"), 1_795_342_530_000)
BOARD = FeedState(FeedKey(FeedKind.RESTAURANT, "r1"), FeedChanges(3, (ORDER,)))


class Clock:
    def __init__(self) -> None:
        self.ms = 1_795_342_530_000

    def now_ms(self) -> int:
        return self.ms

    def monotonic_s(self) -> float:
        return self.ms / 1000


def answers() -> PollAnswers:
    return PollAnswers(Clock(), 120.0)


def answered(answer: Answer) -> Response:
    return answers().response(answer, "a1b2", closing=False)


def test_a_response_for_head_has_the_length_of_its_body() -> None:
    written = bytes_of(answered(Answer(ORDER, Reason.CHANGED, 0)), DATE, keep_alive=True, head_only=True)
    head, _, body = written.partition(b"\r\n\r\n")
    assert body == b""
    assert int(re.search(rb"content-length: (\d+)", head)[1]) > 100  # type: ignore[index]


@pytest.mark.parametrize("status", [204, 304])
def test_a_response_without_body_has_no_length(status: int) -> None:
    assert b"content-length" not in bytes_of(Response(status, (), b""), DATE, keep_alive=True)


@pytest.mark.parametrize(("keep_alive", "closing"), [(True, True), (False, True), (False, False)])
def test_connection_close_is_written_once(keep_alive: bool, closing: bool) -> None:
    response = answers().response(Answer(ORDER, Reason.DRAIN, 1), "a1b2", closing=closing)
    assert bytes_of(response, DATE, keep_alive=keep_alive).count(b"connection: close\r\n") == 1


# Sharing


def test_equal_answers_share_a_response():
    made = answers()
    first = made.response(Answer(ORDER, Reason.CHANGED, 0), "a1b2", closing=False)
    assert made.response(Answer(ORDER, Reason.CHANGED, 0), "a1b2", closing=False) is first


@pytest.mark.parametrize(
    ("answer", "closing"),
    [
        (Answer(create(102, NewOrder("c1", "r1"), 5), Reason.CHANGED, 0), False),
        (Answer(create(101, NewOrder("c1", "r1"), 1_795_342_530_000), Reason.CHANGED, 0), False),
        (Answer(ORDER, Reason.TIMEOUT, 0), False),
        (Answer(ORDER, Reason.CHANGED, None), False),
        (Answer(ORDER, Reason.CHANGED, 0, not_modified=True), False),
        (Answer(ORDER, Reason.CHANGED, 0), True),
        (Answer(BOARD, Reason.CHANGED, 0), False),
    ],
)
def test_different_answers_share_nothing(answer: Answer, closing: bool):
    made = answers()
    made.response(Answer(ORDER, Reason.CHANGED, 0), "a1b2", closing=False)
    assert made.response(answer, "a1b2", closing=closing) == answers().response(answer, "a1b2", closing=closing)


@pytest.mark.parametrize("later_ms", [SHARED_FOR_MS, -1])
def test_a_response_is_shared_for_100_ms(later_ms: int):
    clock = Clock()
    made = PollAnswers(clock, 120.0)
    first = made.response(Answer(ORDER, Reason.CHANGED, 0), "a1b2", closing=False)
    clock.ms += later_ms
    assert made.response(Answer(ORDER, Reason.CHANGED, 0), "a1b2", closing=False).body != first.body


# Positions of a feed


@pytest.mark.parametrize(
    ("answer", "cursor"),
    [
        (Answer(BOARD, Reason.CHANGED, 1), "a1b2.3"),
        (Answer(BOARD, Reason.SNAPSHOT, None), "a1b2.3"),
        (Answer(BOARD, Reason.TIMEOUT, 3), "a1b2.3"),
        (Answer(BOARD, Reason.SUPERSEDED, 2), "a1b2.2"),
        (Answer(BOARD, Reason.SUPERSEDED, 5), "a1b2.5"),
        (Answer(FeedState(BOARD.feed, FeedChanges(3, (), (), True, 9)), Reason.SNAPSHOT, None), "a1b2.3.i9"),
    ],
)
def test_without_news_a_client_keeps_its_position(answer: Answer, cursor: str):
    """A feed's answer without news has no orders, so its position must not skip a change."""
    response = answered(answer)
    assert json.loads(response.body)["cursor"] == cursor
    assert (b"etag", f'W/"{cursor}"'.encode()) in response.headers
