"""An answer is the same bytes whoever holds the connection; and its making is shared."""

from __future__ import annotations

import asyncio
import json
import logging
from collections import Counter
from typing import Any

import pytest
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from ordertrack.core.errors import NodeFull, OrderNotFound
from ordertrack.core.feed import FeedChanges, FeedKey, FeedKind, FeedState
from ordertrack.core.order import NewOrder, create
from ordertrack.core.poll import Answer, PollRequest, Reason
from ordertrack.http.poll_answers import SHARED_FOR_MS, PollAnswers
from ordertrack.http.responses import Response, bytes_of, headers_of

pytestmark = pytest.mark.anyio

DATE = b"Sun, 22 Nov 2026 10:15:30 GMT"
ORDER = create(101, NewOrder("c1", "r1"), 1_795_342_530_000)
BOARD = FeedState(FeedKey(FeedKind.RESTAURANT, "r1"), FeedChanges(3, (ORDER,)))
ASKED = PollRequest()


class Clock:
    def __init__(self) -> None:
        self.ms = 1_795_342_530_000

    def now_ms(self) -> int:
        return self.ms

    def monotonic_s(self) -> float:
        return self.ms / 1000


class Transport:
    def __init__(self) -> None:
        self.written = b""

    def write(self, data: bytes) -> None:
        self.written += data

    def close(self) -> None:
        pass

    def __getattr__(self, name: str) -> Any:
        return lambda *_: None


def answers() -> PollAnswers:
    return PollAnswers(Clock(), 120.0, Counter())


async def as_uvicorn_writes(response: Response, *, keep_alive: bool) -> bytes:
    transport = Transport()
    cycle = RequestResponseCycle(
        scope={"method": "GET", "http_version": "1.1", "path": "/"},  # type: ignore[typeddict-item]
        transport=transport,  # type: ignore[arg-type]
        flow=FlowControl(transport),  # type: ignore[arg-type]
        logger=logging.getLogger("test"),
        access_logger=logging.getLogger("test"),
        access_log=False,
        default_headers=[],
        message_event=asyncio.Event(),
        expect_100_continue=False,
        keep_alive=keep_alive,
        on_response=lambda: None,
    )
    headers = headers_of(response, DATE)
    await cycle.send({"type": "http.response.start", "status": response.status, "headers": headers})
    await cycle.send({"type": "http.response.body", "body": response.body})
    return transport.written


def answered(answer: Answer, request: PollRequest = ASKED, *, closing: bool = False) -> Response:
    return answers().response(answer, "a1b2", request, closing=closing)


RESPONSES = {
    "order": answered(Answer(ORDER, Reason.CHANGED, 0)),
    "feed": answered(Answer(BOARD, Reason.CHANGED, 0)),
    "drain": answered(Answer(ORDER, Reason.DRAIN, 1), closing=True),
    "prefer": answered(Answer(ORDER, Reason.TIMEOUT, 1), PollRequest(wait_s=5.0)),
    "304": answered(Answer(ORDER, Reason.TIMEOUT, 1, not_modified=True)),
    "304 and drain": answered(Answer(ORDER, Reason.TIMEOUT, 1, not_modified=True), closing=True),
    "404": answers().refusal(OrderNotFound(5)),
    "503": answers().refusal(NodeFull(5, 10)),
    "204": Response(204, ((b"allow", b"GET"),), b""),
}


@pytest.mark.parametrize("keep_alive", [True, False])
@pytest.mark.parametrize("kind", RESPONSES)
async def test_the_bytes_are_those_that_uvicorn_writes(kind: str, keep_alive: bool):
    response = RESPONSES[kind]
    written = await as_uvicorn_writes(response, keep_alive=keep_alive)
    assert bytes_of(response, DATE, keep_alive=keep_alive) == written
    assert written.count(b"connection: close\r\n") == (not keep_alive or "drain" in kind)


# Sharing


def test_polls_that_are_told_the_same_at_once_share_a_response():
    made = answers()
    first = made.response(Answer(ORDER, Reason.CHANGED, 0), "a1b2", ASKED, closing=False)
    assert made.response(Answer(ORDER, Reason.CHANGED, 0), "a1b2", ASKED, closing=False) is first
    preferred = made.response(Answer(ORDER, Reason.CHANGED, 0), "a1b2", PollRequest(wait_s=3.0), closing=False)
    assert preferred.body is first.body
    assert preferred.headers == (*first.headers, (b"preference-applied", b"wait=3"))


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
def test_what_differs_in_anything_is_made_anew(answer: Answer, closing: bool):
    made = answers()
    made.response(Answer(ORDER, Reason.CHANGED, 0), "a1b2", ASKED, closing=False)
    assert made.response(answer, "a1b2", ASKED, closing=closing) == answers().response(
        answer, "a1b2", ASKED, closing=closing
    )


@pytest.mark.parametrize("later_ms", [SHARED_FOR_MS, -1])
def test_a_response_is_shared_no_longer_than_its_time_is_true(later_ms: int):
    clock = Clock()
    made = PollAnswers(clock, 120.0, Counter())
    first = made.response(Answer(ORDER, Reason.CHANGED, 0), "a1b2", ASKED, closing=False)
    clock.ms += later_ms
    assert made.response(Answer(ORDER, Reason.CHANGED, 0), "a1b2", ASKED, closing=False).body != first.body


# Positions of a feed


@pytest.mark.parametrize(
    ("answer", "cursor"),
    [
        (Answer(BOARD, Reason.CHANGED, 1), "a1b2.3"),
        (Answer(BOARD, Reason.SNAPSHOT, None), "a1b2.3"),
        (Answer(BOARD, Reason.TIMEOUT, 3), "a1b2.3"),
        (Answer(BOARD, Reason.SUPERSEDED, 2), "a1b2.2"),
        (Answer(BOARD, Reason.SUPERSEDED, 5), "a1b2.5"),
        (Answer(FeedState(BOARD.feed, FeedChanges(3, (), (), True, 9)), Reason.SNAPSHOT, None), "a1b2.3.9"),
    ],
)
def test_without_news_a_client_keeps_the_position_it_had(answer: Answer, cursor: str):
    """A feed's answer without news tells of no order, so it must not lead past any change."""
    response = answered(answer)
    assert json.loads(response.body)["cursor"] == cursor
    assert (b"etag", f'W/"{cursor}"'.encode()) in response.headers
