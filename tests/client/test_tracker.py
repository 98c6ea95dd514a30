"""The tracker alone, without network, clock and randomness: its interface. Most rules are in `test_vectors.py`."""

from __future__ import annotations

import json

import pytest

from client.wire_answers import problem, update_body
from ordertrack.client import (
    AccessDenied,
    ConnectionLost,
    NotFound,
    PollRequest,
    ServerUnreachable,
    Step,
    Tracker,
    UnexpectedAnswer,
)


class Session:
    """A tracker with a clock that tests advance. Random numbers are always `luck`, so waits are known."""

    def __init__(self, *, luck: float = 1.0, mode: str = "live", cursor: str | None = None, waits: bool = True) -> None:
        self.tracker = Tracker(random=lambda: luck, mode=mode, cursor=cursor, wait_for_server=waits)  # type: ignore[arg-type]
        self.now_s = 1000.0

    def send(self) -> PollRequest:
        return self.tracker.next_request(self.now_s)

    def answer(self, body: bytes, *, after_s: float = 0.0, status: int = 200, **headers: str) -> Step:
        self.now_s += after_s
        named = {name.replace("_", "-"): text for name, text in headers.items()}
        return self.tracker.received(status, named, body, self.now_s)

    def fail(self, error: ServerUnreachable, *, after_s: float = 0.0) -> Step:
        self.now_s += after_s
        return self.tracker.failed(error, self.now_s)

    def refuse(self, status: int, *, after_s: float = 0.0, **headers: str) -> Step:
        return self.answer(json.dumps(problem(status, "refused")).encode(), status=status, after_s=after_s, **headers)

    def connect(self, version: int = 1, **fields: object) -> None:
        self.send()
        self.answer(update_body(version, "snapshot", **fields))

    def hold_times_out(self, version: int = 1) -> Step:
        hold_s = float(self.send().params["timeout"])
        return self.answer(update_body(version, "timeout"), after_s=hold_s)

    def hold_s(self) -> float:
        """Send the next poll and return the hold it requests."""
        return float(self.send().params["timeout"])


LOST = ConnectionLost("cut")
UNREACHABLE = ServerUnreachable("refused")


def test_a_hold_that_ends_before_the_cut_proves_no_longer_one() -> None:
    """The path cuts at 53 s, and the server ends every second hold of 56 s at 51 s."""
    session = Session()
    session.connect()
    holds: list[float] = []
    for _ in range(200):
        holds.append(session.hold_s())
        took_s = 51 if holds[-1] == 56 and holds.count(56) % 2 else holds[-1]
        if took_s > 53:
            session.fail(LOST, after_s=holds[-1] + 10)
            session.send()
            session.answer(update_body(1, "timeout"))
        else:
            session.answer(update_body(1, "timeout"), after_s=took_s)
    assert 1 <= holds.count(112) <= 4


@pytest.mark.parametrize(("status", "error"), [(400, "InvalidRequest"), (401, "AccessDenied"), (403, "AccessDenied"),
                                               (404, "NotFound"), (410, "RequestRefused")])  # fmt: skip
def test_permanent_errors_are_raised_at_once(status: int, error: str) -> None:
    session = Session()
    session.connect()
    session.send()
    with pytest.raises(Exception, match=r"No\.") as raised:
        session.refuse(status)
    assert type(raised.value).__name__ == error
    assert session.tracker.ended


def test_raised_errors_carry_code_status_and_problem() -> None:
    session = Session()
    session.send()
    with pytest.raises(NotFound, match="There is no such order") as raised:
        session.answer(json.dumps(problem(404, "order_not_found", "There is no such order.", x=1)).encode(), status=404)
    assert (raised.value.code, raised.value.status, raised.value.problem["x"]) == ("order_not_found", 404, 1)
    assert not isinstance(raised.value, AccessDenied)


@pytest.mark.parametrize("body", [b"<html>Welcome to the hotel</html>", b"", b"[]", b'{"success": true}', b"\xff"])
def test_first_answer_of_another_server_is_a_wrong_url(body: bytes) -> None:
    session = Session(waits=False)
    session.send()
    with pytest.raises(UnexpectedAnswer):
        session.answer(body)
    assert session.tracker.ended


def test_a_redirect_names_its_target() -> None:
    session = Session(waits=False)
    session.send()
    with pytest.raises(UnexpectedAnswer, match="https://elsewhere"):
        session.answer(b"", status=308, location="https://elsewhere")


@pytest.mark.parametrize("status", ["delivered", "cancelled"])
def test_tracking_ends_with_the_end_of_the_order(status: str) -> None:
    session = Session()
    session.connect(2)
    session.send()
    step = session.answer(update_body(3, status=status), after_s=1)
    assert step.update is not None
    assert step.update.terminal
    assert session.tracker.ended
    with pytest.raises(RuntimeError, match="ended"):
        session.send()


def test_an_unknown_mode_is_refused() -> None:
    with pytest.raises(ValueError, match="saver"):
        Session(mode="turbo")


def test_one_request_at_a_time() -> None:
    session = Session()
    session.send()
    with pytest.raises(RuntimeError, match="in progress"):
        session.send()
    session.fail(UNREACHABLE)
    with pytest.raises(RuntimeError, match="no poll"):
        session.fail(UNREACHABLE)


def test_a_first_connection_that_fails_is_an_error() -> None:
    session = Session(waits=False, cursor="e.1")
    session.send()
    with pytest.raises(ServerUnreachable):
        session.fail(UNREACHABLE)
    assert session.tracker.ended


def test_the_third_first_connection_that_breaks_is_an_error() -> None:
    session = Session(waits=False)
    for _ in range(2):
        session.send()
        assert session.fail(LOST).wait_s > 0
    session.send()
    with pytest.raises(ConnectionLost):
        session.fail(LOST)


def test_a_server_that_has_answered_is_waited_for() -> None:
    session = Session(waits=False)
    session.send()
    session.refuse(503)
    for failures in range(2, 9):
        session.send()
        assert session.fail(UNREACHABLE).failures == failures
